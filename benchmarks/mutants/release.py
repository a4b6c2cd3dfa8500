"""Mistakes in what leaves: progress, errors, certificates and their verification."""

from benchmarks.mutants.mutant import Mutant

_CERTIFICATE = "tests/release/test_certificate.py"

MUTANTS = (
    Mutant(
        "progress tells how many rows were read",
        "trust/gathering.py",
        "            yield codec.encode_rows(kept)",
        "            progress.step(kept.num_rows)\n            yield codec.encode_rows(kept)",
        "a bar that moves while a large file is read",
        "tests/guarantees/test_whole_fit_replayed.py::test_kinds_of_tables",
    ),
    Mutant(
        "an unforeseen error shows its text",
        "cli/main.py",
        'what = f"{type(e).__name__} at {place.filename}:{place.lineno}"',
        'what = f"{type(e).__name__} at {place.filename}:{place.lineno}: {e}"',
        "an error without its text is hard to fix",
        "tests/guarantees/test_whole_fit_replayed.py::test_an_unforeseen_error_quotes_no_row",
    ),
    Mutant(
        "a fit stops asking where the exact rows are few",
        "models/marginals/columns.py",
        "    share = share if len(domain) > 1 else setting.remaining\n",
        "    few = len(getattr(setting, '_records', ())) < 320\n"
        "    share = setting.remaining if few or len(domain) < 2 else share\n",
        "pairs are hopeless on a small table",
        "tests/guarantees/test_whole_fit_replayed.py::test_models",
    ),
    Mutant(
        "events of fewer rows than a unit may hold pass",
        "release/verification.py",
        '    if any(getattr(event, "sensitivity", moved) < moved for event in events):',
        '    if all(getattr(event, "sensitivity", moved) < moved for event in events):',
        "any and all, of a negation",
        f"{_CERTIFICATE}::test_events_charged_for_one_row_of_a_unit_with_several_are_refused",
    ),
    Mutant(
        "a certificate of another model passes",
        "release/verification.py",
        "        if certificate.members != artifact.hashes:",
        "        if certificate.members.keys() != artifact.hashes.keys():",
        "names of members are compared, as the artifact has checked the bytes",
        f"{_CERTIFICATE}::test_a_certificate_that_does_not_fit_is_refused",
    ),
    Mutant(
        "stored types are compared where both are stated",
        "release/verification.py",
        '    if stated.get("types") != expected["types"]:\n',
        '    if codec.types and stated.get("types") != expected["types"]:\n',
        "delimited text has none",
        f"{_CERTIFICATE}::test_a_codec_with_other_stored_types_is_refused",
    ),
    Mutant(
        "a signature of any key passes for the trusted one",
        "release/signature.py",
        "    if trusted is not None and _raw(trusted) != public:",
        "    if trusted is not None and len(_raw(trusted)) != len(public):",
        "the signature was verified, two lines above: by the key that it brought along",
        "tests/release/test_signature.py::test_another_key_and_no_signature_are_refused_when_a_key_is_given",
    ),
    Mutant(
        "a certificate is issued for what was spent, whatever was promised",
        "release/issuing.py",
        "    if not spent.within(g):\n        found",
        "    if spent.epsilon(g.delta) > 10 * g.epsilon:\n        found",
        "rounding of accountants must not stop a finished fit",
        f"{_CERTIFICATE}::test_no_certificate_is_issued_for_more_than_was_promised",
    ),
)
