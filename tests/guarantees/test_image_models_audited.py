"""What one extreme image moves in every joint release of the models of images, exactly, under frozen answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.models.images.population import begin, curator, digits

from sfumato.auditing.attacks.taped import Taped
from sfumato.auditing.attacks.trace import AnswerTape, Trace, trace
from sfumato.models.images import mean_embedding, moments, projection
from sfumato.models.images.class_gaussian import ClassGaussian
from sfumato.models.images.class_mixture import ClassMixture
from sfumato.models.images.layout import ImageLayout
from sfumato.models.images.mean_embedding import MeanEmbedding
from sfumato.models.model import Model
from sfumato.progress import Silent
from sfumato.trust import summing

RECIPES: dict[str, Model] = {
    "class-gaussian": ClassGaussian(),
    "class-mixture": ClassMixture(price=50.0),
    "mean-embedding": MeanEmbedding(frequencies=10),
}
EXTREMES = {
    "black": np.zeros(64),
    "white": np.full(64, 255),
    "one bright pixel": np.eye(64)[0] * 255,
    "stripes": np.arange(64) % 2 * 255,
}
OTHERS = digits()[:1200]


def replay(model: Model, image: np.ndarray, label: int = 9) -> Trace:
    """Fit with and without one image more."""

    def pipeline(rows: np.ndarray, tape: AnswerTape) -> object:
        noisy, exact = (curator(rows, begin(epsilon)) for epsilon in (20.0, math.inf))
        return model.fit(Taped(noisy, exact, tape), target=64, progress=Silent()).state()

    return trace(pipeline, OTHERS, np.concatenate([OTHERS, [[*image.astype(np.uint8), label]]]))


@pytest.fixture(autouse=True)
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows the release of an embedding is not looked at here."""
    monkeypatch.setattr(mean_embedding, "_trained", lambda network, *rest: network)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("extreme", EXTREMES)
def test_one_image_moves_each_release_by_at_most_its_sensitivity(name: str, extreme: str) -> None:
    found = replay(RECIPES[name], EXTREMES[extreme])
    assert found.findings == ()
    assert found.tightest <= 1 + 1e-6
    assert extreme != "white" or found.tightest > 0.99, "more noise than the promise asks for"


def test_the_mixture_splits_classes_here() -> None:
    assert (
        len(
            RECIPES["class-mixture"].fit(curator(OTHERS, begin(20.0)), target=64, progress=Silent()).state()[1]["means"]
        )
        > 10
    )


def test_images_that_are_not_clipped_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (projection, moments):
        monkeypatch.setattr(module, "scaled", lambda vectors, radius: vectors)
    assert replay(RECIPES["class-gaussian"], EXTREMES["white"]).findings == (), "the setting clips, whatever models do"
    monkeypatch.setattr(summing, "clipped", lambda values, bound: values)
    assert "declared sensitivity" in replay(RECIPES["class-gaussian"], EXTREMES["white"]).findings[0]


def test_a_feature_that_looks_at_other_records_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: what is added up of an image is how it differs from the brightest one of its batch."""

    def compared(self: ImageLayout, codes: np.ndarray) -> np.ndarray:
        pixels = codes[:, self.pixels.span] / 255
        return pixels - pixels[pixels.sum(axis=1).argmax()]

    monkeypatch.setattr(ImageLayout, "images_of", compared)
    assert replay(RECIPES["class-gaussian"], EXTREMES["white"]).findings
