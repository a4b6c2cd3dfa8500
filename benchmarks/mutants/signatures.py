"""Mistakes in what sites sign of a plan and of a certificate, and in how that is checked."""

from benchmarks.mutants.mutant import Mutant

_PLAN = "release/signed_plan.py"
_SITES = "release/site_signatures.py"
_CHECKED = "release/checked_sites.py"
_TESTS = "tests/release/test_site_signatures.py::"
_MISSING = "tests/trust/federated/test_attendance.py::"
_FORGED = f"{_TESTS}test_what_the_sites_did_not_sign_is_refused"

MUTANTS = (
    Mutant(
        "signatures under a plan are counted and not checked",
        _SITES,
        "            _check(name, keys[name], SignaturePurpose.PLAN, sorted_json(self.plan), signature)\n",
        "            del signature\n",
        "the coordinator has checked them",
        _FORGED,
    ),
    Mutant(
        "signatures under a certificate are not checked",
        _SITES,
        "            _check(name, keys[name], SignaturePurpose.CERTIFICATE, payload(stored), signature)\n",
        "            del signature\n",
        "what is kept was checked before it was saved",
        _FORGED,
    ),
    Mutant(
        "a site that did not sign counts as one that did",
        _SITES,
        "        odd = (keys.keys() ^ self.agreed.keys())",
        "        odd = (self.agreed.keys() - keys.keys())",
        "signatures of strangers are the danger",
        _FORGED,
    ),
    Mutant(
        "the promise of the plan is not held against the certificate",
        _PLAN,
        '            "epsilon": promise.epsilon,\n',
        '            "epsilon": plan["guarantee"]["epsilon"],\n',
        "the hash of the plan stands in the certificate",
        _FORGED,
    ),
    Mutant(
        "the sites of the plan are not held against the certificate",
        _PLAN,
        "    if named != [(site.name, site.fingerprint) for site in stated.sites]:\n",
        "    if [key for _, key in named] != [site.fingerprint for site in stated.sites]:\n",
        "a key is what tells a site",
        _FORGED,
    ),
    Mutant(
        "any plan that the sites signed will do",
        _PLAN,
        "    if hashlib.sha256(sorted_json(plan)).hexdigest() != stated.plan:\n",
        "    if not hashlib.sha256(sorted_json(plan)).hexdigest():\n",
        "its facts are compared one by one",
        f"{_TESTS}test_a_site_signs_no_certificate_that_says_otherwise_than_its_plan",
    ),
    Mutant(
        "a key of small order signs a plan",
        _PLAN,
        "                    check_order(found[name])\n",
        "",
        "the library refuses keys that are none",
        f"{_TESTS}test_a_key_that_nobody_can_have_is_refused",
    ),
    Mutant(
        "a file may lack what the certificate says that sites signed",
        _CHECKED,
        "    if (stated is not None and stated.signed is True) != (signed is not None):\n",
        "    if (stated is None or stated.signed is not True) and signed is not None:\n",
        "older files have no such member",
        _FORGED,
    ),
    Mutant(
        "a fingerprint that was told is looked up and not compared",
        _CHECKED,
        "        if not found[name].confirmed:\n",
        "        if not found[name].fingerprint:\n",
        "the signature fits the key",
        f"{_TESTS}test_keys_that_are_all_the_forgers_own_are_caught_by_fingerprints_alone",
    ),
    Mutant(
        "a site that was told of is not looked for",
        _CHECKED,
        "        if name not in found:\n",
        "        if name not in found:\n            continue\n        if False:\n",
        "fingerprints of all partners are kept in one list",
        f"{_TESTS}test_names_and_fingerprints_that_were_told_are_held_against_the_file",
    ),
    Mutant(
        "a site signs any certificate",
        "federation/certifying.py",
        "    check_plan(plan.to_dict(), certificate, plan.schema.dump())\n",
        "    assert plan\n",
        "the coordinator makes it from the plan",
        f"{_TESTS}test_a_site_signs_no_certificate_that_says_otherwise_than_its_plan",
    ),
    Mutant(
        "a site signs words that its plan does not have",
        "federation/certifying.py",
        "    if {certificate.product.curator, certificate.product.purpose} != {NOT_STATED}:\n",
        "    if NOT_STATED not in {certificate.product.curator, certificate.product.purpose}:\n",
        "any and all, of a negation",
        f"{_TESTS}test_a_site_signs_no_certificate_that_says_otherwise_than_its_plan",
    ),
    Mutant(
        "what a site answers at the end is kept unread",
        _SITES,
        "                continue  # it was not there any more, or would not sign\n",
        "                if name not in given:\n                    continue\n",
        "verification checks it",
        f"{_TESTS}test_a_signature_that_does_not_fit_is_not_kept",
    ),
    Mutant(
        "a site whose message cannot be read was there",
        "trust/federated/rounds.py",
        "self.attendance.saw(opening.number.round, stage, asked, answers.keys() - opening.refused.keys())",
        "self.attendance.saw(opening.number.round, stage, asked, answers.keys())",
        "it answered in time",
        f"{_MISSING}test_a_vector_that_cannot_be_read_is_one_that_is_missing",
    ),
    Mutant(
        "who is missing is noted of rounds that open alone",
        "trust/federated/rounds.py",
        "            yield\n        finally:\n            self.attendance",
        "            yield\n        except KeyError:\n            raise\n        else:\n            self.attendance",
        "what is not opened is asked again",
        f"{_MISSING}test_who_was_missing_is_noted_also_where_nothing_is_opened",
    ),
    Mutant(
        "a site that was back once is never missed again",
        "trust/federated/attendance.py",
        "                elif before.returned is not None:\n",
        "                elif before.times < 1:\n",
        "the first time tells enough",
        f"{_MISSING}test_a_site_that_is_back_is_noted_as_such",
    ),
    Mutant(
        "a certificate misses any site",
        "release/federation.py",
        "        if len(set(missed)) < len(missed) or not set(missed) <= {site.name for site in self.sites}:\n",
        "        if len(set(missed)) < len(missed):\n",
        "the coordinator names its own sites",
        "tests/release/test_absences.py::test_an_absence_that_cannot_be_is_refused",
    ),
)
