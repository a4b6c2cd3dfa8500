"""A report on a model of images: samples, balance of the labels, accuracy, and distances with their spaces."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_limits

import sfumato as sf

SCHEMA = """\
sfumato: schema/1
target: label
columns:
  image: {kind: image, height: 8, width: 8, source: public}
  label: {kind: category, categories: ["0", "1"], source: public}
"""


def write(path: Path, n: int, seed: int) -> Path:
    """Bars that stand (0) or lie (1)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    images = rng.integers(0, 40, (n, 8, 8))
    images[labels == 0, :, 3:5] += 180
    images[labels == 1, 3:5, :] += 180
    np.savez(path, images=images.astype(np.uint8), labels=labels)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    (folder / "schema.yaml").write_text(SCHEMA, encoding="utf-8")
    write(folder / "real.npz", 400, 0)
    write(folder / "holdout.npz", 300, 1)
    book = sf.Ledger.open(None, sf.Guarantee(20, 1e-5))
    fitted = sf.Synthesizer(folder / "schema.yaml", guarantee=sf.Guarantee(14, 1e-6), ledger=book)
    fitted.fit(folder / "real.npz").save(folder / "model.sfm")
    less = sf.Synthesizer(folder / "schema.yaml", guarantee=sf.Guarantee(5, 1e-6), ledger=book)
    less.fit(folder / "real.npz").save(folder / "less.sfm")
    return folder


def test_internal(folder):
    with threadpool_limits(1):
        sf.report(
            *(folder / name for name in ("model.sfm", "i.html", "real.npz", "holdout.npz")),
            others=[folder / "less.sfm"],
            suite="quick",
            seed=1,
        )
    text = (folder / "i.html").read_text(encoding="utf-8")
    for said in ("Samples", "accuracy trained on synthetic", "Fréchet distance, pixels", "no distance here is an FID"):
        assert said in text, said
    assert 'aria-label="shares of the values of label' in text
    assert 'aria-label="prediction of the target' in text
    assert "8 x 8 pixels, grey" in text
    assert 'aria-label="utility against epsilon' in text
    assert "nearest in features" in text.replace("_", " ")
    assert "sfumato sample model.sfm -o synthetic.npz --seed 1" in text


def test_releasable_has_samples(folder):
    sf.report(folder / "model.sfm", folder / "r.html")
    text = (folder / "r.html").read_text(encoding="utf-8")
    found = re.search(r'<img class="grid"[^>]*base64,([^"]*)"', text)
    assert found
    assert Image.open(io.BytesIO(base64.b64decode(found.group(1)))).size == (331, 67)
    assert "attackers achieved" not in text


def test_evaluate(folder):
    made = folder / "made.npz"
    sf.load(folder / "model.sfm").sample(300, seed=0).write(made)
    found = sf.evaluate(folder / "real.npz", folder / "holdout.npz", made, folder / "schema.yaml")
    assert found.measures["tstr_accuracy_mlp"].value > 0.9
    assert found.violations.rows.synthetic == 0
