"""Mistakes in what a site answers, and in what is opened of sites."""

from benchmarks.mutants.mutant import Mutant

_SITE = "trust/federated/federated_site.py"
_PLANNED = "trust/federated/planned_averages.py"
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
        "        self._account.prepay_steps(descent.step, descent.shared.needed, descent.shared.spare)\n",
        "        self._account._steps.add(descent.step, descent.shared.needed + descent.shared.spare)\n",
        "the coordinator has charged it",
        f"{_TESTS}test_descents.py::test_sites_learn_what_a_curator_learns_and_pay_for_spare_steps",
    ),
    Mutant(
        "a site makes room for as many records as it is told",
        "trust/federated/descents.py",
        "self._records, self._rooms = records, site_rooms(plan, self.shared.descent.rate)[place]\n",
        "told = self.shared.descent.groups * self.shared.descent.capacity // 5\n"
        "        self._records, self._rooms = records, rooms_for(self.shared.descent.rate, told)\n",
        "the descent says how many are drawn, and how often",
        f"{_TESTS}test_training_lies.py::test_a_record_moves_a_step_no_further_than_is_paid_for_whatever_is_told",
    ),
    Mutant(
        "a training is begun before it is paid for",
        _SITE,
        "        self._account.prepay_steps(descent.step, descent.shared.needed, descent.shared.spare)\n"
        "        self._descent = descent\n",
        "        self._descent = descent\n"
        "        self._account.prepay_steps(descent.step, descent.shared.needed, descent.shared.spare)\n",
        "no step is answered that was not paid for anyway",
        f"{_TESTS}test_training_lies.py::test_a_training_that_the_ledger_refused_was_never_begun",
    ),
    Mutant(
        "steps of a training are not counted",
        "trust/secure_sum/prepaid.py",
        "        self._left[step] -= 1\n",
        "",
        "the training was paid for as a whole",
        f"{_TESTS}test_training_lies.py::test_no_more_steps_are_answered_than_were_paid_for_in_whatever_order",
    ),
    Mutant(
        "a copied process draws another batch",
        "trust/federated/descents.py",
        "self._sums.answer(step, entropy).astype(np.int64)",
        "self._sums.answer(step, None).astype(np.int64)",
        "the batch has entropy of its own",
        f"{_TESTS}test_training_lies.py::test_each_attempt_at_a_step_draws_a_batch_and_noise_of_its_own",
    ),
    Mutant(
        "a coordinator that goes on begins with round one",
        "trust/federated/rounds.py",
        "        self._round = max(self._round, -(-self._coordinator.used // self.plan.attempts))\n",
        "",
        "each set-up is a run of its own",
        "tests/fitting/test_federated_resume.py::test_tables_that_were_opened_are_not_asked_again",
    ),
    Mutant(
        "a training that goes on is taken for a table",
        "trust/budget.py",
        "[e for e in self.run.events if not is_training(e)]",
        "[e for e in self.run.events if not isinstance(e, PoissonSampledGaussian)]",
        "a sum over sites is a sum",
        "tests/fitting/test_federated_resume.py::test_a_training_goes_on_after_its_last_step",
    ),
    Mutant(
        "a site may hold more records than it declared",
        "trust/federated/plan.py",
        "        if max(len(records), records.outside) > most:\n",
        "        if records.outside > most:\n",
        "the rooms have some to spare",
        f"{_TESTS}test_training_lies.py::test_a_site_that_holds_more_than_it_declared_takes_no_part",
    ),
    Mutant(
        "what one record moves is planned for smaller batches",
        "trust/federated/descents.py",
        "        if drawn > asked.capacity:\n",
        "        if drawn > asked.capacity * 8:\n",
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
    Mutant(
        "local steps share the noise of one curator",
        "trust/federated/averaging_trainer.py",
        "            noise = poisson_noise_multiplier(probability, whole.steps, self.budget.mu(share), tail)\n",
        "            noise = poisson_noise_multiplier(probability, whole.steps, self.budget.mu(share), tail)\n"
        "            noise /= self.rounds.plan.terms.sites**0.5\n",
        "the sum of the sites' noise is that of one curator",
        f"{_TESTS}test_averaging.py::test_a_local_step_costs_what_that_of_a_curator_costs",
    ),
    Mutant(
        "local steps carry no noise",
        "trust/federated/local_runs.py",
        "Planned(asked.descent, domain).step(capacity))\n",
        '__import__("dataclasses").replace(Planned(asked.descent, domain).step(capacity), grid=None))\n',
        "noise is added to what is sent",
        f"{_TESTS}test_averaging.py::test_each_local_step_carries_noise_of_full_strength",
    ),
    Mutant(
        "a site trains without noise where it is asked to",
        _PLANNED,
        '        if (noise > 0, shared > 0) != (level == "record", level == "site"):\n',
        "        if False:\n",
        "the coordinator keeps its own budget",
        f"{_TESTS}test_averaging.py::test_a_site_refuses_a_training_that_its_plan_does_not_have",
    ),
    Mutant(
        "a site's change is not clipped",
        _PLANNED,
        "            change = change * min(1.0, self.clip / length) if length else change\n",
        "            change = change if length else change\n",
        "Adam bounds each step anyway",
        f"{_TESTS}test_averaging.py::test_a_change_is_clipped_whole_and_its_noise_is_shared_where_the_unit_is_a_site",
    ),
    Mutant(
        "a site weighs its change by its number of records",
        "trust/federated/local_runs.py",
        "        whole = planned.whole(np.asarray(objective.flat(state[0])) - run.parameters)\n",
        "        whole = planned.whole(np.asarray(objective.flat(state[0])) - run.parameters)\n"
        "        whole = whole * int(self._groups.records.sum()) // round(planned.asked.batch)\n",
        "the paper weighs sites so",
        f"{_TESTS}test_averaging.py::test_a_site_with_more_of_the_same_records_changes_no_more",
    ),
    Mutant(
        "a site shows its change in the clear where a secure sum was agreed on",
        "trust/federated/averaging_site.py",
        "        if self._plan.averaging is None or self._plan.averaging.secure:\n",
        "        if self._plan.averaging is None:\n",
        "its own noise protects it",
        f"{_TESTS}test_averaging.py::test_a_site_shows_nothing_in_the_clear_that_its_plan_hides",
    ),
    Mutant(
        "averages without noise go by a plan that makes a promise",
        "trust/federated/plan.py",
        "            self.averaging.check(self.guarantee)\n",
        "            pass\n",
        "the level says it",
        f"{_TESTS}test_averaging.py::test_no_plan_calls_averages_private_that_are_not",
    ),
    Mutant(
        "a certificate may say shared of steps that a site took by itself",
        "release/consistency.py",
        "    if local and (stated.averaging is None or any(e.count % stated.averaging.local_steps for e in local)):\n",
        "    if False:\n",
        "they cost the same",
        "tests/fitting/test_federated_averages.py::test_averages_that_were_edited_are_refused",
    ),
    Mutant(
        "what was promised for the rows outside is left to the model",
        "trust/federated/setting.py",
        "        return max(0.0, left - (self._outside.mu / self._budget.total) ** 2)\n",
        "        return left\n",
        "it has not been charged yet",
        f"{_TESTS}test_setting.py::test_the_count_of_rows_outside_goes_with_the_first_tables_and_is_paid_for_beside_them",
    ),
    Mutant(
        "rows outside are counted with every question for tables",
        "trust/federated/setting.py",
        "        return self.mu > 0 and self.found is None\n",
        "        return self.mu > 0\n",
        "it costs next to nothing to send",
        f"{_TESTS}test_setting.py::test_the_count_of_rows_outside_goes_with_the_first_tables_and_is_paid_for_beside_them",
    ),
)
"""Each with the test that must turn red by it."""
