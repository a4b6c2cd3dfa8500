"""Mistakes in what stands between rows and an engine for secret shares."""

from benchmarks.mutants.mutant import Mutant

_ENGINE = "trust/mpc/engine"
_TESTS = "tests/trust/mpc/engine"
_NOISY = "tests/privacy/mechanisms/test_noisy_max.py"

MUTANTS = (
    Mutant(
        "any party's certificate will do for any rank",
        f"{_ENGINE}/mesh.py",
        "        if shown != self._pins[rank]:",
        "        if shown not in self._pins:",
        "mutual TLS has let in parties of the plan alone, whose certificates are all known",
        f"{_TESTS}/test_mesh.py::test_a_registered_certificate_in_the_wrong_rank_is_refused",
    ),
    Mutant(
        "whoever of the plan answers is spoken to",
        f"{_ENGINE}/mesh.py",
        "        if connection.getpeercert(binary_form=True) != pins[rank]:",
        "        if connection.getpeercert(binary_form=True) not in pins:",
        "the address says who it is",
        f"{_TESTS}/test_mesh.py::test_a_registered_party_that_answers_in_anothers_place_is_sent_nothing",
    ),
    Mutant(
        "a length is believed",
        f"{_ENGINE}/frames.py",
        "        if label > _LONGEST_NAME or length > longest:",
        "        if label > _LONGEST_NAME:",
        "parties are authenticated",
        f"{_TESTS}/test_liveness.py::test_a_message_that_is_too_long_is_refused",
    ),
    Mutant(
        "a message that comes twice replaces the first",
        f"{_ENGINE}/liveness.py",
        "            if (kind, name) in self._found or self._unread",
        "            if self._unread",
        "a dictionary has one value a key",
        f"{_TESTS}/test_liveness.py::test_a_message_that_is_sent_twice_is_refused",
    ),
    Mutant(
        "only the first index of a slice must be public",
        f"{_ENGINE}/allowed.py",
        "and any(secret[1:]):",
        "and all(secret[1:]):",
        "for one index the two are the same",
        f"{_TESTS}/test_allowed.py::test_a_slice_with_one_secret_index_of_two_is_refused",
    ),
    Mutant(
        "a loop is read once",
        f"{_ENGINE}/allowed.py",
        "        while (after := _either(secret, self._block(body, secret, known))) != secret:\n"
        "            secret = after\n",
        "        secret = _either(secret, secret)\n        self._block(body, secret, known)\n",
        "what goes into a loop says what is secret in it",
        f"{_TESTS}/test_allowed.py::test_what_opens_or_breaks_on_shares_is_refused",
    ),
    Mutant(
        "products up to 2^28",
        f"{_ENGINE}/domains.py",
        "PRODUCT = 2.0**26",
        "PRODUCT = 2.0**28",
        "64 bits less 36 of two fractions are 28; but truncation needs two more",
        f"{_TESTS}/test_domains.py::test_what_was_seen_to_fail_on_the_engine_is_refused",
    ),
    Mutant(
        "the log is searched for one of its two words",
        f"{_ENGINE}/engine_log.py",
        'OPENED = b"eveal"',
        'OPENED = b"Reveal"',
        "that is what was seen in it",
        f"{_TESTS}/test_liveness.py::test_the_line_that_must_never_stand_in_the_log_is_found",
    ),
    Mutant(
        "one key under two names",
        f"{_ENGINE}/identities.py",
        "        keys = {key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in found}",
        "        keys = {party.certificate for party in plan.parties}",
        "a certificate is what a party shows",
        f"{_TESTS}/test_engine_plan.py::test_two_parties_with_one_key_are_refused",
    ),
    Mutant(
        "scores that do not fit are compared",
        f"{_ENGINE}/selection.py",
        "    if int(whole.max()) * furthest + _NOISE > _LARGEST:",
        "    if furthest > _LARGEST:",
        "the distance is what has a bound",
        f"{_TESTS}/test_selection.py::test_scores_that_could_not_be_compared_are_refused",
    ),
    Mutant(
        "noise of a maximum for scores that all move one way",
        "privacy/mechanisms/noisy_max.py",
        "math.nextafter(2 * sensitivity / epsilon, math.inf)",
        "math.nextafter(sensitivity / epsilon, math.inf)",
        "right for counts, not for distances",
        f"{_NOISY}::test_the_scale_is_twice_the_sensitivity_over_epsilon_and_never_below",
    ),
    Mutant(
        "a part of the noise that only adds",
        "privacy/mechanisms/noisy_max.py",
        "    return inversion.draw(high, low, n, entropy) - inversion.draw(high, low, n, entropy)",
        "    return inversion.draw(high, low, n, entropy)",
        "one draw is cheaper",
        f"{_NOISY}::test_the_parts_of_the_honest_add_up_to_laplace_noise",
    ),
    Mutant(
        "a maximum of many is charged as the exponential mechanism",
        "privacy/gdp.py",
        "    return exponential_mu(2 * epsilon_) if",
        "    return exponential_mu(epsilon_) if",
        "both select an index and are epsilon-DP",
        "tests/privacy/test_gdp.py::test_what_has_no_delta_is_within_its_gdp_bound",
    ),
    Mutant(
        "the second accountant charges a maximum of many as the exponential mechanism",
        "privacy/rdp.py",
        "            return dp_event.ZCDpEvent(rho=event.epsilon**2 / 2)",
        "            return dp_event.ZCDpEvent(rho=event.epsilon**2 / 8)",
        "the line above says so",
        "tests/privacy/test_accounting.py::test_selections_of_many_are_within_their_renyi_bound",
    ),
)
