"""What the survey says of computing among parties, one test for each of its rows: what is shown here, not in words."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats
from tests.trust.federated.test_setting import run_of
from tests.trust.mpc.test_counting import LAYOUT, codes_of, masks_of, shares_of
from tests.trust.parties import Parties, people, together

from sfumato.trust.budget import Budget
from sfumato.trust.mpc.counting import PARTIES
from sfumato.trust.questions import Query

INFINITE = math.inf


def test_mpc() -> None:
    """Three parties compute what one curator would of all their columns, exactly, from messages that are as long and
    as many whatever the rows are."""
    pairs = [Query((i, j)) for i in range(5) for j in range(i + 1, 5)]
    sent = []
    for seed in (1, 2):
        rows = people(300, seed)
        made = Parties(rows, Budget(run_of()), rounds=8)
        found = made.setting.marginals(pairs, [INFINITE] * len(pairs))
        for table in found:
            np.testing.assert_array_equal(table.values, together(rows).table(table.query))
        sent.append((made.transport.sent, made.transport.received))
    assert sent[0] == sent[1]


def test_secret_sharing() -> None:
    """A table is the sum of three shares; one of them, or two, are any numbers at all, and three are the table.

    Error rate: two tests of chance 1e-6 each.
    """
    codes = codes_of(1)
    one, other = (0, 0), (1, 0)
    drawn = [shares_of(codes, masks_of(seed)) for seed in range(1000)]
    tables = np.stack([[shares.table(one, other) for shares in dealt] for dealt in drawn])  # (1000, 3, a, b)
    assert tables.shape[1:] == (PARTIES, LAYOUT.sizes[0][0], LAYOUT.sizes[1][0])
    whole = tables.sum(axis=1, dtype=np.uint32)
    assert (whole == whole[0]).all()
    assert whole[0].max() < 50, "a table of 50 persons, the same from each drawing of masks"
    for seen in (tables[:, 1, 0, 0], tables[:, 1, 0, 0] + tables[:, 2, 0, 0]):
        assert stats.chisquare(np.bincount(seen >> np.uint32(28), minlength=16)).pvalue > 1e-6
