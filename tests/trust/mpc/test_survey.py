"""What the survey says of computing among parties, one test for each of its rows: what is shown here, not in words."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from tests.fitting.test_encrypted_parties import source
from tests.models.marginals.population import DOMAIN as COUNTED
from tests.models.marginals.population import people as counted
from tests.trust.federated.test_setting import run_of
from tests.trust.federation import Federation, unevenly
from tests.trust.mpc.test_counting import LAYOUT, codes_of, masks_of, shares_of
from tests.trust.parties import SCHEMA, Parties, people, together

import sfumato as sf
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.mpc.counting import PARTIES
from sfumato.trust.questions import Query
from sfumato.trust.records import Records

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


def test_homomorphic_encryption() -> None:
    """Sites whose sums are made under encryption tell what they tell under masks: without noise exactly what one
    curator would, and with noise answers of the same law.

    Error rate: one test of chance 1e-6, and a deviation within five times its own.
    """
    rows, cells = counted(2000), 40 * [Query((i, j)) for i in range(4) for j in range(i + 1, 4)]
    exact = Central(Records.of(rows, COUNTED), Budget(run_of())).marginals(cells, [INFINITE] * len(cells))
    noise = {}
    for sums in ("masked", "encrypted"):
        told = Federation(unevenly(rows, 3), COUNTED, Budget(run_of()), rounds=4, bits=32, sums=sums)
        for here, there in zip(told.setting.marginals(cells, [INFINITE] * len(cells)), exact, strict=True):
            np.testing.assert_array_equal(here.values, there.values)
        noised = Federation(unevenly(rows, 3), COUNTED, Budget(run_of(9.0)), rounds=4, bits=32, sums=sums)
        tables = noised.setting.marginals(cells, [0.05] * len(cells))
        noise[sums] = np.concatenate(
            [(here.values - there.values).ravel() for here, there in zip(tables, exact, strict=True)]
        )
    assert noise["encrypted"].std() == pytest.approx(20, rel=5 / math.sqrt(2 * noise["encrypted"].size))
    assert stats.ks_2samp(noise["masked"], noise["encrypted"]).pvalue > 1e-6


@pytest.fixture(scope="module")
def both(engine: Path) -> tuple[sf.Synthesizer, sf.Synthesizer]:
    """An autoencoder trained on shares by three engines, and its twin in the open."""
    on_shares, in_the_open = (
        sf.Synthesizer(SCHEMA, "vae", sf.Guarantee(INFINITE)).fit(source(100, used))
        for used in (sf.Engine(engine), None)
    )
    return on_shares, in_the_open


@pytest.mark.engine
def test_encrypted_training(both: tuple[sf.Synthesizer, sf.Synthesizer]) -> None:
    """A training of which nobody sees rows, gradients or parameters leaves the parameters that one in the open does:
    what is made of any row is the same to a hundredth. There is no certificate, since nothing is promised."""
    rows = both[1].sample(200, seed=0).arrow
    one, other = (fitted.encode(rows) for fitted in both)
    assert np.abs(other).max() > 0.1
    assert np.abs(one - other).max() < 1e-2
    assert isinstance(both[0].certificate, sf.NoCertificate)


@pytest.mark.engine
def test_mpc_in_vaes(both: tuple[sf.Synthesizer, sf.Synthesizer]) -> None:
    """A VAE trained on shares gives useful rows: columns at two parties hang together as they do among the people.

    The table of a and d is nearer to the people's than what one would guess who knew every column by itself.
    """
    codes = people(400, 3)[:, (0, 3)].astype(int)
    drawn = both[0].sample(4000, seed=1).arrow
    made = np.stack(
        [drawn.column("a").to_numpy(), np.array(["pqrs".index(d) for d in drawn.column("d").to_pylist()])], 1
    )
    real, found = (np.bincount(rows[:, 0] * 4 + rows[:, 1], minlength=28) / len(rows) for rows in (codes, made))
    alone = np.outer(real.reshape(7, 4).sum(1), real.reshape(7, 4).sum(0)).ravel()
    assert np.abs(found - real).sum() < 0.9 * np.abs(alone - real).sum()
