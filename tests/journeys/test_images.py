"""From images to certified synthetic images, as scripts call it."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.journeys.conftest import CANARY

import sfumato as sf
from sfumato.cli.main import main
from sfumato.tables import Table
from sfumato.tables.images import image_levels

FASHION = "/usr/share/datasets/fashion-mnist/"


def reviewed(path: Path) -> None:
    """What a person does with a draft: says of each fact that it is public."""
    path.write_text(path.read_text().replace("source: unreviewed}", "source: public}"))


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def nearest_class_mean(real: Table, synthetic: Table) -> float:
    """Share of real images whose nearest mean of a synthetic class is that of their own."""
    made = image_levels(synthetic.arrow["image"]).reshape(len(synthetic), -1) / 255
    labels = np.array(synthetic.arrow["label"].to_pylist(), int)
    means = np.stack([made[labels == k].mean(axis=0) for k in range(10)])
    images = image_levels(real.arrow["image"]).reshape(len(real), -1) / 255
    nearest = (means**2).sum(axis=1) - 2 * images @ means.T
    return float(np.mean(nearest.argmin(axis=1) == np.array(real.arrow["label"].to_pylist(), int)))


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    sf.examples.digits().write(tmp_path / "digits.npz")
    return tmp_path / "digits.npz"


def test_from_a_sketch_to_a_picture_of_samples(spawn, digits, tmp_path):
    draft = spawn("sketch", digits, "-o", "schema.yaml", "--json").fine().json
    assert (draft["columns"], draft["unreviewed"]) == (2, 8)
    spawn("fit", digits, "--schema", "schema.yaml").refused("unreviewed", "--no-certificate")
    reviewed(tmp_path / "schema.yaml")
    fitted = spawn("fit", digits, "--schema", "schema.yaml", "--epsilon", 8, "--delta", 1e-6, "--json").fine().json
    assert fitted["certified"]
    assert "8x8x1" in fitted["why"]
    text = spawn("verify", "model.sfm").fine().out
    assert "VALID" in text
    assert "one image" in text
    assert "image[" not in text  # no list of pixels

    assert spawn("sample", "model.sfm", "-o", "grid.png", "--seed", 1, "--json").fine().json["rows"] == 300
    assert picture(tmp_path / "grid.png").shape == (10 * 33 + 1, 10 * 33 + 1)
    spawn("sample", "model.sfm", "-n", 600, "-o", "out.npz", "--seed", 1).fine()
    assert (
        nearest_class_mean(Table.read(digits), Table.read(tmp_path / "out.npz")) > 0.8
    )  # .89 to .91 of twelve fits; real means: .90


@pytest.mark.parametrize("model", ["gan", "diffusion"])
def test_networks_learn_images_and_are_verified(run, digits, tmp_path, model):
    schema = sf.examples.digits_schema()
    run("fit", digits, "--schema", schema, "--model", model, "--epsilon", 8, "--delta", 1e-6).fine()
    assert "VALID" in run("verify", "model.sfm").fine().out
    run("sample", "model.sfm", "-n", 300, "-o", "out.npz", "--seed", 1).fine()
    assert nearest_class_mean(Table.read(digits), Table.read(tmp_path / "out.npz")) > 0.7
    run("sample", "model.sfm", "-n", 30, "-o", "grid.png", "--given", "label=3").fine()
    if model != "gan":
        fitted = sf.load(tmp_path / "model.sfm")
        points = fitted.encode(digits)[:2]
        assert len(fitted.interpolate(points[0], points[1], steps=5)) == 5


def test_every_form_of_output_holds_the_same_images(run, digits, tmp_path):
    run("fit", digits, "--schema", sf.examples.digits_schema(), "--epsilon", 8, "--delta", 1e-6).fine()
    forms = ("a.npz", "b.parquet", "c.arrow", "folder")
    for form in forms:
        run("sample", "model.sfm", "-n", 40, "-o", form, "--seed", 1).fine()
    first, *others = (Table.read(tmp_path / form) for form in forms[:3])
    assert all(other.arrow.equals(first.arrow) for other in others)
    files = Table.read(tmp_path / "folder")
    assert sorted(files.arrow["label"].to_pylist()) == sorted(map(str, first.arrow["label"].to_pylist()))
    assert {p.name for p in (tmp_path / "folder").iterdir()} <= set("0123456789")

    run("sample", "model.sfm", "-n", 20, "-o", "three.npz", "--given", "label=3").fine()
    assert set(Table.read(tmp_path / "three.npz").arrow["label"].to_pylist()) == {3}
    run("sample", "model.sfm", "-o", "x.csv").refused("cannot write images to x.csv", ".png (a grid of samples)")
    run("sample", "model.sfm", "-o", "x.npz", "--given", "image=3").refused("holds images")
    run("sample", "model.sfm", "-o", "folder").refused("holds files already")
    assert not (tmp_path / "x.csv").exists()


def test_what_does_not_fit_is_refused_before_anything_is_spent(run, digits, tmp_path):
    schema = sf.examples.digits_schema()
    run("fit", digits, "--schema", schema, "--model", "aim").refused("'aim' learns tables", "class-gaussian")
    table = "sfumato: schema/1\ncolumns: {label: {kind: integer, bounds: [0, 9], source: public}}\n"
    (tmp_path / "t.yaml").write_text(table)
    run("fit", digits, "--schema", "t.yaml", "--model", "class-gaussian").refused("learns images", "aim")
    (tmp_path / "large.yaml").write_text(schema.read_text().replace("width: 8", "width: 9"))
    run("fit", digits, "--schema", "large.yaml").refused("images of 8x8 grey, the schema says 8x9 grey")
    (tmp_path / "flat.yaml").write_text(
        schema.read_text().replace("{kind: image, height: 8, width: 8,", "{kind: text,")
    )
    run("fit", digits, "--schema", "flat.yaml", "-o", "flat.sfm").fine()  # images left out: a table of labels
    with sf.Ledger.open(tmp_path / "digits.npz.ledger") as ledger:
        assert [r["epsilon_spent"] > 0 for r in ledger.summary()["runs"]] == [False, True]


def test_a_name_in_a_folder_never_leaves(run, tmp_path):
    for i in range(40):
        folder = tmp_path / "photos" / ("cat" if i % 2 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), i, np.uint8)).save(folder / f"{CANARY}{i}.png")
    schema = "sfumato: schema/1\ntarget: label\ncolumns:\n"
    schema += "  image: {kind: image, height: 8, width: 8, channels: 3, source: public}\n"
    (tmp_path / "s.yaml").write_text(schema + "  label: {kind: category, categories: [cat, dog], source: public}\n")
    before = set(tmp_path.iterdir())
    done = [
        run("fit", "photos", "--schema", "s.yaml", "--json").fine(),
        run("sample", "model.sfm", "-o", "made", "-n", 10).fine(),
        run("verify", "model.sfm").fine(),
    ]
    (tmp_path / "photos" / CANARY).mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "photos" / CANARY / "x.png")
    done.append(run("fit", "photos", "--schema", "s.yaml").fine())  # a label that the schema lacks leaves its row out
    (tmp_path / "photos" / CANARY / "x.png").write_text(CANARY)
    done.append(run("fit", "photos", "--schema", "s.yaml").fine())  # and so does a damaged image
    written = [p for top in set(tmp_path.iterdir()) - before for p in [top, *top.rglob("*")]]
    assert {"model.sfm", "made"} <= {p.name for p in written}
    assert not any(CANARY in d.out + d.err for d in done)
    assert not any(CANARY in p.name or (p.is_file() and CANARY.encode() in p.read_bytes()) for p in written)


def subset(source: str, target: Path, dimensions: int, n: int) -> Path:
    """The first ``n`` entries of an idx file."""
    with gzip.open(source) as stream:
        mark, sizes = stream.read(4), struct.unpack(f">{dimensions}I", stream.read(4 * dimensions))
        target.write_bytes(
            mark + struct.pack(f">{dimensions}I", n, *sizes[1:]) + stream.read(n * int(np.prod(sizes[1:])))
        )
    return target


def test_fashion_mnist(tmp_path, debian_package, monkeypatch, capfd):
    n = 6000
    train = debian_package("dataset-fashion-mnist", FASHION + "train-images-idx3-ubyte.gz")
    data = subset(train, tmp_path / "some-images-idx3-ubyte", 3, n)
    subset(train.replace("images-idx3", "labels-idx1"), tmp_path / "some-labels-idx1-ubyte", 1, n)
    monkeypatch.chdir(tmp_path)
    for command in (
        ("sketch", data, "-o", "s.yaml"),
        ("fit", data, "--schema", "s.yaml", "--epsilon", 10, "--delta", 1e-6),
        ("verify", "model.sfm"),
        ("sample", "model.sfm", "-n", 1000, "-o", "made.npz", "--seed", 1),
        ("sample", "model.sfm", "-n", 200, "-o", "grid.png", "--seed", 1),
    ):
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in command])
        assert ended.value.code == 0, capfd.readouterr().err
        reviewed(tmp_path / "s.yaml")
    assert picture(tmp_path / "grid.png").shape == (10 * 29 + 1, 10 * 29 + 1)
    real = Table.read(FASHION + "t10k-images-idx3-ubyte.gz")
    assert nearest_class_mean(real, Table.read(tmp_path / "made.npz")) > 0.6  # .66 to .68 of five fits; real means: .68


def test_images_of_persons_are_protected_together(run, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    lines = ["file,patient,age"]
    for i in range(300):
        Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(tmp_path / "photos" / f"{i}.png")
        lines.append(f"{i}.png,p{i // 3},{40 + i % 5}")
    (tmp_path / "photos" / "labels.csv").write_text("\n".join(lines) + "\n")
    schema = "columns:\n  image: {kind: image, height: 8, width: 8, source: public}\n"
    schema += "  patient: {kind: identifier, source: public}\n"
    schema += "  age: {kind: integer, bounds: [40, 44], source: public}\n"
    (tmp_path / "s.yaml").write_text(
        "sfumato: schema/1\nunit: {column: patient, max_rows: 2, source: public}\n" + schema
    )
    run("fit", "photos", "--schema", "s.yaml", "--epsilon", 1, "--delta", 1e-6).fine()
    text = run("verify", "model.sfm").fine().out
    assert "unit: patient (at most 2 images each)" in text
    assert "all images of one value of 'patient' together" in text
    assert "p17" not in text
    run("sample", "model.sfm", "-n", 5, "-o", "made").fine()
    assert Table.read(tmp_path / "made").columns == ("image", "patient", "age")
    assert set(sf.load("model.sfm").sample(50).arrow["age"].to_pylist()) <= set(range(40, 45))  # numbers, not text
    run("sample", "model.sfm", "-n", 100, "-o", "made.png").fine()
    assert picture(tmp_path / "made.png").shape[0] <= 5 * 33 + 1  # a row for each age
