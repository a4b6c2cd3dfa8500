"""Images in and out: every pixel and label comes back, and whatever is no image is refused in one line."""

from __future__ import annotations

import contextlib
import gzip
import io
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sfumato.encoding.codec import Codec
from sfumato.errors import OutputError, SchemaError, TableError
from sfumato.schema import Schema
from sfumato.tables import Rows, Table
from sfumato.tables.images import image_array, image_levels, image_shape, image_type
from sfumato.tables.pictures import sample_grid

SECRET = "ZEBRA"
sizes = st.tuples(st.integers(1, 64), st.integers(1, 64), st.sampled_from([1, 3]))
words = st.lists(st.text("abc XYZ019_-./\\é", min_size=1, max_size=5), min_size=1, max_size=3)


def some_images(n: int, shape: tuple[int, ...] = (8, 8, 1), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def whole(rows: Rows) -> pa.Table:
    return pa.Table.from_batches(rows.batches(), schema=rows.schema)


def read(path: Path) -> tuple[np.ndarray, list[object] | None]:
    table = whole(Rows.open(path))
    labels = table["label"].to_pylist() if "label" in table.column_names else None
    return image_levels(table["image"]), labels


def idx(path: Path, array: np.ndarray, zipped: bool = False) -> Path:
    data = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(data, 1) if zipped else data)
    return path


def png(path: Path, levels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels).save(path, "PNG")
    return path


def content(images: np.ndarray, labels: list[object] | None) -> list[tuple[object, bytes]]:
    """The rows in an order that does not depend on that of the files."""
    texts = [None] * len(images) if labels is None else [str(label) for label in labels]
    return sorted(zip(texts, map(bytes, images.reshape(len(images), -1)), strict=True), key=repr)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=sizes, known=words, seed=st.integers(0, 99), suffix=st.sampled_from(["", ".npz", ".parquet", ".arrow"]))
def test_what_is_written_is_read_again(
    tmp_path: Path, shape: tuple[int, int, int], known: list[str], seed: int, suffix: str
) -> None:
    images = some_images(5, shape, seed)
    labels = [known[i % len(known)] for i in range(5)]
    path = tmp_path / f"written{suffix}"
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    Table(pa.table({"image": image_array(images), "label": labels})).write(path)
    found, again = read(path)
    assert content(found, again) == content(images, list(labels))
    if suffix:
        assert (found == images).all()
        assert Table.read(path).arrow["label"].to_pylist() == labels


@pytest.mark.parametrize("kind", ["u1", "<i8", ">i4", "U", None])
@pytest.mark.parametrize("compressed", [False, True])
def test_an_archive_of_numpy(tmp_path: Path, kind: str | None, compressed: bool) -> None:
    images = some_images(7, (5, 6))
    labels = {} if kind is None else {"labels": np.arange(7).astype(kind)}
    (np.savez_compressed if compressed else np.savez)(tmp_path / "x.npz", images=images, **labels)
    rows = Rows.open(tmp_path / "x.npz")
    found, again = read(tmp_path / "x.npz")
    assert (found[..., 0] == images).all()
    assert again == (None if kind is None else [str(i) for i in range(7)] if kind == "U" else list(range(7)))
    assert (rows.kind, image_shape(rows.schema.field("image").type)) == ("npz", (5, 6, 1))


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("stem", ["train-{}-idx{}-ubyte", "train-{}.idx{}-ubyte"])
def test_idx_files_with_labels_beside(tmp_path: Path, zipped: bool, stem: str) -> None:
    images, labels = some_images(9, (4, 3)), np.arange(9, dtype=np.uint8)
    end = ".gz" if zipped else ""
    path = idx(tmp_path / (stem.format("images", 3) + end), images, zipped)
    assert read(path)[1] is None
    beside = idx(tmp_path / (stem.format("labels", 1)), labels)
    found, again = read(path)
    assert (found[..., 0] == images).all()
    assert again == list(range(9))
    with pytest.raises(TableError, match="holds labels; give the file of images"):
        Rows.open(beside)


def test_batches_are_small_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = some_images(23)
    np.savez(tmp_path / "x.npz", images=images, labels=np.arange(23))
    for path in (tmp_path / "x.npz", idx(tmp_path / "images-idx3", images[..., 0])):
        rows = Rows.open(path)
        parts = list(rows.batches(5))
        assert max(b.num_rows for b in parts) == 5
        assert pa.Table.from_batches(parts).equals(whole(rows))
    monkeypatch.setattr("sfumato.tables.rows._BATCH_CELLS", 8 * 8 * 4)
    assert max(b.num_rows for b in rows.batches()) == 4  # pixels count, not columns


