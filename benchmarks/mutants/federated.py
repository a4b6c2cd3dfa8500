"""Mistakes in what a site answers, and in what is opened of sites."""

from benchmarks.mutants.mutant import Mutant

_SITE = "trust/federated/federated_site.py"
_TESTS = "tests/trust/federated/"

MUTANTS = (
    Mutant(
        "a site answers without noise where it is asked to",
        _SITE,
        "        if self._plan.guarantee.private and not all(map(math.isfinite, request.mu)):\n",
        "        if False:\n",
        "the coordinator keeps its own budget",
        f"{_TESTS}test_setting.py::test_a_site_refuses_what_it_did_not_agree_to",
    ),
    Mutant(
        "a site answers questions of any kind",
        _SITE,
        "        self._plan.check(question)\n",
        "",
        "each is paid for anyway",
        f"{_TESTS}test_setting.py::test_a_site_refuses_what_it_did_not_agree_to",
    ),
    Mutant(
        "a site tells why it failed",
        _SITE,
        "        except Exception:\n"
        '            _LOG.exception("a call of the coordinator failed")\n'
        '            raise FederationError("it could not answer; its own log says why") from None\n',
        "        except Exception as error:\n            raise FederationError(str(error)) from None\n",
        "whoever runs the federation must find the fault",
        f"{_TESTS}test_setting.py::test_no_text_of_an_error_at_a_site_leaves_it",
    ),
    Mutant(
        "a training at a site costs nothing",
        _SITE,
        "        self._account.prepay(self._descent.event)\n",
        "        self._account._prepaid[self._descent.event] += self._descent.event.count\n",
        "the coordinator has charged it",
        f"{_TESTS}test_descents.py::test_sites_learn_what_a_curator_learns_and_pay_for_spare_steps",
    ),
    Mutant(
        "a site makes room for as many records as it is told",
        "trust/federated/descents.py",
        "        self._sums = BatchSums(self._planned, records, site_rooms(plan, shared.descent.rate)[place])\n",
        "        told = shared.descent.groups * shared.descent.capacity // 5\n"
        "        self._sums = BatchSums(self._planned, records, rooms_for(shared.descent.rate, told))\n",
        "the descent says how many are drawn, and how often",
        f"{_TESTS}test_training_lies.py::test_a_record_moves_a_step_no_further_than_is_paid_for_whatever_is_told",
    ),
    Mutant(
        "a site may hold more records than it declared",
        _SITE,
        "        if max(len(records), records.outside) > most:\n",
        "        if records.outside > most:\n",
        "the rooms have some to spare",
        f"{_TESTS}test_training_lies.py::test_a_site_that_holds_more_than_it_declared_takes_no_part",
    ),
    Mutant(
        "what one record moves is planned for smaller batches",
        "trust/federated/descents.py",
        "        if drawn > self.descent.capacity:\n",
        "        if drawn > self.descent.capacity * 8:\n",
        "the coordinator has planned the grid",
        f"{_TESTS}test_descents.py::test_a_training_that_no_site_accounts_for_is_refused",
    ),
    Mutant(
        "shares of the noise are those of all sites",
        "trust/federated/sharing.py",
        "            of_cost = {m: CountNoise.of_cost(m, roster, max_rows) for m in set(mu)}\n",
        "            of_cost = {m: CountNoise.of_cost(m, Roster(roster.members, 0, 0), max_rows) for m in set(mu)}\n",
        "all k add their share",
        f"{_TESTS}test_setting.py::test_noise_is_that_of_the_honest_shares_and_of_those_beyond",
    ),
)
"""Each with the test that must turn red by it."""
