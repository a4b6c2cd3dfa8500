"""Wide integer noise against OpenDP's rejection sampler: two samples of one law, false alarms one in a million."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from sfumato.privacy.mechanisms.discrete_gaussian import draw

pytestmark = pytest.mark.oracle
DRAWS = 20_000


def rejection(sigma: float) -> np.ndarray:
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_gaussian
    from opendp.metrics import l2_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    noise = make_gaussian(vector_domain(atom_domain(T="i64")), l2_distance(T="f64"), scale=sigma)
    return np.asarray(noise([0] * DRAWS), np.int64)


@pytest.mark.parametrize("sigma", [0.7, 5.0, 2.0**15, 2.0**24, 2.0**40])
def test_draws_are_those_of_opendp(sigma: float) -> None:
    theirs = rejection(sigma)
    assert ks_2samp(draw(DRAWS, sigma), theirs).pvalue > 1e-6
    assert ks_2samp(draw(DRAWS, 1.2 * sigma), theirs).pvalue < 1e-6, "the test would not notice a wrong scale"
