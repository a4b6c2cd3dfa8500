"""Real Gaussian noise is normal (Kolmogorov-Smirnov, one in a million) and independent between cells."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from sfumato.privacy.mechanisms.gaussian import add_gaussian


def test_noise_is_normal_and_independent() -> None:
    noisy = add_gaussian(np.full((2, 100_000), 5.0), 3.0)
    z = (noisy - 5) / 3
    assert kstest(z.ravel(), "norm").pvalue > 1e-6
    assert abs(np.corrcoef(z)[0, 1]) < 5 / np.sqrt(100_000)
    assert kstest(z.ravel() * 1.05, "norm").pvalue < 1e-6, "the test would not notice 5 % less noise"


def test_shapes_and_scales() -> None:
    assert add_gaussian(np.float64(1.0), 1.0).shape == ()
    assert add_gaussian(np.zeros((0, 3)), 1.0).shape == (0, 3)
    with pytest.raises(ValueError, match="sigma must be a positive finite number"):
        add_gaussian(np.zeros(3), 0.0)