def test_a_folder_with_a_sub_folder_per_label(tmp_path: Path) -> None:
    images = some_images(6, (4, 5, 3))
    for i, levels in enumerate(images):
        png(tmp_path / ["cat", "dog"][i % 2] / f"{i}.PNG", levels)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "cat" / "Thumbs.db").write_text("no image")
    (tmp_path / "empty").mkdir()
    found, labels = read(tmp_path)
    assert labels == ["cat"] * 3 + ["dog"] * 3
    assert (found == images[[0, 2, 4, 1, 3, 5]]).all()


def test_a_flat_folder_has_no_labels_unless_a_list_says_them(tmp_path: Path) -> None:
    images = some_images(3)
    for i, levels in enumerate(images):
        png(tmp_path / f"{i}.png", levels)
    assert read(tmp_path)[1] is None
    (tmp_path / "labels.csv").write_text("file,patient,label\n2.png,p1,b\n0.png,p1,a\n1.png,p2,a\n")
    rows = Rows.open(tmp_path)
    assert rows.columns == ("image", "patient", "label")
    table = whole(rows)
    assert (image_levels(table["image"]) == images[[2, 0, 1]]).all()
    assert table["patient"].to_pylist() == ["p1", "p1", "p2"]
    png(tmp_path / "more" / "3.png", images[0])
    with pytest.raises(TableError, match="of its sub-folders once"):
        Rows.open(tmp_path)
    (tmp_path / "labels.csv").write_text("file,label\n2.png,b\n0.png,a\nmore/3.png,c\n1.png,a\n")
    found, labels = read(tmp_path)
    assert labels == ["b", "a", "c", "a"]
    assert (found == images[[2, 0, 0, 1]]).all()


@pytest.mark.parametrize(
    ("mode", "channels"),
    [("L", 1), ("1", 1), ("RGB", 3), ("P", 3)],
)
def test_modes_that_hold_eight_bits_or_fewer(tmp_path: Path, mode: str, channels: int) -> None:
    picture = Image.fromarray(some_images(1, (8, 8, 3))[0]).convert(mode)
    picture.save(tmp_path / "x.png")
    wanted = np.asarray(picture.convert("L" if channels == 1 else "RGB")).reshape(8, 8, channels)
    assert (read(tmp_path)[0][0] == wanted).all()


def test_jpeg(tmp_path: Path) -> None:
    Image.new("RGB", (16, 9), (200, 100, 50)).save(tmp_path / "x.jpeg", quality=95)
    found, _ = read(tmp_path)
    assert found.shape == (1, 9, 16, 3)
    assert np.abs(found.astype(int) - [200, 100, 50]).max() <= 6


def test_missing_labels_and_more_columns_go_to_a_list(tmp_path: Path) -> None:
    table = pa.table({"image": image_array(some_images(3)), "label": ["a", None, "b"], "age": [1, 2, 3]})
    Table(table).write(tmp_path / "out")
    again = Table.read(tmp_path / "out").arrow
    assert again["label"].to_pylist() == ["a", None, "b"]
    assert again["age"].to_pylist() == ["1", "2", "3"]
    with pytest.raises(OutputError, match=r"one column beside the images; take .parquet"):
        Table(table).write(tmp_path / "x.npz")
    Table(table).write(tmp_path / "x.png")  # rows are those of the label
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size == (33 + 1, 3 * 33 + 1)
    (tmp_path / "x.png").unlink()
    with pytest.raises(OutputError, match="labels are missing"):
        Table(table.select(["image", "label"])).write(tmp_path / "x.npz")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


