"""Fewer codes for networks that take all one-hots: by a public rule, and back evenly within a bin."""

from __future__ import annotations

from functools import partial

import jax
import numpy as np
import pytest

from sfumato.encoding.domain import Axis, Domain
from sfumato.models.model import Latent, RecordLoss
from sfumato.models.networks.coarse import BINS, CoarseCodes, FittedCoarse
from sfumato.models.networks.layout import Layout
from sfumato.models.vae import Vae
from sfumato.models.vae.shares import LATENT, ShareAutoencoder
from sfumato.models.vae.vae import FittedVae

FINE = Domain(
    (
        Axis("age", 100, ordered=True),
        Axis("sex", 2),
        Axis("land", 40),
        Axis("pay", 71, ordered=True, missing=70),
        Axis("rooms", 9, ordered=True, missing=0),
    )
)
CODES = CoarseCodes(FINE)


def fitted() -> FittedCoarse:
    domain = CODES.domain
    network = ShareAutoencoder(Layout(domain).width, len(domain), jax.random.key(1))
    prior = np.stack([np.zeros((1, LATENT)), np.ones((1, LATENT))], 1).astype(np.float32)
    return FittedCoarse(CODES, FittedVae(Layout(domain), 500.0, network, prior))


def test_wide_ordered_columns_alone_are_put_in_bins() -> None:
    assert CODES.domain.sizes == (BINS, 2, 40, BINS + 1, 9)
    assert [axis.missing for axis in CODES.domain.axes] == [None, None, None, BINS, 0]
    for position in (0, 3):
        m = CODES.maps[position]
        assert (np.diff(m) >= 0).all(), "neighbours stay together"
        counts = np.bincount(m)[:BINS]
        assert counts.max() - counts.min() <= 1
    assert CODES.maps[3][70] == BINS
    assert (np.bincount(CODES.maps[3])[BINS]) == 1, "a missing value is none of the numbers"


def test_a_code_comes_back_within_its_bin_and_evenly() -> None:
    rng = np.random.default_rng(0)
    codes = np.stack([rng.integers(0, size, 4000) for size in FINE.sizes], axis=1)
    back = CODES.finer(CODES.through(codes), rng)
    assert np.array_equal(CODES.through(back), CODES.through(codes))
    assert np.array_equal(back[:, (1, 2, 4)], codes[:, (1, 2, 4)])
    assert back.dtype == FINE.code_dtype()
    of_one_bin = CODES.finer(np.zeros((3000, 5), int), rng)[:, 0]
    counts = np.bincount(of_one_bin)
    assert len(counts) == np.bincount(CODES.maps[0])[0]
    assert counts.min() > 0.7 * counts.max()


def test_a_condition_is_met_within_bins() -> None:
    model, rng = fitted(), np.random.default_rng(3)
    ages = np.arange(100) == 37
    pay = np.arange(71) >= 66
    found = model.sample(300, rng, {0: ages, 3: pay})
    assert (found[:, 0] == 37).all()
    assert found[:, 3].min() >= 66


def test_a_saved_model_is_the_same() -> None:
    model = fitted()
    facts, arrays = model.state()
    again = Vae().restore(FINE, facts, arrays)
    assert isinstance(again, FittedCoarse)
    assert isinstance(again, Latent)
    assert isinstance(again, RecordLoss)
    draw = [one.sample(200, np.random.default_rng(5)) for one in (model, again)]
    assert np.array_equal(*draw)
    assert np.allclose(model.encode(draw[0]), again.encode(draw[0]))
    assert np.isfinite(again.record_loss(draw[0])).all()
    points = again.encode(draw[0])
    assert again.decode(points, np.random.default_rng(0)).shape == (200, 5)
    assert (again.latent, again.total, again.domain) == (LATENT, 500.0, FINE)


@pytest.mark.parametrize("bins", [0, -1, 1.5, "16", None, True], ids=str)
def test_a_number_of_bins_that_is_none_is_refused(bins) -> None:
    facts, arrays = fitted().state()
    with pytest.raises(ValueError, match="number of bins"):
        Vae().restore(FINE, {**facts, "bins": bins}, arrays)


def test_a_network_of_other_bins_does_not_fit() -> None:
    facts, arrays = fitted().state()
    restore = partial(Vae().restore, FINE, {**facts, "bins": 8})
    with pytest.raises(ValueError, match="do not fit the network"):
        restore(arrays)
