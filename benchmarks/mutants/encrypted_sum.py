"""Mistakes in sums under encryption."""

from benchmarks.mutants.mutant import Mutant

_PART = "trust/encrypted_sum/"
_TESTS = "tests/trust/encrypted_sum/test_encrypted_sum.py::"

MUTANTS = (
    Mutant(
        "a total is told as it was decrypted, where it is no whole number",
        f"{_PART}ckks.py",
        "    if np.abs(found - whole).max() > MOST_ERROR or np.abs(whole).max() > parameters.largest:\n",
        "    if np.abs(whole).max() > parameters.largest:\n",
        "rounding makes it whole anyway",
        f"{_TESTS}test_a_total_that_is_no_whole_number_is_not_told",
    ),
    Mutant(
        "a scale is taken by which totals of many sites are not exact",
        f"{_PART}ckks.py",
        "32: Parameters((55, 54), 21, 32)",
        "32: Parameters((55, 54), 17, 32)",
        "it leaves more room for the numbers",
        f"{_TESTS}test_totals_are_exact_to_the_ends_of_what_is_allowed",
    ),
    Mutant(
        "a number is opened as often as it is asked",
        f"{_PART}key_holder.py",
        "        if slot <= self._last:\n",
        "        if False:\n",
        "each total is one of noised numbers",
        f"{_TESTS}test_a_number_is_answered_once_and_opened_once",
    ),
    Mutant(
        "the holder of the key is shown one site's ciphertext",
        f"{_PART}aggregator.py",
        "numbers, tuple(total.serialize() for total in totals))\n",
        "numbers, tuple(asked.read(survivors[0], messages[survivors[0]])))\n",
        "the first is as good as any for a look at the form",
        f"{_TESTS}test_the_holder_of_the_key_sees_totals_and_the_others_have_no_key",
    ),
    Mutant(
        "sites are given the key that opens",
        f"{_PART}ckks.py",
        "(save_public_key=True, save_secret_key=False, save",
        "(save_public_key=True, save_secret_key=True, save",
        "one key for all is simpler",
        f"{_TESTS}test_the_holder_of_the_key_sees_totals_and_the_others_have_no_key",
    ),
    Mutant(
        "a site's message may hold no ciphertext, or several",
        f"{_PART}ckks.py",
        "    return [(part.scale, part.size(), part.parms_id()) for part in one.ciphertext()] == [form]\n",
        "    return all(part.scale == form[0] for part in one.ciphertext())\n",
        "of how many numbers it is says it itself",
        f"{_TESTS}test_a_message_that_is_not_what_it_should_be_counts_as_none",
    ),
    Mutant(
        "a site encrypts by a key of any parameters",
        f"{_PART}ckks.py",
        "    if not context.has_public_key() or _said(context) != _expected(parameters):\n",
        "    if False:\n",
        "who drew the key chose them well",
        f"{_TESTS}test_a_site_takes_no_key_of_other_parameters",
    ),
    Mutant(
        "real sites add under encryption",
        "trust/federated/plan_form.py",
        '    if "sums" in data:  # of a file',
        "    if False:  # of a file",
        "it encrypts, so nobody sees anything",
        "tests/fitting/test_encrypted_fit.py::test_real_sites_refuse_it_and_say_why",
    ),
)