@pytest.mark.parametrize("label", ["../up", "/etc", "..", ".", "a/b", "", "x" * 200, "CON/", "a\0b", ".hidden", "end."])
def test_a_label_never_names_a_place_outside(tmp_path: Path, label: str) -> None:
    table = pa.table({"image": image_array(some_images(1)), "label": [label]})
    Table(table).write(tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["000000.png", "labels.csv"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_labels_that_differ_in_case_alone_stay_apart(tmp_path: Path) -> None:
    Table(pa.table({"image": image_array(some_images(2)), "label": ["a", "A"]})).write(tmp_path / "out")
    assert (tmp_path / "out" / "labels.csv").exists()


def test_a_folder_is_never_written_over(tmp_path: Path) -> None:
    table = Table(pa.table({"image": image_array(some_images(2))}))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "empty").mkdir()
    for name, says in (("full", "holds files already"), ("file", "exists already"), ("no/where", "does not exist")):
        with pytest.raises(OutputError, match=says):
            table.write(tmp_path / name)
    table.write(tmp_path / "empty")
    assert len(list((tmp_path / "empty").iterdir())) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "file", "full"]


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.csv.gz", "x.jpg", "/dev/null"])
def test_images_are_not_written_as_text(tmp_path: Path, name: str) -> None:
    table = Table(pa.table({"image": image_array(some_images(2))}))
    with pytest.raises(OutputError, match=r"cannot write images to .*take .npz"):
        table.write(tmp_path / name)
    with pytest.raises(OutputError, match="names no format"):
        Table(pa.table({"a": [1]})).write(tmp_path / "x.npz")


def test_a_grid_has_a_row_for_each_label_in_order(tmp_path: Path) -> None:
    images = np.repeat(np.array([10, 20, 30], np.uint8), 12).reshape(36, 1, 1, 1) * np.ones((1, 32, 32, 1), np.uint8)
    labels = pa.chunked_array([["10"] * 12 + ["9"] * 12 + ["2"] * 12])
    grid = sample_grid(images, labels)
    assert grid.shape == (3 * 33 + 1, 10 * 33 + 1, 1)
    assert [grid[r * 33 + 5, 5, 0] for r in range(3)] == [30, 20, 10]  # 2, 9, 10
    few = sample_grid(images[:13], pa.chunked_array([["b"] * 12 + ["a"]]))
    assert few[5, 40, 0] == 255  # one image of a, then white
    assert (sample_grid(images, labels.dictionary_encode()) == grid).all()
    assert sample_grid(images[:3], None).shape == (34, 3 * 33 + 1, 1)
    assert sample_grid(images[:3], pa.chunked_array([["a", None, "a"]])).shape == (67, 67, 1)
    Table(pa.table({"image": image_array(images), "label": labels})).write(tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as picture:
        assert (np.asarray(picture) == grid[..., 0]).all()


def test_frames_keep_images(tmp_path: Path) -> None:
    images = some_images(4, (3, 2, 3))
    table = Table(pa.table({"image": image_array(images), "label": [0, 1, 0, 1]}))
    assert (image_levels(whole(Rows.open(table.to_polars()))["image"]) == images).all()
    assert isinstance(table.to_polars(), polars.DataFrame)
    frame = table.to_pandas()
    assert (np.stack(frame["image"]) == images).all()
    codec = Codec.from_schema(
        Schema.parse("sfumato: schema/1\ncolumns:\n  image: {kind: image, height: 3, width: 2}\n")
    )
    with pytest.raises(SchemaError, match="'image' holds Python objects, and the schema says images; give images as"):
        codec.encode(next(Rows.open(frame[["image"]]).cells()))
    assert "(3x2 colour)" in repr(table)


def damaged(path: Path, keep: float = 0.6) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as out:
        for name, data in members.items():
            out.writestr(f"{name}.npy", data)
    return path


def npy(array: np.ndarray, **options: bool) -> bytes:
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()


def long_promise(path: Path) -> Path:
    path.write_bytes(gzip.compress(struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 64, 64)))
    return path


def zeros(path: Path) -> Path:
    with gzip.open(path, "wb") as out:
        out.write(struct.pack(">4B3I", 0, 0, 8, 3, 1 << 15, 64, 64))
        for _ in range(1 << 7):
            out.write(bytes(1 << 20))
    return path


def huge_png(path: Path) -> Path:
    """A header of 60,000 x 60,000 pixels: decoded, it would fill gigabytes."""
    head = struct.pack(">2I5B", 60_000, 60_000, 8, 0, 0, 0, 0)
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(10**6))), (b"IEND", b""))
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def mixed(folder: Path) -> Path:
    png(folder / "a.png", some_images(1)[0])
    png(folder / f"b{SECRET}.png", some_images(1, (8, 9, 1))[0])
    return folder


def no_image(folder: Path) -> Path:
    png(folder / "a.png", some_images(1)[0])
    (folder / f"b{SECRET}.png").write_text(SECRET)
    return folder


