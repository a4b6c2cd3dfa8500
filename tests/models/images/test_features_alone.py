"""What is summed of a record depends on that record alone, to the bit, in every model that sums vectors of records.

Each vector that a recipe asks for is caught on its way to the curator. A record gets the vector that it gets alone:
whatever other records there are, in whatever order, in a block of whatever size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sfumato.encoding.domain import Axis, Domain, Pixels
from sfumato.models.images.class_mixture import ClassMixture
from sfumato.models.images.mean_embedding import MeanEmbedding
from sfumato.models.images.products import products
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.trust import summing
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.questions import FeatureSum, Scatter
from sfumato.trust.records import Records

PIXELS = Pixels(0, 9, 7, 1)
DOMAIN = Domain((*PIXELS.axes("image"), Axis("label", 3)), PIXELS)
RECIPES = {"mean-embedding": MeanEmbedding(frequencies=65, steps=20), "class-mixture": ClassMixture()}
Feature = Callable[[np.ndarray], Any]


class Catching:
    """A setting that answers as its curator does, and remembers of what it was asked for sums."""

    def __init__(self, setting: Any) -> None:
        self._setting = setting
        self.asked: list[FeatureSum | Scatter] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._setting, name)

    def feature_sum(self, question: FeatureSum, mu: float) -> Any:
        self.asked.append(question)
        return self._setting.feature_sum(question, mu)

    def scatter(self, question: Scatter, mu: float) -> Any:
        self.asked.append(question)
        return self._setting.scatter(question, mu)


def images(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, DOMAIN.sizes, (n, len(DOMAIN))).astype(DOMAIN.code_dtype())


def asked_by(name: str) -> list[tuple[Feature, int]]:
    run = Ledger.open().begin(Guarantee(20.0, 1e-5), "caught")
    setting = Catching(Central(Records.of(images(300, 0), DOMAIN), Budget(run)))
    RECIPES[name].fit(setting, target=len(DOMAIN) - 1, progress=Silent())  # type: ignore[arg-type]
    return [(question.made(DOMAIN), question.dimension) for question in setting.asked]


def table(feature: Feature, codes: np.ndarray) -> np.ndarray:
    """The vector of each record, with its group where there is one."""
    found = feature(codes)
    return np.column_stack([np.reshape(x, (len(codes), -1)) for x in (found if isinstance(found, tuple) else [found])])


def moved(feature: Feature) -> list[str]:
    """In which company records get other vectors than alone."""
    codes = images(61, 1)
    alone = np.concatenate([table(feature, codes[i : i + 1]) for i in range(len(codes))])
    order = np.random.default_rng(2).permutation(len(codes))
    found = {
        "together": (table(feature, codes), alone),
        "in another order": (table(feature, codes[order]), alone[order]),
        **{f"from {k} on": (table(feature, codes[k:]), alone[k:]) for k in range(1, 17)},
        **{f"the first {k}": (table(feature, codes[:k]), alone[:k]) for k in range(2, 17)},
    }
    return [company for company, (x, y) in found.items() if x.tobytes() != np.ascontiguousarray(y).tobytes()]


@pytest.mark.parametrize("name", RECIPES)
def test_a_record_gets_the_vector_that_it_gets_alone(name: str) -> None:
    asked = asked_by(name)
    assert len(asked) >= {"mean-embedding": 1, "class-mixture": 3}[name]
    for feature, _ in asked:
        assert moved(feature) == []


@pytest.mark.parametrize("name", RECIPES)
def test_a_record_less_takes_its_own_vector_from_a_sum_and_nothing_else(name: str) -> None:
    codes = images(2100, 3)  # more than one block
    feature, dimension = asked_by(name)[0]
    whole = summing.feature_sum(feature, codes, dimension, 1.0)
    for i in (0, 1000, 2099):
        own = summing.feature_sum(feature, codes[i : i + 1], dimension, 1.0)
        assert np.array_equal(whole - own, summing.feature_sum(feature, np.delete(codes, i, 0), dimension, 1.0))


def test_products_are_those_of_matrices() -> None:
    rng = np.random.default_rng(4)
    values, weights = rng.uniform(-1, 1, (50, 784)), rng.normal(size=(40, 784))
    assert np.abs(products(values, weights) - values @ weights.T).max() < 1e-4
    assert np.array_equal(products(values * 5, weights, 0.5), products(np.clip(values * 5, -0.5, 0.5), weights, 0.5))


def test_products_in_floating_point_are_caught() -> None:
    """The planted bug: an ordinary product of matrices, in single and in double precision."""
    weights = np.random.default_rng(5).normal(size=(65, PIXELS.span.stop))

    def product(codes: np.ndarray, dtype: Any) -> np.ndarray:
        return (codes[:, PIXELS.span] / 255).astype(dtype) @ weights.T.astype(dtype)

    assert moved(lambda codes: product(codes, np.float32))
    assert moved(lambda codes: product(codes, np.float64))


@pytest.mark.parametrize("weight", [2**62, -(2**63)])
def test_products_with_whole_numbers_are_exact_where_their_sum_is_none(weight: int) -> None:
    """A question may hold them: the sum of four is zero in 64 bits, and the step followed from that."""
    values, weights = np.linspace(0, 1, 12).reshape(3, 4), np.full((2, 4), weight)
    found = products(values, weights)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, products(values, weights.astype(float)))
