"""An image is a block of axes, one a pixel; every level is a code, and nothing of it is outside."""

from __future__ import annotations

import math
import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.encoding.codec import Codec
from sfumato.encoding.domain import Pixels
from sfumato.errors import ConditionError, RefusedValue, SchemaError
from sfumato.progress import Silent
from sfumato.schema import CategoryColumn, ImageColumn, Schema
from sfumato.tables import Rows
from sfumato.tables.images import image_array, image_type
from sfumato.trust.gathering import gather

HEAD = "sfumato: schema/1\ncolumns:\n"
IMAGE = "  image: {kind: image, height: 3, width: 2, channels: 3}\n"
LABEL = "  label: {kind: category, categories: [cat, dog]}\n"
RNG = np.random.default_rng(0)


def pictures(n: int = 4, shape: tuple[int, ...] = (3, 2, 3)) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, *shape), dtype=np.uint8)


def codec_of(columns: str) -> Codec:
    return Codec.from_schema(Schema.parse(HEAD + columns))


@pytest.mark.parametrize(("columns", "start", "label"), [(IMAGE + LABEL, 0, 18), (LABEL + IMAGE, 1, 0)])
def test_pixels_lie_where_the_schema_has_the_image(columns: str, start: int, label: int) -> None:
    codec = codec_of(columns)
    assert codec.domain.pixels == Pixels(start, 3, 2, 3)
    assert len(codec.domain) == 19
    assert (codec.position("image"), codec.position("label")) == (start, label)
    assert codec.domain.names[start : start + 4] == ("image[0,0,0]", "image[0,0,1]", "image[0,0,2]", "image[0,1,0]")


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3])),
    n=st.integers(0, 6),
    many=st.booleans(),
)
def test_codes_are_levels_and_come_back(shape: tuple[int, int, int], n: int, many: bool) -> None:
    labels = tuple(map(str, range(300 if many else 3)))  # 300 labels need two bytes, for pixels too
    image = ImageColumn(name="image", height=shape[0], width=shape[1], channels=shape[2])  # pyright: ignore
    codec = Codec.from_schema(Schema(columns=(CategoryColumn(name="label", categories=labels), image)))
    levels = pictures(n, shape)
    table = pa.table({"label": [labels[i % len(labels)] for i in range(n)], "image": image_array(levels)})
    encoded = codec.encode_rows(table)
    codes = encoded.codes
    assert (codes[:, 1:] == levels.reshape(n, math.prod(shape))).all()
    assert codes.flags.c_contiguous
    assert not encoded.outside.any()
    again = Codec.from_json(codec.to_json())
    assert again.domain == codec.domain
    assert again.decode(codes, RNG)["image"].combine_chunks().equals(table["image"].combine_chunks())


def test_a_slice_of_a_table_is_encoded_from_where_it_begins() -> None:
    table = pa.table({"image": image_array(pictures(9)), "label": ["cat", "dog", "cat"] * 3})
    codec = codec_of(IMAGE + LABEL)
    assert (codec.encode(table.slice(4, 3)) == codec.encode(table)[4:7]).all()


def test_what_is_no_such_image_is_refused() -> None:
    codec = codec_of(IMAGE)
    missing = pa.ExtensionArray.from_storage(image_type((3, 2, 3)), pa.nulls(2, image_type((3, 2, 3)).storage_type))
    for cells, error, says in (
        (image_array(pictures(2, (2, 3, 3))), SchemaError, "images of 2x3 colour, the schema says 3x2 colour"),
        (image_array(pictures(2, (3, 2, 1))), SchemaError, "images of 3x2 grey, the schema says 3x2 colour"),
        (pa.array([1, 2]), SchemaError, "holds int64, and the schema says images"),
        (missing, RefusedValue, "has missing images; leave those rows out"),
    ):
        with pytest.raises(error, match=says):
            codec.encode(pa.table({"image": cells}))
    assert codec.encode_rows(pa.table({"image": missing})).refused.all()
    with pytest.raises(
        SchemaError, match=r"holds images; write for it: \{kind: image, height: 3, width: 2, channels: 3\}"
    ):
        codec_of("  image: {kind: category, categories: [a]}\n").encode(pa.table({"image": image_array(pictures(2))}))


