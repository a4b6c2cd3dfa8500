"""Each measure has a meaning and a direction, and one overall figure follows from them."""

from __future__ import annotations

import numpy as np
import pytest

from sfumato.encoding.domain import Axis, Domain
from sfumato.evaluation.meaning import meaning
from sfumato.evaluation.result import Measure, Overall
from sfumato.evaluation.summary import utility

DOMAIN = Domain((Axis("age", 9, ordered=True), Axis("job", 3), Axis("town", 4), Axis("paid", 2)))


def rows(n: int, seed: int, *, apart: bool = False) -> np.ndarray:
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 9, n)
    codes = np.stack([age, age // 3, rng.integers(0, 4, n), (age + rng.integers(0, 4, n) > 6).astype(int)], axis=1)
    return rng.permuted(codes, axis=0) if apart else codes


@pytest.fixture(scope="module")
def found():
    real, holdout = rows(1500, 0), rows(1500, 1)
    return {apart: utility(real, holdout, rows(1500, 2, apart=apart), DOMAIN, 3) for apart in (True, False)}


def test_the_direction_of_each_measure_is_that_of_its_anchors(found):
    for name, m in found[False].measures.items():
        if m.score is not None:
            assert (m.holdout < m.independent) == (meaning(name).better == "less"), name


def test_the_overall_figure_tells_good_rows_from_useless_ones(found):
    good, useless = found[False].overall, found[True].overall
    assert useless.high < 0.3 < 0.7 < good.low <= good.score <= good.high <= 1
    for words in ("better", "overall", "how far the shares of single columns are off", "95 %"):
        assert words in str(found[False]), words
    assert found[False].to_dict()["overall"]["families"] == good.families


def test_a_family_counts_once_however_many_measures_it_has():
    one, zero, none = (Measure(0, 0, 0, 0, score) for score in (1.7, 0.0, None))
    found = Overall.of({"tvd1": one, "tvd2": one, "tvd3": one, "query3": zero, "density": none})
    assert (found.score, found.families) == (0.5, 2)
    assert (found.low, found.high) == (0, 1)
    assert Overall.of({"tvd1": one, "tvd2": zero}) is None
    with pytest.raises(KeyError, match="moon"):
        meaning("moon")
