"""Mistakes in facts of a schema: who decided them, and who paid."""

from benchmarks.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "each column of found categories takes the whole delta",
        "trust/facts.py",
        "delta = THRESHOLD_SHARE * self._budget.run.guarantee.delta / len(columns)",
        "delta = THRESHOLD_SHARE * self._budget.run.guarantee.delta",
        "right for one column",
        "tests/trust/test_facts.py::test_columns_share_the_delta_of_thresholds",
    ),
    Mutant(
        "a threshold for one row of a person",
        "trust/facts.py",
        "event = plan(self._budget.integer_sigma(self._mu, self._max_rows), delta, self._max_rows)",
        "event = plan(self._budget.integer_sigma(self._mu, self._max_rows), delta)",
        "a default argument hides that one was left out",
        "tests/trust/test_facts.py::test_the_threshold_is_that_of_the_unit_s_rows",
    ),
    Mutant(
        "histograms with the noise of one row of a person",
        "trust/facts.py",
        "self._budget, self._max_rows, self._entropy)\n        return",
        "self._budget, entropy=self._entropy)\n        return",
        "a default argument hides that one was left out",
        "tests/trust/test_facts.py::test_the_unit_s_rows_scale_the_noise",
    ),
    Mutant(
        "a fact that nobody states is public",
        "schema/sources.py",
        '    return "reviewed" if review is not None else source or "unstated"',
        '    return "reviewed" if review is not None else source or "public"',
        "whoever writes a bound by hand means it",
        "tests/guarantees/test_one_row_decides.py tests/schema/test_schema.py",
    ),
    Mutant(
        "a bare 'measured' speaks for the whole column",
        "schema/sources.py",
        '        return None if word == "measured" and fact not in MEASURABLE else word',
        "        return word",
        "one word a column; that null marks cannot be measured is not seen",
        "tests/guarantees/test_one_row_decides.py::test_a_bare_measured_speaks_only_for_what_is_measured",
    ),
    Mutant(
        "a review of one fact settles its column",
        "schema/sources.py",
        "        return next(named, next((r for r in self.reviews if not r.facts), None))",
        "        return next(named, next(iter(self.reviews), None))",
        "somebody has looked at the column",
        "tests/schema/test_schema.py tests/schema/test_review.py",
    ),
)