def test_a_missing_image_leaves_out_its_row_alone() -> None:
    levels = pictures(3)
    kind = image_type((3, 2, 3))
    stored = pa.array([levels[0].ravel().tolist(), None, levels[2].ravel().tolist()], kind.storage_type)
    cells = pa.ExtensionArray.from_storage(kind, stored)
    encoded = codec_of(IMAGE).encode_rows(pa.table({"image": cells}))
    assert encoded.refused.tolist() == encoded.outside.tolist() == [False, True, False]
    assert (encoded.records == levels[[0, 2]].reshape(2, -1)).all()


def test_images_may_be_left_out() -> None:
    types = {"image": image_type((3, 2, 3)), "label": pa.string()}
    codec = Codec.from_schema(Schema.parse(f"{HEAD}  image: {{kind: text}}\n{LABEL}"), types=types)
    assert codec.domain.pixels is None
    codes = codec.encode(pa.table({"image": image_array(pictures(2)), "label": ["cat", "dog"]}))
    assert Codec.from_json(codec.to_json()).decode(codes, RNG).column_names == ["label"]


def test_no_condition_is_set_on_an_image() -> None:
    codec = codec_of(IMAGE + LABEL)
    with pytest.raises(ConditionError, match="'image', which holds images"):
        codec.given({"image": "1"})
    assert codec.given({"label": "dog"})[18].tolist() == [False, True]


def test_a_column_named_like_a_pixel_is_refused() -> None:
    with pytest.raises(SchemaError, match="rename it"):
        codec_of(IMAGE + '  "image[0,0,0]": {kind: category, categories: [a]}\n')


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (IMAGE + "  other: {kind: image, height: 1, width: 1}\n", "'image' and 'other' are both images"),
        ("  image: {kind: image, height: 65, width: 8}\n", "height: .*64"),
        ("  image: {kind: image, height: 8}\n", "width: "),
        ("  image: {kind: image, height: 8, width: 8, channels: 2}\n", "channels: .*1 or 3"),
        ("  image: {kind: image, height: 8, width: 8, nullable: true}\n", "never missing"),
        ("  image: {kind: image, height: 8, width: 8, type: int8}\n", "has one type"),
        ("  image: {kind: image, height: 8, width: 8, source: measured}\n", "declared, not measured"),
        ("  image: {kind: image, height: 8, width: 8, source: {size: measured}}\n", "declared, not measured"),
        ("  image: {kind: image, height: 8, width: 8, source: {bounds: public}}\n", "has kind, size"),
        (IMAGE + "target: image\n", "'image' is of kind image"),
        (
            IMAGE
            + LABEL
            + "constraints: [{kind: fixed_combinations, columns: [image, label], combinations: [[a, b]]}]\n",
            "cannot be in fixed combinations",
        ),
        (IMAGE + LABEL + "constraints: [{kind: inequality, low: image, high: label}]\n", "numbers, dates or times"),
    ],
)
def test_a_schema_says_what_is_wrong_with_an_image(columns: str, says: str) -> None:
    with pytest.raises(SchemaError, match=says):
        Schema.parse(HEAD + columns)


def test_sixty_thousand_images_are_encoded_in_about_a_second() -> None:
    """CPU seconds, which other work on the machine changes little; measured: .1 to .3."""
    images = image_array(np.zeros((60_000, 28, 28, 1), np.uint8))
    table = pa.table({"image": images, "label": pa.array(["cat", "dog"] * 30_000)})
    codec = codec_of("  image: {kind: image, height: 28, width: 28}\n" + LABEL)
    began = time.process_time()
    records = gather(Rows.open(table), codec, Silent())
    assert time.process_time() - began < 2
    assert records.matrix().base is not None  # no copy is made of the rows for those who ask for them whole
