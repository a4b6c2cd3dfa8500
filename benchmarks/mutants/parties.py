"""Mistakes in counting on shares, and in what parties pay and refuse."""

from benchmarks.mutants.mutant import Mutant

_COUNTING = "trust/mpc/counting.py"
_SITE = "trust/mpc/party_site.py"
_TESTS = "tests/trust/mpc/"

MUTANTS = (
    Mutant(
        "one-hots are sent as they are",
        _COUNTING,
        "    return one_hots.toarray() - mask\n",
        "    return one_hots.toarray()\n",
        "they are sealed for one party anyway",
        f"{_TESTS}test_counting.py::test_a_party_sees_the_same_under_any_rows_of_the_others",
    ),
    Mutant(
        "absent persons are counted with code 0",
        _COUNTING,
        "        rows = np.flatnonzero(self.present)\n",
        "        rows = np.arange(len(self.present))\n",
        "their codes are zero",
        f"{_TESTS}test_counting.py::test_shares_add_up_to_the_table",
    ),
    Mutant(
        "a mask covers every block",
        _SITE,
        'return b"parties " + what + dealing.label + bytes([place]) + block.to_bytes(4, "little")',
        'return b"parties " + what + dealing.label + bytes([place])',
        "a dealing has a label of its own, which is enough",
        f"{_TESTS}test_setting.py::test_no_mask_covers_two_blocks_or_two_dealings",
    ),
    Mutant(
        "a mask covers every dealing",
        _SITE,
        'return b"parties " + what + dealing.label + bytes([place])',
        'return b"parties " + what + bytes([place])',
        "the keys are of one run",
        f"{_TESTS}test_setting.py::test_no_mask_covers_two_blocks_or_two_dealings",
    ),
    Mutant(
        "a party pays as toward a receiver",
        _SITE,
        "    return replace(event, count=2 * event.count)\n",
        "    return event\n",
        "the promise is the same for everybody",
        f"{_TESTS}test_setting.py::test_a_table_has_the_noise_of_two_shares_and_a_party_pays_for_two_cells",
    ),
    Mutant(
        "a block is dealt twice",
        _SITE,
        "        if block != dealing.dealt or block >= dealing.blocks:\n",
        "        if block > dealing.dealt or block >= dealing.blocks:\n",
        "a message that was lost on the way is asked for again",
        f"{_TESTS}test_setting.py::test_a_dealing_that_is_not_the_agreed_one_is_refused",
    ),
    Mutant(
        "tables before all blocks were taken",
        _SITE,
        "        if dealing.taken < dealing.blocks:\n",
        "        if dealing.taken < 0:\n",
        "the coordinator asks in order",
        f"{_TESTS}test_setting.py::test_a_table_before_all_blocks_were_taken_is_refused",
    ),
    Mutant(
        "rows outside the facts move a count by one",
        "trust/federated/plan.py",
        "return self.max_rows * (PARTIES if outside and self.split is not None else 1)",
        "return self.max_rows",
        "a person has one row",
        f"{_TESTS}test_setting.py::test_rows_outside_have_the_noise_of_three_counts",
    ),
    Mutant(
        "two rows of a person are taken",
        "trust/mpc/party_records.py",
        "if seen[places].any() or len(np.unique(places)) < len(places):",
        "if len(np.unique(places)) < len(places) and seen[places].all():",
        "the last one counts",
        f"{_TESTS}test_persons.py::test_a_person_with_two_rows_is_refused",
    ),
    Mutant(
        "any epsilon toward a party is believed",
        "release/stated_split.py",
        "        if not math.isclose(self.toward_a_party, ",
        "        if False and not math.isclose(self.toward_a_party, ",
        "it says so in the plan",
        "tests/fitting/test_parties.py::test_a_certificate_whose_split_was_edited_is_refused",
    ),
    Mutant(
        "products of halves wrap late",
        "trust/mpc/ring.py",
        "MOST_ROWS = 1 << 20\n",
        "MOST_ROWS = 1 << 23\n",
        "double precision holds more than 2^53 well enough",
        f"{_TESTS}test_ring.py::test_the_largest_elements_of_the_longest_factor_stay_exact",
    ),
)
"""Of the setting of parties."""
