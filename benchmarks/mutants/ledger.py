"""Mistakes in the account: what is charged, when, and what lasts."""

from benchmarks.mutants.mutant import Mutant

_LEDGER = "tests/privacy/test_ledger.py"
_ANSWER_LOG = "tests/trust/test_answer_log.py"
_DATASET_LEDGER = "tests/fitting/test_dataset_ledger.py"

MUTANTS = (
    Mutant(
        "an answer is made, and then paid for",
        "trust/budget.py",
        "        self.charge(events, squared)\n"
        "        if kept is not None:\n            return kept\n        made = make()\n",
        "        if kept is not None:\n            self.charge(events, squared)\n            return kept\n"
        "        made = make()\n        self.charge(events, squared)\n",
        "who fails to make an answer should not pay for it",
        "tests/guarantees/test_central_audited.py::test_every_answer_is_charged_before_its_noise_is_drawn",
    ),
    Mutant(
        "the run's own promise is not looked at",
        "privacy/ledger.py",
        "            if not own.within(run.guarantee):",
        "            if not self.cap.private and not own.within(run.guarantee):",
        "the cap is checked in the next line",
        f"{_LEDGER}::test_a_run_spends_exactly_its_guarantee",
    ),
    Mutant(
        "the cap is not looked at when a run is charged",
        "privacy/ledger.py",
        "            if self.cap.private and not (own + self._spent(db, without=run.id)).within(self.cap):",
        "            if self.cap.private and not own.within(self.cap):",
        "the cap was checked when the run began",
        "tests/guarantees/test_ledger_survives.py::test_racing_processes_win_exactly_what_is_left",
    ),
    Mutant(
        "what a live run reserved is not counted",
        "privacy/ledger.py",
        "total += Spending(max(kept.mu_squared - own.mu_squared, 0.0), max(kept.delta - own.delta, 0.0))",
        "total += Spending(0.0, max(kept.delta - own.delta, 0.0))",
        "only what is spent is spent",
        f"{_LEDGER}::test_a_live_run_reserves_and_a_closed_one_gives_back",
    ),
    Mutant(
        "a charge is written when the ledger is closed",
        "privacy/ledger.py",
        '            self._connection.execute("BEGIN IMMEDIATE")\n            try:\n'
        '                yield self._connection\n                self._connection.execute("COMMIT")',
        "            if not self._connection.in_transaction:\n"
        '                self._connection.execute("BEGIN IMMEDIATE")\n            try:\n'
        "                yield self._connection",
        "one commit a fit instead of one a charge is faster",
        "tests/guarantees/test_ledger_survives.py::test_kill_at_any_moment_loses_no_charge",
    ),
    Mutant(
        "a kept answer is drawn anew and charged no more",
        "trust/budget.py",
        "        if kept is not None:\n            return kept\n        made = make()",
        "        made = make()",
        "answers are cheap to make again, it seems",
        f"{_ANSWER_LOG}::test_every_answer_is_given_again_as_it_was_at_no_charge",
    ),
    Mutant(
        "an answer is given before it is kept",
        "trust/answer_log.py",
        "        self._next = len(self._entries)\n        self._write()",
        "        self._next = len(self._entries)",
        "written at the end, in one go",
        f"{_ANSWER_LOG}::test_every_answer_is_given_again_as_it_was_at_no_charge",
    ),
    Mutant(
        "any question gets the next kept answer",
        "trust/answer_log.py",
        "        if (digest, paid) != (_digest(question), cost):",
        "        if paid != cost:",
        "a fit that goes on asks the same questions, so why compare",
        f"{_ANSWER_LOG}::test_other_questions_and_other_facts_are_refused",
    ),
    Mutant(
        "an older copy of a checkpoint takes its steps again",
        "trust/training.py",
        "                self._log.announce(mark, count)\n",
        "                pass\n",
        "the training is paid for as a whole, so what is there to announce",
        "tests/trust/test_training.py::test_an_older_copy_of_a_checkpoint_is_refused",
    ),
    Mutant(
        "a training that goes on has been paid for",
        "trust/training_log.py",
        "        paid = event in self._budget.run.events[mark.before :]\n",
        "        paid = mark.done > 0 or event in self._budget.run.events[mark.before :]\n",
        "it would not have a checkpoint otherwise",
        "tests/trust/test_training.py",
    ),
    Mutant(
        "who was taken over goes on charging",
        "privacy/ledger.py",
        "        if found[1] != run._lease:\n",
        "        if found[1] is None:\n",
        "a run that goes on has a holder; that it is another one is not asked",
        "tests/privacy/test_lease.py::test_a_pod_that_was_retried_elsewhere_gives_nothing_when_it_wakes_up "
        "tests/privacy/test_lease.py::test_two_takers_never_get_two_answers_for_one_charge",
    ),
    Mutant(
        "a run is resumed twice in one process",
        "privacy/ledger.py",
        "            if held is not None:\n                _check_gone(run, process_of(where), elsewhere)\n",
        "            if held is not None and process_of(where) != process.here():\n"
        "                _check_gone(run, process_of(where), elsewhere)\n",
        "a process may take over from itself",
        "tests/privacy/test_lease.py::test_one_process_holds_a_run_once_until_it_gives_it_back",
    ),
    Mutant(
        "a file with two names begins a ledger at each",
        "fitting/dataset_ledger.py",
        "st_nlink > 1:",
        "st_nlink > 2:",
        "a file has one name, and a link makes it two",
        f"{_DATASET_LEDGER}::test_a_file_with_other_names_begins_no_ledger",
    ),
    Mutant(
        "a renamed file begins a ledger",
        "fitting/dataset_ledger.py",
        "        _check_not_renamed(resolved, found)\n",
        "",
        "a ledger that is not there is a new one",
        f"{_DATASET_LEDGER}::test_a_ledger_whose_data_are_gone_may_be_that_of_a_renamed_file",
    ),
)
