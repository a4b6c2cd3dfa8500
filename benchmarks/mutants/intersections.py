"""Mistakes in finding who is common to parties, and in what the coordinator may see of it."""

from benchmarks.mutants.mutant import Mutant

_FOLDER = "trust/mpc/intersection/"
_PART, _STEPS, _STORE = f"{_FOLDER}intersecting.py", f"{_FOLDER}steps.py", f"{_FOLDER}store.py"
_TESTS = "tests/trust/mpc/intersection/"
_PART_TESTS, _ALIGNING = f"{_TESTS}test_intersecting.py", "tests/trust/mpc/test_aligning_party.py"

MUTANTS = (
    Mutant(
        "a party's keys go round under its part of the secret",
        _PART,
        "        self._cover, self._secret = fresh_secret(entropy), fresh_secret(entropy)\n",
        "        self._cover = self._secret = fresh_secret(entropy)\n",
        "a number fewer to draw, and the same values at the end",
        f"{_PART_TESTS}::test_a_party_is_sent_no_point_that_it_could_compare",
    ),
    Mutant(
        "the list is as long as there are common persons",
        _PART,
        "        names += [self._entropy.take(NAME_BYTES) for _ in range(self._most - len(names))]\n",
        "        names += [bytes(NAME_BYTES)] * (self._most - len(names))\n",
        "what is sealed shows nothing",
        f"{_PART_TESTS}::test_the_list_of_the_reader_stands_in_no_order_of_its_table",
    ),
    Mutant(
        "the list stands in the order of the reader's table",
        _PART,
        'nonce + b"".join(sorted(names))',
        'nonce + b"".join(names)',
        "names are hashes",
        f"{_PART_TESTS}::test_the_list_of_the_reader_stands_in_no_order_of_its_table",
    ),
    Mutant(
        "the hash of who is common is of them alone",
        _PART,
        'hashlib.sha256(b"parties common" + nonce + whole)',
        'hashlib.sha256(b"parties common" + whole)',
        "their values are secret",
        f"{_PART_TESTS}::test_the_hash_that_the_coordinator_sees_is_another_in_every_run",
    ),
    Mutant(
        "a call is answered again",
        _PART,
        "        if self._stage != stage:\n",
        "        if False:\n",
        "a message that was lost on the way is asked for again",
        f"{_PART_TESTS}::test_each_call_is_answered_once_and_in_its_turn",
    ),
    Mutant(
        "a message of any length is opened",
        _PART,
        "        if len(sealed) != size:\n",
        "        if False:\n",
        "what was changed cannot be opened anyway",
        f"{_PART_TESTS}::test_a_party_opens_nothing_of_another_length_than_the_plan_says",
    ),
    Mutant(
        "persons stand in the order of their values",
        _PART,
        "[: len(found)]\n        self.places[positions]",
        "[: len(found)]\n        self.places[: len(found)]",
        "values are random",
        f"{_PART_TESTS}::test_positions_are_drawn_anew_for_a_run",
    ),
    Mutant(
        "the coordinator passes on what is longer than it should be",
        _STEPS,
        "    if any(len(answer) != size for answer in answers.values()):\n",
        "    if False:\n",
        "the party that gets it looks",
        f"{_PART_TESTS}::test_what_was_changed_on_its_way_ends_the_run",
    ),
    Mutant(
        "parties may disagree on who is common",
        _STEPS,
        "    if len(set(found.values())) > 1:\n",
        "    if False:\n",
        "all were told by one",
        f"{_PART_TESTS}::test_parties_that_do_not_agree_are_not_counted",
    ),
    Mutant(
        "two keys with the same cells have one value",
        _STORE,
        "    return hashes ^ np.bitwise_xor.reduce(table[cells], axis=1)\n",
        "    return np.bitwise_xor.reduce(table[cells], axis=1)\n",
        "cells are told apart by hashes already",
        f"{_TESTS}test_store.py::test_each_key_has_its_value",
    ),
    Mutant(
        "cells that no key needs are zero",
        _STORE,
        "np.frombuffer(bytearray(entropy.take(_THIRDS * third * VALUE_BYTES)), np.uint64)",
        "np.frombuffer(bytearray(_THIRDS * third * VALUE_BYTES), np.uint64)",
        "nobody reads them",
        f"{_TESTS}test_store.py::test_cells_that_no_key_needs_are_drawn",
    ),
    Mutant(
        "masks are made for any common persons",
        "trust/mpc/aligning_party.py",
        "        return with_common(super()._codec, self._common.hash)\n",
        "        return with_common(super()._codec, bytes(32))\n",
        "the parties have agreed on them",
        f"{_ALIGNING}::test_parties_with_other_persons_at_a_position_open_nothing",
    ),
    Mutant(
        "a party answers before it knows who is common",
        "trust/mpc/aligning_party.py",
        "        if not self._common.hash:\n",
        "        if False:\n",
        "it has nobody then",
        f"{_ALIGNING}::test_nothing_is_answered_before_the_parties_know_who_is_common",
    ),
    Mutant(
        "spaces around a key make another person",
        "trust/mpc/keys.py",
        "pc.utf8_trim_whitespace(pc.utf8_normalize(keys, form=_FORM))",
        "pc.utf8_normalize(keys, form=_FORM)",
        "a key is what stands in the file",
        "tests/trust/mpc/test_keys.py::test_what_nobody_sees_in_a_table_makes_no_difference",
    ),
    Mutant(
        "a party takes a block of any length",
        "trust/mpc/party_site.py",
        "        if len(sealed) != sealed_block(dealing.layout, len(dealing.own.present), after(place), block):\n",
        "        if False:\n",
        "what is too long cannot be opened",
        "tests/trust/mpc/test_setting.py::test_a_dealing_that_is_not_the_agreed_one_is_refused",
    ),
    Mutant(
        "a message of any length is read",
        "federation/nvflare/pipes.py",
        "if size <= self._most else None",
        "if size <= MOST_BYTES else None",
        "four gigabytes are a bound too",
        "tests/federation/test_pipes.py::test_of_a_message_that_is_too_long_nothing_is_read",
    ),
    Mutant(
        "the coordinator passes on a block of any length",
        "trust/federated/rounds.py",
        "                if len(data) != sealed_block(layout, persons, place, block):\n",
        "                if False:\n",
        "the party that gets it looks",
        "tests/trust/mpc/test_hostile.py::test_a_block_that_is_longer_than_the_plan_says_is_not_passed_on",
    ),
)
"""Of the intersection of parties."""
