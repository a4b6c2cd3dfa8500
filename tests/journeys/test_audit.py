"""Attacks from the command line: on any rows, on a saved model, and on images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.journeys.conftest import HEADER, people, write_csv

import sfumato as sf
from sfumato.auditing import recipe as recipes
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


def test_cells_that_the_fit_left_out_stop_no_audit_evaluation_or_report(run, data, schema, holdout):
    for name in (data, holdout):
        with open(name, "a", encoding="utf-8") as rows:
            rows.write("no number,F,Delft,1.5,low\n")
    run("fit", data, "--schema", schema, "--model", "independent", "-o", "model.sfm").fine()
    run("sample", "model.sfm", "-n", 300, "-o", "made.csv").fine()
    tables = ("--real", data, "--holdout", holdout)
    out = {"real": 1, "holdout": 1}
    assert run("audit", *tables, "--model", "model.sfm", "--json").fine().json["left_out"] == out
    known = ("--synthetic", "made.csv", "--schema", schema)
    assert run("evaluate", *tables, *known, "--quick", "--json").fine().json["left_out"] == out
    run("report", "model.sfm", *tables, "--quick", "-o", "report.html").fine()
    assert "1 real and 1 holdout rows are left out" in Path("report.html").read_text(encoding="utf-8")


def test_what_does_not_go_together_is_refused(run, data, schema, holdout):
    run("fit", data, "--schema", schema, "--model", "independent", "-o", "model.sfm").fine()
    tables = ("audit", "--real", data, "--holdout", holdout)
    run(*tables).refused("nothing to attack", "--synthetic", "--model")
    run(*tables, "--model", "model.sfm", "--schema", schema).refused("leave --schema out")
    run(*tables, "--model", "model.sfm", "--strips", "x.png").refused("no column of them", "leave --strips out")
    run(*tables, "--model", data).refused("not a saved model")
    run(*tables, "--synthetic", data, "--recipe").refused("recipe of a --model", "leave --recipe out")
    run("fit", data, "--schema", schema, "--model", "independent", "--epsilon", "inf", "-o", "open.sfm").fine()
    run(*tables, "--model", "open.sfm", "--recipe").refused("carries no guarantee", "leave --recipe out")


def test_a_recipe_is_fitted_again_and_held_to_its_promise(run, data, schema, holdout, monkeypatch):
    monkeypatch.setattr(recipes, "_SHADOWS", 40)  # of 150: they take most of the time
    run("fit", data, "--schema", schema, "--model", "independent", "--delta", 1e-6, "-o", "model.sfm").fine()
    command = ("audit", "--real", data, "--holdout", holdout, "--model", "model.sfm", "--recipe")
    found = run(*command, "--json").fine().json
    assert not found["recipe"]["violation"]
    assert found["recipe"]["worst_case"]["mechanisms"]["marginals"]["tightness"] > 0.9
    assert found["recipe"]["replay"]["steps"] > 0
    assert len(found["recipe"]["outlier_shadow"]["targets"]) == 2
    text = str(sf.audit(data, holdout, model="model.sfm", recipe=True))
    for said in (
        "worst case of marginals",
        "replay of",
        "shadow models",
        "canaries: left out",
        "no evidence of a viol",
    ):
        assert said in text, said


@pytest.fixture
def folders(tmp_path):
    """Digits as folders of PNG files, real and fresh."""
    digits = sf.examples.digits()
    half = len(digits) // 2
    for name, part in (("real", digits.arrow[:half]), ("fresh", digits.arrow[half:])):
        Table(part).write(tmp_path / name)
    return tmp_path


def test_folders_of_images_from_the_fit_to_the_full_suite(run, folders):
    schema = sf.examples.digits_schema()
    run("fit", "real", "--schema", schema, "--epsilon", 8, "--delta", 1e-6, "-o", "model.sfm").fine()
    run("sample", "model.sfm", "-n", 400, "-o", "made").fine()
    tables = ("audit", "--real", "real", "--holdout", "fresh", "--synthetic", "made", "--full")
    found = run(*tables, "--model", "model.sfm", "--json").fine().json
    assert found["suite"] == "full"
    assert found["rows"]["synthetic"] == 400
    assert not found["violation"]
    assert "nearest_in_features" in run(*tables, "--schema", schema).fine().out
    assert (
        run("audit", "--real", "real", "--holdout", "fresh", "--synthetic", "real", "--json")
        .fine()
        .json["verdict"]
        .startswith("LEAK")
    ), "a schema drafted from images"
    found = run("evaluate", "--real", "real", "--holdout", "fresh", "--synthetic", "made", "--schema", schema, "--json")
    assert {"tstr_accuracy_mlp", "tstr_accuracy_linear", "tstr_accuracy_forest", "alpha_precision"} <= set(
        found.fine().json["measures"]
    )


def test_images_of_two_sizes_are_refused(run, tmp_path):
    for name, side in (("real.npz", 8), ("fresh.npz", 8), ("made.npz", 9)):
        images = np.random.default_rng(0).integers(0, 256, (60, side, side), dtype=np.uint8)
        np.savez(tmp_path / name, images=images)
    done = run("audit", "--real", "real.npz", "--holdout", "fresh.npz", "--synthetic", "made.npz")
    assert done.code == 2
    assert "the images in column 'image' are not of one size" in done.err


def test_images_are_attacked_and_shown_beside_the_nearest_real_ones(run, tmp_path):
    digits = sf.examples.digits()
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
