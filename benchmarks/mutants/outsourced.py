"""Mistakes in how owners share their rows to servers, and in what these pay, refuse and delete."""

from benchmarks.mutants.mutant import Mutant

_SERVER = "trust/mpc/server_site.py"
_SHARING = "trust/mpc/row_sharing.py"
_SEALED = "federation/sealed_shares.py"
_JUDGING = "federation/judging.py"
_RUN = "federation/outsourced_run.py"
_REPLICATED = "tests/trust/mpc/test_replicated.py"
_SERVERS = "tests/trust/mpc/test_server_site.py"
_FILES = "tests/federation/test_sealed_shares.py"

MUTANTS = (
    Mutant(
        "the third share is the rows themselves",
        "trust/mpc/replicated.py",
        "        rest -= share\n",
        "        rest = rest\n",
        "it is sealed for two servers anyway",
        f"{_REPLICATED}::test_a_server_sees_the_same_under_any_rows",
    ),
    Mutant(
        "one of the three products is left out",
        "trust/mpc/replicated.py",
        "        self._products += product(following, own)\n",
        "",
        "the table is symmetric",
        f"{_REPLICATED}::test_shares_add_up_to_all_tables",
    ),
    Mutant(
        "a share covers every block of persons",
        _SHARING,
        'derived(seed, b"shared rows" + block.to_bytes(4, "little"))',
        'derived(seed, b"shared rows")',
        "the seed is drawn for one sharing",
        f"{_REPLICATED}::test_no_share_covers_two_sharings_two_blocks_or_two_owners",
    ),
    Mutant(
        "servers open sums of any sharings",
        _SHARING,
        'b"sfumato sharings 1" + codec + b"".join(names)',
        'b"sfumato sharings 1" + codec',
        "the receiver compares them",
        f"{_SERVERS}::test_shares_of_two_sharings_open_nothing_whatever_the_coordinator_says",
    ),
    Mutant(
        "the receiver takes the first server's word for which sharings there are",
        "trust/federated/rounds.py",
        "        if len(told) > 1:\n",
        "        if not told:\n",
        "servers are given the same",
        f"{_SERVERS}::test_shares_of_two_sharings_open_nothing_whatever_the_coordinator_says",
    ),
    Mutant(
        "an owner's signature under the plan is taken as it comes",
        "trust/federated/rounds.py",
        "            check_signature(owner.public_key, SignaturePurpose.PLAN, self.plan.data, signature, "
        'f"owner {owner.name}")\n',
        "            assert signature\n",
        "each server has looked at it",
        f"{_SERVERS}::test_an_owner_that_signed_another_plan_is_told_of",
    ),
    Mutant(
        "a server pays as toward a receiver",
        _SERVER,
        "        return tuple(map(twice, noise.events))\n",
        "        return noise.events\n",
        "it has no rows",
        f"{_SERVERS}::test_a_table_has_the_noise_of_two_shares_and_counts_twice_at_a_server",
    ),
    Mutant(
        "tables of three columns are refused once they are paid for",
        _SERVER,
        "                check_degree(query)  # before anything is charged\n",
        "                pass\n",
        "nothing leaves either way",
        f"{_SERVERS}::test_what_servers_do_not_answer_costs_nothing",
    ),
    Mutant(
        "an owner pays for the promise, and servers answer failed attempts too",
        "trust/mpc/whole_plan.py",
        "_less(plan.at_a_site, _AT_OWNERS)",
        "_less(plan.guarantee, _AT_OWNERS)",
        "that is what is promised",
        f"{_SERVERS}::test_servers_answer_no_more_than_the_owners_paid_for",
    ),
    Mutant(
        "an owner pays once its shares are written",
        _RUN,
        "            charge_whole(paid.run, plan)\n",
        "            pass\n",
        "the servers have accounts of their own",
        f"{_FILES}::test_the_ledger_is_charged_before_the_first_byte_is_written",
    ),
    Mutant(
        "shares are sealed to whatever key the plan holds",
        _JUDGING,
        "        plan.outsourced.check_keys(plan.roster)\n",
        "",
        "the plan is signed by all",
        f"{_FILES}::test_a_plan_in_which_a_server_has_another_key_is_refused",
    ),
    Mutant(
        "owners need not be confirmed",
        _JUDGING,
        "        check_confirmed(plan.outsourced.owners, folder.confirmed)\n",
        "",
        "they do not compute",
        f"{_FILES}::test_nobody_takes_part_with_whom_it_has_not_confirmed",
    ),
    Mutant(
        "shares are of whoever they name",
        _SEALED,
        "        check_signature(key, SignaturePurpose.SHARES, self._line, signature, whose)\n",
        "",
        "nobody else has the owner's signature under the plan",
        f"{_FILES}::test_shares_that_another_signed_are_refused",
    ),
    Mutant(
        "shares are kept for ever",
        _SEALED,
        "        if _now() - made > dt.timedelta(days=days):\n",
        "        if made > _now():\n",
        "the server deletes them at the end",
        f"{_FILES}::test_shares_older_than_the_plan_allows_are_deleted",
    ),
    Mutant(
        "a file may go on behind its last block",
        _SEALED,
        "(number == len(sizes) - 1 and stream.read(1))",
        "number == len(sizes)",
        "what is behind it is not read",
        f"{_FILES}::test_a_file_that_was_cut_or_changed_anywhere_is_refused",
    ),
    Mutant(
        "servers answer all that the plan allows, and owners pay that but for rounding",
        "trust/mpc/whole_plan.py",
        "return _less(plan.at_a_site, _AT_SERVERS)",
        "return plan.at_a_site",
        "both have the limit of the plan",
        f"{_SERVERS}::test_owners_pay_more_than_servers_may_answer_to_the_last_bit",
    ),
    Mutant(
        "a server's account has the limit of a site that owns rows",
        _RUN,
        "over, at_servers(plan))\n",
        "over)\n",
        "it has no rows",
        f"{_FILES}::test_a_server_deletes_what_it_was_sent_and_the_key_to_it",
    ),
    Mutant(
        "shares may be of a day to come",
        _SEALED,
        "        if made - _now() > _AHEAD:\n",
        "        if made is None:\n",
        "their owner signed the day",
        f"{_FILES}::test_nothing_of_a_head_is_believed_because_its_owner_signed_it",
    ),
    Mutant(
        "a sharing has any name",
        _SEALED,
        "        if len(self._name) != SHARING_BYTES:\n",
        "        if self._name is None:\n",
        "its owner signed the name",
        f"{_FILES}::test_nothing_of_a_head_is_believed_because_its_owner_signed_it",
    ),
    Mutant(
        "shares are sealed to a point of small order",
        "trust/mpc/outsourced.py",
        "            self.secret()\n",
        "            assert self.public\n",
        "the server signed it",
        f"{_FILES}::test_nothing_is_charged_for_a_key_that_nothing_can_be_sealed_to",
    ),
    Mutant(
        "files are deleted before the key to them",
        _RUN,
        "[folder.delete_sealing_key, *(partial(file.unlink, missing_ok=True) for file in files)]",
        "[*(partial(file.unlink, missing_ok=True) for file in files), folder.delete_sealing_key]",
        "all of it is deleted",
        f"{_FILES}::test_a_server_that_is_killed_while_it_deletes_has_no_key_any_more",
    ),
    Mutant(
        "a server keeps what it was sent",
        "federation/site_run.py",
        "                end()\n",
        "                pass\n",
        "the folder is deleted by hand",
        f"{_FILES}::test_a_server_deletes_what_it_was_sent_and_the_key_to_it",
    ),
)
"""Of owners and servers."""
