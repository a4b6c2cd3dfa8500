"""Noise on a grid costs what its event says: sensitivities of rounded vectors, and discrete against real noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sfumato.privacy.mechanisms import lattice
from sfumato.trust import summing

SEEDS = range(20)


def worst_move(round_first: bool, dimension: int, bits: int) -> float:
    """Largest l2 change, in steps, of a sum of clipped vectors by one more: vectors that rounding makes longer."""
    found = 0.0
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        others = rng.normal(size=(50, dimension))
        half = math.floor(2.0**bits / dimension**0.5 - 0.5) + 0.5 + 1e-6
        new = np.full((1, dimension), half / 2.0**bits)
        if round_first:
            moved = summing.whole(new, 1.0, bits).sum(axis=0)
        else:
            base = summing.clipped(others, 1.0).sum(axis=0) * 2.0**bits
            base += 0.5 - base % 1 - 1e-7
            moved = np.rint(base + 2.0**bits / dimension**0.5) - np.rint(base)
        found = max(found, float(np.linalg.norm(moved)))
    return found


@pytest.mark.parametrize("dimension", [1, 10, 1000])
def test_a_rounded_vector_stays_within_its_norm(dimension: int) -> None:
    for bits in (4, 10, 18):
        assert worst_move(True, dimension, bits) <= lattice.norm(bits, dimension)


def test_the_norm_without_its_term_for_rounding_is_caught() -> None:
    """The planted bug: vectors rounded away from zero are longer than the bound they were clipped to."""
    assert worst_move(True, 1000, 4) > 2.0**4 * (1 + 2.0**-30)


def test_sums_that_are_rounded_after_they_are_added_are_caught() -> None:
    """The planted bug: rounding the sum moves it by up to a whole step in each coordinate."""
    assert worst_move(False, 1000, 6) > lattice.norm(6, 1000)


def test_sums_are_those_of_the_rounded_vectors_in_any_order() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(70_000, 4)) * 3  # more than one block
    whole = summing.whole(rows, 2.0, lattice.FEATURE_BITS).astype(np.int64).sum(axis=0)
    for order in (np.arange(len(rows)), rng.permutation(len(rows))):
        np.testing.assert_array_equal(summing.feature_sum(lambda part: part, rows[order], 4, 2.0), whole)


def test_scatters_are_exact_whole_numbers_in_any_order() -> None:
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(5000, 6)) * 3
    groups = rng.integers(0, 2, 5000)
    order = rng.permutation(5000)

    def total(chosen: np.ndarray) -> np.ndarray:
        rows = np.column_stack([codes, groups])[chosen]
        return summing.scatter_sum(lambda part: (part[:, :6], part[:, 6].astype(int)), rows, 6, 2, 2.0)

    found = total(np.arange(5000))
    np.testing.assert_array_equal(found, total(order))
    whole = summing.whole(codes, 2.0, lattice.SCATTER_BITS).astype(int).astype(object)
    exact = sum(np.outer(z, z)[np.triu_indices(6)] for z, g in zip(whole, groups, strict=True) if g)
    np.testing.assert_array_equal(found[1], exact.astype(np.int64))


@pytest.mark.parametrize("weight", [1.0, math.sqrt(2)])
def test_the_event_undoes_the_scale(weight: float) -> None:
    for multiplier in (0.3, 1.0, 40.0):
        sigma = lattice.scale(multiplier, 2.0**18, weight)
        event = lattice.event(sigma, 2.0**18, 1000, weight)
        assert event.noise_multiplier == pytest.approx(multiplier, rel=1e-12)
        assert event.delta == 1000 * lattice.INEXACT


def apart(t: float, variance: float) -> float:
    """How far rounded real noise of ``variance`` is from a discrete Gaussian of scale 3: largest factor less one."""
    y, step = np.linspace(-30, 30, 24_001, retstep=True)
    real = np.exp(-(y**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
    near = np.exp(-((np.arange(-45, 46)[:, None] - y) ** 2) / (2 * t**2))
    found = (near * (real / near.sum(axis=0))).sum(axis=1) * step  # a trapezoid rule, exact for such functions
    k = np.arange(-12, 13)
    wanted = np.exp(-(k**2) / 18) / (3 * math.sqrt(2 * math.pi))
    return float(np.abs(found[45 + k] / wanted - 1).max())


@pytest.mark.parametrize("t", [0.5, 0.7, 0.9])
def test_rounding_real_noise_gives_discrete_noise_up_to_the_factor(t: float) -> None:
    """At widths of rounding small enough for the factor to be seen; the planted bug forgets the width's variance."""
    factor = 2 * math.exp(-2 * math.pi**2 * t**2)
    assert apart(t, 9 - t**2) <= factor
    assert apart(t, 9) > factor


def test_the_width_in_use_makes_the_factor_negligible() -> None:
    assert math.log2(2) - 2 * math.pi**2 * lattice.SMOOTH**2 / math.log(2) < -112.9
    assert (1 + math.exp(20)) * (2.0**-108 + 2.0**-111) < lattice.INEXACT
