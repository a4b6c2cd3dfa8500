"""Latent points through the door: rows to points and back, the way between two, and kind refusals."""

import math
from functools import partial

import numpy as np
import pyarrow as pa
import pytest

import sfumato as sf
from sfumato.models.diffusion import Diffusion
from sfumato.schema import CategoryColumn, IntegerColumn, Schema

SCHEMA = Schema(
    columns=(
        IntegerColumn(name="a", bounds=(0, 5), source="public"),
        CategoryColumn(name="b", categories=("x", "y", "z"), source="public"),
    )
)


def table(n=600):
    a = np.random.default_rng(0).integers(0, 6, n)
    return pa.table({"a": a, "b": np.array(["x", "y", "z"])[a // 2]})


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.sfm"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sfumato.models.diffusion.Diffusion", partial(Diffusion, warm_steps=40, steps=2))
        sf.Synthesizer(SCHEMA, "diffusion", sf.Guarantee(math.inf)).fit(table()).save(path)
    return sf.load(path)


def test_rows_come_back_from_their_points(loaded):
    points = loaded.encode(table(50))
    assert points.shape == (50, 2)
    assert pa.table(loaded.decode(points)).equals(table(50))


def test_the_way_between_two_points_has_the_rows_at_its_ends(loaded):
    rows = table(50)
    points = loaded.encode(rows)
    way = pa.table(loaded.interpolate(points[0], points[1], 5))
    assert way.num_rows == 5
    assert (way.slice(0, 1).to_pylist(), way.slice(4).to_pylist()) == (
        rows.slice(0, 1).to_pylist(),
        rows.slice(1, 1).to_pylist(),
    )


def test_along_one_factor_columns_before_it_stay(loaded):
    low, high = np.array([0.3, -3.0]), np.array([0.3, 3.0])
    assert len(set(pa.table(loaded.interpolate(low, high, 6))["a"].to_pylist())) == 1


def test_points_that_do_not_fit_are_refused(loaded):
    with pytest.raises(sf.SfumatoError, match=r"shape \(n, 2\), got \(1, 3\)"):
        loaded.decode(np.zeros((1, 3)))
    with pytest.raises(sf.SfumatoError, match="finite"):
        loaded.decode(np.full((1, 2), np.nan))
    with pytest.raises(sf.SfumatoError, match="at least 2 steps"):
        loaded.interpolate(np.zeros(2), np.ones(2), 1)
    with pytest.raises(sf.SfumatoError, match="of one shape"):
        loaded.interpolate(np.zeros(2), np.ones(3), 3)


def test_a_model_without_a_latent_space_says_so():
    plain = sf.Synthesizer(SCHEMA, "independent", sf.Guarantee(5, 1e-6), sf.Ledger.open(None)).fit(table())
    with pytest.raises(sf.SfumatoError, match="'independent' has no latent space"):
        plain.encode(table(2))
