"""Entropy: fresh bytes by default, repeatable ones only without a certificate (L5)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.stats import kstest

import sfumato
from sfumato.privacy.randomness import SYSTEM, SeededEntropy, SystemEntropy, uniforms, words


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


def test_uniforms_are_uniform_and_inside() -> None:
    u = uniforms(200_000)
    assert kstest(u, "uniform").pvalue > 1e-6
    assert ((u > 0) & (u < 1)).all()

    class Edge:
        def __init__(self, byte: bytes) -> None:
            self.byte = byte

        def take(self, size: int) -> bytes:
            return self.byte * size

    assert 0 < uniforms(1, Edge(b"\x00"))[0] < uniforms(1, Edge(b"\xff"))[0] < 1
    assert np.isfinite(np.log(-np.log(uniforms(1, Edge(b"\xff"))))).all()
