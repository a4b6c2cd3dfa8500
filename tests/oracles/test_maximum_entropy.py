"""A chain's fit against the maximum-entropy estimate of Private-PGM (mbi, by its author), on a small domain."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from tests.models.marginals.exact import joint
from tests.models.marginals.test_fitting import SIZES, TOTAL, learn, measured

from sfumato.trust.setting import Measurement

pytestmark = pytest.mark.oracle


def estimate(tables: list[Measurement]) -> np.ndarray:
    """The maximum-entropy distribution that meets ``tables``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mbi warns of JAX's settings when it is imported, and of deprecations
        from mbi import Domain, LinearMeasurement
        from mbi.estimation import MirrorDescent

        names = tuple(f"c{i}" for i in range(len(SIZES)))
        asked = [LinearMeasurement(t.values.ravel(), tuple(names[i] for i in t.query.clique), 1.0) for t in tables]
        found = MirrorDescent().estimate(Domain(names, SIZES), asked, known_total=TOTAL, iters=5000)
        return np.asarray(found.project(names).datavector(flatten=False)) / TOTAL


@pytest.mark.parametrize("cliques", [((0, 1), (0, 2)), ((0, 1), (1, 2)), ((0, 1), (0, 2), (1, 2))])
def test_the_fit_is_the_maximum_entropy_estimate(cliques: tuple[tuple[int, int], ...]) -> None:
    """The same distribution, on trees and on a loop of three: the chain's first pair is met exactly, and maximum
    entropy leaves the third column a multinomial logit of the other two, which is what the chain fits."""
    law = np.random.default_rng(11).dirichlet(np.ones(24)).reshape(SIZES)
    tables = [measured(law, c) for c in cliques]
    ours, theirs = joint(learn(law, tables, (0, 1, 2)), SIZES), estimate(tables)
    assert np.abs(ours - theirs).sum() / 2 < 0.015
    assert np.abs(theirs - law).sum() / 2 > 0.03  # the tables do not tell everything: that is not why they agree
