"""Mistakes in a training on shares without a promise: who obtains it, what is shared, and what comes of it."""

from benchmarks.mutants.mutant import Mutant

_ENCRYPTED = "trust/mpc/encrypted"
_TESTS = "tests/trust/mpc/encrypted"

MUTANTS = (
    Mutant(
        "whoever is named obtains what was trained",
        f"{_ENCRYPTED}/training.py",
        "        if self.receiver not in parties:",
        "        if not isinstance(self.receiver, str):",
        "names are checked where a plan is made",
        f"{_TESTS}/test_training.py::test_a_training_that_cannot_be_is_refused",
    ),
    Mutant(
        "a training without a promise beside one",
        "trust/federated/plan_checks.py",
        "    if facts.split is None or facts.guarantee.private or facts.questions:",
        "    if facts.split is None or facts.questions:",
        "what is trained adds no noise, whatever is promised of the rest",
        f"{_TESTS}/test_training.py::test_a_training_keeps_no_promise_and_opens_no_sum",
    ),
    Mutant(
        "parameters are opened after every run",
        f"{_ENCRYPTED}/shared_training.py",
        "        last = self._done == self._runs",
        "        last = self._done > 0",
        "the receiver obtains them anyway",
        f"{_TESTS}/test_shared_training.py::test_nothing_is_opened_but_the_last_parameters_to_one_party",
    ),
    Mutant(
        "who is absent is learnt from",
        f"{_ENCRYPTED}/program.py",
        "        return jnp.sum(weight * columns.objective",
        "        return jnp.sum(columns.objective",
        "rows of zeros teach nothing",
        f"{_TESTS}/test_program.py::test_who_is_absent_at_one_party_is_not_learnt_from",
    ),
    Mutant(
        "a training that diverged is a model",
        f"{_ENCRYPTED}/shared_training.py",
        "            check_inside(found)\n",
        "            pass\n",
        "parameters are clipped, so they are finite",
        f"{_TESTS}/test_shared_training.py::test_a_receiver_does_not_take_parameters_of_a_training_that_diverged",
    ),
    Mutant(
        "one-hots are shared as they come",
        f"{_ENCRYPTED}/shared_training.py",
        "or not np.isin(hot, (0, 1)).all():",
        "or not np.isfinite(hot).all():",
        "they are made of codes just above",
        f"{_TESTS}/test_program.py::test_a_record_of_huge_norm_is_not_shared",
    ),
    Mutant(
        "the trial takes parameters at the end of their box",
        f"{_ENCRYPTED}/trial.py",
        "    if not np.all(np.abs(parameters) < BOX):",
        "    if not np.all(np.abs(parameters) <= BOX):",
        "the box holds them",
        f"{_TESTS}/test_program.py::test_parameters_at_the_end_of_their_box_are_refused",
    ),
    Mutant(
        "a plan names one program of two",
        f"{_ENCRYPTED}/program.py",
        "        for program in (self.shared, self.descended):",
        "        for program in (self.shared,):",
        "the first says which rows",
        f"{_TESTS}/test_program.py::test_programs_are_named_by_a_hash_that_any_change_moves",
    ),
)
