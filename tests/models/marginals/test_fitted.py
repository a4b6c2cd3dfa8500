"""A fitted model: what it draws from groups, conditions on codes, and its saved state."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.models.marginals.population import DOMAIN as PEOPLE
from tests.models.marginals.population import NAMES, fit, people

from sfumato.encoding.domain import Axis, Domain
from sfumato.models.marginals.chain import Chain, Conditional
from sfumato.models.marginals.columns import Columns
from sfumato.models.marginals.fitted import FittedMarginals, restore
from sfumato.models.model import FittedModel, ImpossibleCondition, RecordLoss

DOMAIN = Domain((Axis("a", 4, ordered=True), Axis("b", 3)))
FINE = (np.array([30.0, 10.0, 20.0, 40.0]), np.array([50.0, 1e-9, 50.0 - 1e-9]))
MAPS = (np.array([0, 0, 1, 1]), np.array([0, 1, 1]))
TABLE = np.log([[0.9, 0.1], [0.2, 0.8]])
N = 40_000


def model() -> FittedMarginals:
    """Groups of a: 0.4, 0.6; group of b follows; codes inside groups by their masses."""
    first = Conditional(0, (), np.log([0.4, 0.6]), ())
    return FittedMarginals(
        Columns(DOMAIN, FINE, MAPS, 100.0), Chain((first, Conditional(1, (0,), np.zeros(2), (TABLE,))))
    )


def law(given: dict[int, np.ndarray] | None = None) -> np.ndarray:
    """Exact (4, 3) distribution of the codes."""
    groups = np.array([0.4, 0.6])[:, None] * np.exp(TABLE)
    inside = [f / np.bincount(m, weights=f)[m] for f, m in zip(FINE, MAPS, strict=True)]
    table = groups[np.ix_(*MAPS)] * np.outer(*inside)
    for column, allowed in (given or {}).items():
        table = table * (allowed[:, None] if column == 0 else allowed)
    return table / table.sum()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {0: np.array([False, True, True, False])},
        {1: np.array([False, True, True])},
        {0: np.array([True, False, True, True]), 1: np.array([True, False, False])},
    ],
)
def test_codes_follow_the_exact_distribution(given: dict[int, np.ndarray]) -> None:
    """Also under conditions that cut a group in two; every cell within six standard errors."""
    codes = model().sample(N, np.random.default_rng(0), given)
    assert codes.dtype == np.uint8
    found = np.bincount(codes[:, 0] * 3 + codes[:, 1], minlength=12).reshape(4, 3) / N
    expected = law(given)
    assert np.all(np.abs(found - expected) <= 6 * np.sqrt(expected / N) + 1e-9)
    for column, allowed in given.items():
        assert allowed[codes[:, column]].all()


def test_the_loss_of_a_record_is_its_exact_surprise() -> None:
    every = np.stack([g.ravel() for g in np.meshgrid(np.arange(4), np.arange(3), indexing="ij")], 1).astype(np.uint8)
    assert isinstance(model(), RecordLoss)
    np.testing.assert_allclose(np.exp(-model().record_loss(every)), law().ravel(), rtol=1e-9)


def test_a_condition_on_a_code_that_is_almost_never_drawn_holds() -> None:
    codes = model().sample(50, np.random.default_rng(0), {1: np.array([False, True, False])})
    assert set(codes[:, 1].tolist()) == {1}


def test_conditions_that_allow_nothing_are_impossible() -> None:
    with pytest.raises(ImpossibleCondition):
        model().sample(5, np.random.default_rng(0), {1: np.zeros(3, bool)})


def test_blocks_and_no_draws_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfumato.models.marginals.fitted._BLOCK", 7)
    for given in (None, {0: np.array([True, False, False, False])}):
        assert model().sample(0, np.random.default_rng(0), given).shape == (0, 2)
        assert model().sample(20, np.random.default_rng(0), given).shape == (20, 2)


def test_the_same_seed_draws_the_same_rows() -> None:
    one, again, other = (model().sample(200, np.random.default_rng(s)) for s in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_comes_back_the_same(name: str) -> None:
    fitted = fit(name, people(1000), target=1)
    facts, arrays = fitted.state()
    again = restore(PEOPLE, json.loads(json.dumps(facts)), arrays)
    assert isinstance(again, FittedModel)
    assert again.total == fitted.total
    draws = [m.sample(300, np.random.default_rng(0)) for m in (fitted, again)]
    np.testing.assert_array_equal(*draws)


def test_a_model_of_no_columns_can_be_saved() -> None:
    empty = FittedMarginals(Columns(Domain(()), (), (), 12.0), Chain(()))
    again = restore(Domain(()), *empty.state())
    assert again.sample(5, np.random.default_rng(0)).shape == (5, 0)


Spoil = Callable[[dict[str, Any], dict[str, np.ndarray]], Any]

SPOILT: dict[str, Spoil] = {
    "no total": lambda f, a: f.pop("total"),
    "total not a number": lambda f, a: f.update(total=float("nan")),
    "infinite total": lambda f, a: f.update(total=float("inf")),
    "total of nothing": lambda f, a: f.update(total=0),
    "no chain": lambda f, a: f.pop("chain"),
    "short chain": lambda f, a: f["chain"].pop(),
    "column twice at the start": lambda f, a: f["chain"].insert(1, {"column": 0, "parents": []}),
    "parents not drawn yet": lambda f, a: f["chain"].reverse(),
    "own parent": lambda f, a: f["chain"][1].update(parents=[1]),
    "parent twice": lambda f, a: f["chain"][1].update(parents=[0, 0]),
    "column out of range": lambda f, a: f["chain"][1].update(column=2),
    "negative column": lambda f, a: f["chain"][0].update(column=-1),
    "no masses": lambda f, a: a.pop("fine.1"),
    "masses of another size": lambda f, a: a.update({"fine.0": np.ones(5)}),
    "masses of another type": lambda f, a: a.update({"fine.0": np.ones(4, np.float32)}),
    "negative mass": lambda f, a: a.update({"fine.0": np.array([1.0, 1.0, -1.0, 1.0])}),
    "no map": lambda f, a: a.pop("map.0"),
    "map with a gap": lambda f, a: a.update({"map.0": np.array([0, 0, 2, 2], np.int32)}),
    "map below zero": lambda f, a: a.update({"map.0": np.array([-1, 0, 1, 1], np.int32)}),
    "map with a huge group": lambda f, a: a.update({"map.0": np.array([0, 1, 2, 2**31 - 1], np.int32)}),
    "map of reals": lambda f, a: a.update({"map.0": np.array([0.0, np.nan, 1.0, 1.0])}),
    "bias not finite": lambda f, a: a.update({"bias.0": np.array([0.0, np.inf])}),
    "bias beyond single precision": lambda f, a: a.update({"bias.0": np.array([0.0, 1e39])}),
    "bias of another size": lambda f, a: a.update({"bias.1": np.zeros(3)}),
    "no table": lambda f, a: a.pop("table.1.0"),
    "table turned": lambda f, a: a.update({"table.1.0": np.zeros((2, 3))}),
    "a domain of other columns": lambda f, a: a.update({"fine.1": np.ones(2), "map.1": np.zeros(2, np.int32)}),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_malformed_state_is_refused(name: str) -> None:
    facts, arrays = model().state()
    SPOILT[name](facts, arrays)
    with pytest.raises((ValueError, KeyError)):
        restore(DOMAIN, facts, arrays)
