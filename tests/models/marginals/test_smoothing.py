"""Wavelet smoothing of noisy counts: what it keeps, and that it comes nearer to the truth."""

from __future__ import annotations

import numpy as np
import pytest

from sfumato.encoding.domain import Axis
from sfumato.models.marginals.smoothing import smooth

SIZES = (1, 2, 3, 7, 64, 101)


@pytest.mark.parametrize("size", SIZES)
def test_without_noise_nothing_changes(size: int) -> None:
    counts = np.random.default_rng(size).integers(0, 1000, size).astype(float)
    assert np.allclose(smooth(counts, Axis("a", size, ordered=True), 0.0), counts)


@pytest.mark.parametrize("size", SIZES)
def test_a_flat_column_comes_out_flat(size: int) -> None:
    noisy = 50 + np.random.default_rng(size).normal(0, 1e-3, size)
    assert np.allclose(smooth(noisy, Axis("a", size, ordered=True), 1.0), noisy.mean())


def test_unordered_codes_and_the_missing_one_stay_as_they_are() -> None:
    noisy = np.random.default_rng(0).normal(0, 10, 9)
    assert np.array_equal(smooth(noisy, Axis("a", 9), 10.0), noisy)
    ordered = smooth(noisy, Axis("a", 9, ordered=True, missing=4), 10.0)
    assert ordered[4] == noisy[4]
    assert np.array_equal(np.delete(ordered, 4), smooth(np.delete(noisy, 4), Axis("a", 8, ordered=True), 10.0))


SHAPES = {
    "a bell": 1000 * np.exp(-0.5 * ((np.arange(100) - 40) / 15) ** 2),
    "zero and a tail": np.where(np.arange(100) == 0, 20_000.0, 300 * np.exp(-np.arange(100) / 10)),
    "round numbers": np.where(np.arange(100) % 10 == 0, 2000.0, 200.0),
    "a step": np.where(np.arange(100) < 33, 500.0, 0.0),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("sigma", [5.0, 40.0, 300.0])
def test_the_error_falls_and_spikes_stay(name: str, sigma: float) -> None:
    """Mean over twenty draws of the noise."""
    truth, axis = SHAPES[name], Axis("a", 100, ordered=True)
    rng = np.random.default_rng(0)
    draws = [truth + rng.normal(0, sigma, 100) for _ in range(20)]
    raw = np.mean([np.abs(d - truth).sum() for d in draws])
    smoothed = [smooth(d, axis, sigma) for d in draws]
    assert np.mean([np.abs(s - truth).sum() for s in smoothed]) < 1.05 * raw
    if name == "zero and a tail":
        assert min(s[0] for s in smoothed) > 20_000 - 5 * sigma
