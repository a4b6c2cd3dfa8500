"""Entropy: fresh bytes by default, repeatable ones only without a certificate (L5)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kstest

import sfumato
from sfumato.privacy.randomness import SYSTEM, SeededEntropy, SystemEntropy, small_uniforms, words


def test_system_entropy_never_repeats() -> None:
    assert isinstance(SYSTEM, SystemEntropy)
    assert len({SYSTEM.take(16) for _ in range(1000)}) == 1000
    assert vars(SYSTEM) == {}, "a source of noise must have no state to store or to leak"


def places(name: str) -> list[str]:
    """Modules of the package that mention ``name``."""
    package = Path(sfumato.__file__).parent
    return sorted(p.relative_to(package).as_posix() for p in package.rglob("*.py") if name in p.read_text("utf-8"))


def test_no_way_of_the_product_leads_to_a_seed_for_noise() -> None:
    assert places("SeededEntropy") == ["privacy/randomness.py"]
    assert len(places("SystemEntropy")) == 1
    assert len(places("Entropy")) > 5, "the search finds what is used"


def test_a_seed_repeats() -> None:
    assert (words(8, SeededEntropy(1)) == words(8, SeededEntropy(1))).all()
    assert (words(8, SeededEntropy(1)) != words(8, SeededEntropy(2))).any()
    stream = SeededEntropy(1)
    assert (words(8, stream) != words(8, stream)).any()


class Beginning:
    """Fresh bytes, but the first ``calls`` are zero."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def take(self, size: int) -> bytes:
        self.calls -= 1
        return SYSTEM.take(size) if self.calls < 0 else bytes(size)


@pytest.mark.parametrize("deep", [0, 1, 5])
def test_uniforms_are_uniform_at_every_scale(deep: int) -> None:
    """Below 2**-64 and 2**-320 as between 0 and 1: what begins with zeros is uniform there."""
    u = small_uniforms(200_000, Beginning(deep)) * 2.0 ** (64 * deep)
    assert kstest(u, "uniform").pvalue > 1e-6
    assert ((u > 0) & (u < 1)).all()
    assert np.unique(u).size == u.size


def test_uniforms_of_52_bits_are_seen_to_end_too_early() -> None:
    """Planted: nothing below 2**-53, so nothing of the law there."""

    def coarse(n: int, entropy: Beginning) -> np.ndarray:
        return ((words(n, entropy) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52

    assert kstest(coarse(1000, Beginning(1)) * 2.0**64, "uniform").pvalue < 1e-6


@pytest.mark.parametrize("byte", [b"\x00", b"\xff"])
def test_uniforms_are_inside_even_at_the_ends(byte: bytes) -> None:
    class Edge:
        def take(self, size: int) -> bytes:
            return byte * size

    found = small_uniforms(3, Edge())
    assert ((found > 0) & (found < 1)).all()
    assert found.max() < 2.0**-960 or byte == b"\xff"