def cut_png(folder: Path) -> Path:
    png(folder / "a.png", some_images(1)[0])
    damaged(png(folder / f"b{SECRET}.png", some_images(1)[0]))
    return folder


def of_mode(mode: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        folder.mkdir()
        picture = Image.new(mode, (8, 8))
        picture.save(folder / f"{SECRET}.png" if mode != "CMYK" else folder / f"{SECRET}.jpg")
        return folder

    return make


def transparent_palette(folder: Path) -> Path:
    folder.mkdir()
    Image.new("P", (8, 8)).save(folder / f"{SECRET}.png", transparency=0)
    return folder


def sixteen_bit_colour(folder: Path) -> Path:
    folder.mkdir()
    head = struct.pack(">2I5B", 1, 1, 16, 2, 0, 0, 0)
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(7))), (b"IEND", b""))
    )
    (folder / f"{SECRET}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return folder


def both(folder: Path) -> Path:
    png(folder / "a.png", some_images(1)[0])
    png(folder / SECRET / "b.png", some_images(1)[0])
    return folder


def listing(text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        png(folder / "a.png", some_images(1)[0])
        png(folder / "b.png", some_images(1)[0])
        (folder / "labels.csv").write_text(text)
        return folder

    return make


def empty(folder: Path) -> Path:
    folder.mkdir()
    (folder / f"{SECRET}.txt").write_text("x")
    return folder


def labels_of_another_length(folder: Path) -> Path:
    folder.mkdir()
    idx(folder / "labels-idx1-ubyte", np.arange(3, dtype=np.uint8))
    return idx(folder / "images-idx3-ubyte", some_images(4, (2, 2)))


def with_rest(path: Path) -> Path:
    idx(path, some_images(4, (2, 2)))
    path.write_bytes(path.read_bytes() + b"\0")
    return path


IMAGES = some_images(4)
BAD = {
    "empty folder": (empty, "without PNG or JPEG images"),
    "mixed sizes": (mixed, "image 2 in the order of names is 8x9 grey, the first one 8x8 grey"),
    "no image": (no_image, "image 2 in the order of names is damaged, or neither PNG nor JPEG"),
    "cut PNG": (cut_png, "image 2 in the order of names is damaged"),
    "alpha": (of_mode("RGBA"), "image 1 in the order of names is transparent; flatten it"),
    "grey alpha": (of_mode("LA"), "is transparent"),
    "transparent palette": (transparent_palette, "is transparent"),
    "16 bits": (of_mode("I;16"), "is not of 8 bits in grey or RGB"),
    "16 bits a channel": (sixteen_bit_colour, "is not of 8 bits in grey or RGB"),
    "CMYK": (of_mode("CMYK"), "is not of 8 bits in grey or RGB"),
    "a bomb of pixels": (lambda p: huge_png(p / "a.png").parent, "damaged|60000 x 60000"),
    "too large": (lambda p: png(p / "a.png", some_images(1, (65, 8, 1))[0]).parent, "65 x 8 x 1 pixels.*up to 64"),
    "two places": (both, "in itself and in sub-folders"),
    "list without the column": (listing("name,label\na.png,x\n"), "needs a column 'file'"),
    "list with a foreign file": (listing("file,label\na.png,x\n../b.png,y\n"), "entry 2 names no PNG or JPEG"),
    "list that lacks a file": (listing("file,label\na.png,x\n"), "each image of the folder"),
    "list that names one twice": (listing("file,label\na.png,x\nb.png,x\na.png,x\n"), "each image of the folder"),
    "one picture": (lambda p: png(p / "a.png", IMAGES[0]), "give the folder that holds the images"),
    "idx cut": (lambda p: damaged(idx(p, IMAGES[..., 0])), "cut short or damaged"),
    "idx header cut": (lambda p: damaged(idx(p, IMAGES[..., 0]), 0.03), "cut short or damaged"),
    "idx gz cut": (lambda p: damaged(idx(p, some_images(99)[..., 0], True)), "cut short or damaged"),
    "idx with a rest": (with_rest, "goes on after the last entry"),
    "idx that promises too much": (long_promise, "more than 200 times its own size"),
    "idx bomb": (zeros, "more than 200 times its own size"),
    "idx of large images": (lambda p: idx(p, np.zeros((2, 65, 3), np.uint8)), "65 x 3 pixels.*up to 64"),
    "idx labels do not fit": (labels_of_another_length, "as many labels as there are images"),
    "npz cut": (lambda p: damaged(archive(p, images=npy(IMAGES))), "cut short|zip archive"),
    "npz of floats": (lambda p: archive(p, images=npy(IMAGES / 255)), "'images' are float64.*uint8"),
    "npz of objects": (
        lambda p: archive(p, images=npy(IMAGES), labels=npy(np.array([SECRET] * 4, object), allow_pickle=True)),
        "Python objects, which are never loaded",
    ),
    "npz of two channels": (lambda p: archive(p, images=npy(some_images(4, (8, 8, 2)))), "8 x 8 x 2 pixels"),
    "npz of numbers": (lambda p: archive(p, images=npy(np.uint8(3))), "not stored image by image"),
    "npz by columns": (lambda p: archive(p, images=npy(np.asfortranarray(IMAGES))), "numpy.ascontiguousarray"),
    "npz of few labels": (lambda p: archive(p, images=npy(IMAGES), labels=npy(np.arange(3))), "as many labels"),
    "npz of real labels": (lambda p: archive(p, images=npy(IMAGES), labels=npy(np.arange(4.0))), "whole numbers"),
    "npz that lies": (lambda p: archive(p, images=npy(IMAGES).replace(b"(4, ", b"(9, ")), "cut short or damaged"),
    "npz with a rest": (lambda p: archive(p, images=npy(IMAGES) + b"\0"), "cut short or damaged"),
    "npz with code": (lambda p: archive(p, images=npy(IMAGES).replace(b"'|u1'", b"exit ")), "cut short or damaged"),
    "npz without images": (lambda p: archive(p, pictures=npy(IMAGES)), "a zip archive"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said_in_one_line_without_a_private_name(tmp_path: Path, case: str) -> None:
    make, says = BAD[case]
    path = make(tmp_path / "data")
    with pytest.raises(TableError, match=says) as caught:
        whole(Rows.open(path))
    text = str(caught.value)
    assert "\n" not in text
    assert SECRET not in text
    assert text.startswith(str(tmp_path))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    form=st.sampled_from(["a.npz", "b.npz", "c-images-idx3", "d-images-idx3.gz", "e.parquet", "f/x.png", "g/x.jpg"]),
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=4)), min_size=1, max_size=5),
)
def test_a_file_with_changed_bytes_is_read_or_refused(
    tmp_path: Path, form: str, edits: list[tuple[float, bytes]]
) -> None:
    path = tmp_path / form
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)  # what an example before damaged is no table, and is not replaced
    if form.endswith(".npz"):
        (np.savez if form == "a.npz" else np.savez_compressed)(path, images=IMAGES, labels=np.array(list("abca")))
    elif "idx3" in form:
        idx(path, IMAGES[..., 0], form.endswith(".gz"))
    elif form.endswith(".parquet"):
        path.unlink(missing_ok=True)  # the last one was damaged: nothing replaces what it does not know
        Table(pa.table({"image": image_array(IMAGES)})).write(path)
    else:
        Image.fromarray(some_images(1, (9, 9, 3))[0]).save(path)
    data = bytearray(path.read_bytes())
    for place, change in edits:
        start = int(place**3 * len(data))  # headers more often than pixels
        data[start : start + len(change)] = change
    path.write_bytes(data)
    with contextlib.suppress(TableError):
        whole(Rows.open(path.parent if "/" in form else path))


def test_other_tensors_are_no_images() -> None:
    kinds = [pa.fixed_shape_tensor(pa.float32(), [8, 8, 1]), pa.fixed_shape_tensor(pa.uint8(), [64])]
    for kind in (*kinds, pa.fixed_shape_tensor(pa.uint8(), [8, 8, 4]), pa.fixed_shape_tensor(pa.uint8(), [65, 8, 1])):
        assert image_shape(kind) is None
        with pytest.raises(TableError, match="or an image"):
            Rows.open(pa.table({"x": pa.ExtensionArray.from_storage(kind, pa.nulls(1, kind.storage_type))}))
    assert image_shape(image_type((8, 8, 3))) == (8, 8, 3)


def test_fashion_mnist(debian_package: Callable[[str, str], str]) -> None:
    path = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz"
    found, labels = read(Path(debian_package("dataset-fashion-mnist", path)))
    assert found.shape == (10_000, 28, 28, 1)
    assert np.bincount(np.array(labels, int)).tolist() == [1000] * 10
