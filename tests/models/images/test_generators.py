"""The fast generators of images: what is learnt, conditions, saving, what is spent, and images that are hardly any."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from tests.models.images.population import DELTA, DOMAIN, LABEL, accuracy, begin, curator, digits

from sfumato.encoding.domain import Axis, Domain, Pixels
from sfumato.errors import SchemaError
from sfumato.models import MODELS
from sfumato.models.images.mean_embedding import MeanEmbedding
from sfumato.models.model import FittedModel, ImpossibleCondition, Model
from sfumato.models.networks.warm_start import rows_of, warm_start
from sfumato.privacy.accounting import epsilon
from sfumato.privacy.ledger import Run
from sfumato.progress import Silent

NAMES = ("class-gaussian", "class-mixture", "mean-embedding")


def fit(name: str, codes: np.ndarray, strength: float, domain: Domain = DOMAIN) -> tuple[FittedModel, Run]:
    run = begin(strength)
    setting = curator(codes, run, domain)
    return MODELS[name, "images"].recipe().fit(setting, target=len(domain) - 1, progress=Silent()), run


@pytest.fixture(scope="module", autouse=True)
def short() -> Iterator[None]:
    """Few frequencies and steps: the mean embedding learns digits from those too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MeanEmbedding.__init__, "__defaults__", (100, 400))
        yield


@pytest.fixture(scope="module")
def fitted() -> dict[str, tuple[FittedModel, Run]]:
    """Each model once at epsilon 10."""
    return {name: fit(name, digits(), 10.0) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_classifier_learns_from_the_images(fitted: dict[str, tuple[FittedModel, Run]], name: str) -> None:
    model, _ = fitted[name]
    assert isinstance(MODELS[name, "images"].recipe(), Model)
    drawn = model.sample(2000, np.random.default_rng(0))
    assert drawn.dtype == DOMAIN.code_dtype()
    assert accuracy(drawn, digits()) > 0.7


@pytest.mark.parametrize("name", NAMES)
def test_spends_the_guarantee_and_no_more(fitted: dict[str, tuple[FittedModel, Run]], name: str) -> None:
    model, run = fitted[name]
    assert 0.95 * 10 < epsilon(run.events, DELTA) <= 10
    assert model.total == pytest.approx(1797, rel=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_guarantee_nothing_is_charged(name: str) -> None:
    model, run = fit(name, digits(), math.inf)
    assert run.events == ()
    assert accuracy(model.sample(2000, np.random.default_rng(0)), digits()) > 0.85


@pytest.mark.parametrize("name", NAMES)
def test_a_restored_model_draws_the_same(fitted: dict[str, tuple[FittedModel, Run]], name: str) -> None:
    model, _ = fitted[name]
    facts, arrays = model.state()
    again = MODELS[name, "images"].recipe().restore(DOMAIN, facts, arrays)
    drawn = [m.sample(300, np.random.default_rng(5)) for m in (model, again)]
    np.testing.assert_array_equal(*drawn)
    key = next(iter(arrays))
    with pytest.raises(ValueError, match="the saved"):
        MODELS[name, "images"].recipe().restore(DOMAIN, facts, {**arrays, key: np.full_like(arrays[key], np.nan)})


@pytest.mark.parametrize("name", NAMES)
def test_conditions_hold(fitted: dict[str, tuple[FittedModel, Run]], name: str) -> None:
    model, _ = fitted[name]
    rng = np.random.default_rng(1)
    drawn = model.sample(50, rng, {LABEL: np.isin(np.arange(10), [3, 4]), 3: np.arange(256) < 200})
    assert set(drawn[:, LABEL]) == {3, 4}
    assert drawn[:, 3].max() < 200
    for impossible in ({LABEL: np.zeros(10, bool)}, {3: np.zeros(256, bool)}):
        with pytest.raises(ImpossibleCondition):
            model.sample(5, rng, impossible)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("strength", [1.0, math.inf])
def test_one_image_is_enough_to_run(name: str, strength: float) -> None:
    model, _ = fit(name, digits()[:1], strength)
    assert model.sample(20, np.random.default_rng(2)).shape == (20, 65)
    assert model.total >= 1


@pytest.mark.parametrize("name", NAMES)
def test_an_absent_class_is_hardly_drawn(name: str) -> None:
    codes = digits()
    model, _ = fit(name, codes[codes[:, LABEL] != 7], 10.0)
    drawn = model.sample(1000, np.random.default_rng(3))
    assert (drawn[:, LABEL] == 7).mean() < 0.03


@pytest.mark.parametrize("name", NAMES)
def test_images_need_no_label_and_may_have_two(name: str) -> None:
    pixels = Pixels(1, 8, 8, 1)
    codes = digits()
    none = Domain(Pixels(0, 8, 8, 1).axes("image"), Pixels(0, 8, 8, 1))
    model, _ = fit(name, codes[:, :64], 10.0, none)
    assert model.sample(10, np.random.default_rng(4)).shape == (10, 64)
    two = Domain((Axis("even", 2), *pixels.axes("image"), Axis("digit", 10)), pixels)
    model, _ = fit(name, np.hstack([codes[:, -1:] % 2, codes]), math.inf, two)
    drawn = model.sample(500, np.random.default_rng(5))
    assert ((drawn[:, -1] % 2) == drawn[:, 0]).mean() > 0.99


def test_a_table_or_too_many_labels_are_refused() -> None:
    pixels = Pixels(0, 1, 1, 1)
    wide = Domain((*pixels.axes("image"), Axis("name", 5000)), pixels)
    for domain, reason in ((Domain.of(["a"], [2]), "no image column"), (wide, "5000 combinations")):
        with pytest.raises(SchemaError, match=reason):
            fit("class-gaussian", np.zeros((3, len(domain)), np.uint16), 1.0, domain)


def test_networks_of_images_start_from_the_class_mixture() -> None:
    run = begin(10.0)
    setting = curator(digits(), run)
    known = warm_start(setting, 0.4, LABEL, Silent())
    assert setting.remaining == pytest.approx(0.4, abs=1e-9)
    rows = rows_of(known, 1000)
    np.testing.assert_array_equal(rows, rows_of(known, 1000))
    assert accuracy(rows, digits()) > 0.6
