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
        "the last of several rows counts",
        "trust/mpc/party_records.py",
        "    present &= ~several\n",
        "",
        "a file says what is true last",
        "tests/guarantees/test_neighbouring_parties.py::test_a_line_more_changes_one_record",
    ),
    Mutant(
        "several rows in two batches are taken",
        "trust/mpc/party_records.py",
        "several[each] |= seen[each] | (rows_of_each > 1)",
        "several[each] |= rows_of_each > 1",
        "a batch holds millions of rows",
        f"{_TESTS}test_persons.py::test_rows_of_a_person_in_two_batches_are_several",
    ),
    Mutant(
        "an opened sum holds shares of any dealing",
        _SITE,
        "return request.subject(self._facts.codec if self._dealing is None else self._dealing.label)",
        "return request.subject(self._facts.codec)",
        "a share of another dealing makes the sum wrong, and nothing more",
        f"{_TESTS}test_hostile.py::test_a_coordinator_that_deals_one_thing_to_two_parties_and_another_to_the_third"
        "_opens_nothing",
    ),
    Mutant(
        "any number of cells is allocated",
        _SITE,
        "        made.check()\n",
        "",
        "the memory that is missing is not taken either",
        f"{_TESTS}test_hostile.py::test_maps_to_more_codes_than_memory_holds_are_refused_before_any_is_taken",
    ),
    Mutant(
        "a table is found not to be dealt when it was paid for",
        _SITE,
        "                self._check_dealt(query)  # before anything is charged\n",
        "                pass\n",
        "nothing leaves either way",
        f"{_TESTS}test_hostile.py::test_what_a_party_does_not_answer_costs_it_nothing",
    ),
    Mutant(
        "what was dealt outlives a set-up",
        "trust/federated/rounds.py",
        '        self._dealt = b""  # and parties what they dealt\n',
        "",
        "the rows are the same",
        f"{_TESTS}test_hostile.py::test_a_new_set_up_deals_anew_under_other_masks_and_charges_again",
    ),
    Mutant(
        "a block is as long as it fits in memory",
        "trust/mpc/dealing.py",
        "return min(MOST_ROWS, max(_LEAST_ROWS, ",
        "return (max(_LEAST_ROWS, ",
        "products are exact anyway",
        f"{_TESTS}test_hostile.py::test_no_block_has_more_rows_than_are_multiplied_exactly",
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
