"""Attacks from the command line: on any rows, on a saved model, and on images."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tests.journeys.conftest import HEADER, people, write_csv

import sfumato as sf
from sfumato.tables import Table


@pytest.fixture
def holdout(tmp_path):
    return write_csv(tmp_path / "fresh.csv", HEADER, people(seed=1))


def test_a_saved_model_is_attacked_by_what_is_in_it(run, data, schema, holdout):
    run("fit", data, "--schema", schema, "--model", "mst", "--epsilon", 1, "--delta", 1e-6, "-o", "model.sfm").fine()
    tables = ("audit", "--real", data, "--holdout", holdout)
    found = run(*tables, "--model", "model.sfm", "--json").fine().json
    assert {"model_loss", "model_loss_calibrated", "measured_marginals", "nearest_neighbour"} <= set(found["attacks"])
    assert found["claimed"] == {"epsilon": 1.0, "delta": 1e-6}
    assert found["schema"] == "the model's"
    assert not found["violation"]
    assert found["attacks"]["model_loss"]["power"]["auc"] > 0.55
    assert "VIOLATION" in run(*tables, "--synthetic", data, "--schema", schema, "--epsilon", 0.5).fine().out


def test_what_does_not_go_together_is_refused(run, data, schema, holdout):
    run("fit", data, "--schema", schema, "--model", "independent", "-o", "model.sfm").fine()
    tables = ("audit", "--real", data, "--holdout", holdout)
    run(*tables).refused("nothing to attack", "--synthetic", "--model")
    run(*tables, "--model", "model.sfm", "--schema", schema).refused("leave --schema out")
    run(*tables, "--model", "model.sfm", "--strips", "x.png").refused("no column of them", "leave --strips out")
    run(*tables, "--model", data).refused("not a saved model")


def test_images_are_attacked_and_shown_beside_the_nearest_real_ones(run, tmp_path):
    digits = Table.read(sf.examples.digits(tmp_path / "digits.npz"))
    half = len(digits) // 2
    for name, part in (("real.npz", digits.arrow[:half]), ("fresh.npz", digits.arrow[half:])):
        Table(part).write(tmp_path / name)
    schema = sf.examples.digits_schema()
    run("fit", "real.npz", "--schema", schema, "--epsilon", 8, "--delta", 1e-6, "-o", "model.sfm").fine()
    tables = ("audit", "--real", "real.npz", "--holdout", "fresh.npz")
    found = run(*tables, "--model", "model.sfm", "--strips", "strips.png", "--json").fine().json
    assert {"nearest_in_features", "model_loss", "nearest_neighbour"} <= set(found["attacks"])
    assert not found["violation"]
    with Image.open(tmp_path / "strips.png") as strips:
        assert strips.size == (6 * 8, 24 * 8)
    caught = run(*tables, "--synthetic", "real.npz", "--schema", schema, "--json").fine().json
    assert caught["verdict"].startswith("LEAK")
    assert np.isfinite(caught["epsilon_lower_bound"])
