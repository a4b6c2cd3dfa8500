"""Measures of images tell digits from noise, from a single digit and from copies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

from sfumato.encoding.domain import Axis, Domain, Pixels
from sfumato.evaluation.images import frechet, image_utility
from sfumato.evaluation.summary import utility

PIXELS = Pixels(1, 6, 5, 1)
DOMAIN = Domain((Axis("label", 4), *PIXELS.axes("image")), PIXELS)


def images(n: int, seed: int) -> np.ndarray:
    """Four labels, each a bar at a place of its own, with noise: (n, 31)."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 4, n)
    picture = np.zeros((n, 6, 5))
    picture[np.arange(n), label + 1] = rng.integers(120, 220, n)[:, None]
    picture += rng.normal(0, 20, picture.shape)
    return np.column_stack([label, np.clip(picture, 0, 255).reshape(n, -1)]).astype(np.uint8)


@pytest.fixture(scope="module")
def real() -> np.ndarray:
    return images(1500, 1)


@pytest.fixture(scope="module")
def holdout() -> np.ndarray:
    return images(500, 2)


def test_frechet_of_gaussians_by_the_formula():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, (4000, 3)) * (1, 2, 3), rng.normal(1, 1, (4000, 3)) * (2, 2, 1)
    ca, cb = (np.cov(x, rowvar=False) for x in (a, b))
    apart = a.mean(0) - b.mean(0)
    expected = apart @ apart + np.trace(ca + cb - 2 * linalg.sqrtm(ca @ cb).real)
    assert frechet(a, b) == pytest.approx(expected)
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)


def test_fresh_images_score_one(real, holdout):
    found = image_utility(real, holdout, images(900, 3), DOMAIN, 0)
    for name in ("tstr_accuracy_mlp", "frechet_pixels", "frechet_classifier", "coverage"):
        assert found.measures[name].score == pytest.approx(1, abs=0.1), name
    assert not found.memorisation.flag
    assert set(found.spaces) == {"pixels", "classifier"}
    assert not any("fid" in name.lower() for name in (*found.measures, *found.spaces.values()))


def test_what_is_spoilt_is_seen(real, holdout):
    wrong = images(900, 3)
    wrong[:, 0] = (wrong[:, 0] + 1) % 4
    found = utility(real, holdout, wrong, DOMAIN, 0).measures
    assert found["tstr_accuracy_mlp"].value < 0.1 < 0.9 < found["tstr_accuracy_mlp"].holdout
    assert found["frechet_pixels"].score == pytest.approx(1, abs=0.1)
    single = image_utility(real, holdout, real[real[:, 0] == 2][:300], DOMAIN, 0)
    assert single.measures["coverage"].value < 0.5
    assert single.measures["tvd1_label"].value == pytest.approx(0.75, abs=0.05)


def test_copies_are_flagged(real, holdout):
    flags = image_utility(real, holdout, real[:700], DOMAIN, 0).memorisation
    assert flags.flag
    assert flags.more_copies_than_holdout
    assert flags.closer_than_holdout


def test_images_without_a_label(real, holdout):
    found = image_utility(real, holdout, images(300, 4), DOMAIN, None)
    assert found.learning is None
    assert set(found.spaces) == {"pixels"}
