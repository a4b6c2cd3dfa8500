"""The embedded tables are the published ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from sfumato.schema import CategoryColumn, IntegerColumn, Schema
from sfumato.tables import Table, examples
from sfumato.tables.images import image_levels


@pytest.mark.parametrize(
    ("example", "rows", "missing"),
    [(examples.adult(), 32_561, (1836, 1843, 583)), (examples.adult_test(), 16_281, (963, 966, 274))],
)
def test_counts_are_those_of_the_description(example: Table, rows: int, missing: tuple[int, ...]) -> None:
    table = example.arrow
    assert (table.num_rows, table.num_columns) == (rows, 15)
    assert tuple(table[name].null_count for name in ("workclass", "occupation", "native-country")) == missing
    assert str(table.schema.field("age").type) == "int64"


def test_the_licence_lies_beside_a_small_file() -> None:
    folder = examples.adult_schema().parent
    assert "CC BY 4.0" in (folder / "ATTRIBUTION.md").read_text()
    assert sum(file.stat().st_size for file in folder.iterdir()) < 700_000


def test_the_rows_are_those_of_the_source(shared_data: Path) -> None:
    text = Table.read(shared_data / "adult" / "train.csv").arrow
    typed = examples.adult().arrow
    for name in text.column_names:
        cells = ["?" if cell is None else str(cell) for cell in typed[name].to_pylist()]
        assert cells == text[name].to_pylist()


def test_the_reviewed_schema_fits_every_row() -> None:
    schema = Schema.load(examples.adult_schema())
    assert schema.unreviewed() == []
    for example in (examples.adult(), examples.adult_test()):
        table = example.arrow
        assert schema.names == tuple(table.column_names)
        for column in schema.columns:
            cells = table[column.name]
            assert column.nullable or cells.null_count == 0
            if isinstance(column, CategoryColumn):
                assert set(cells.drop_null().unique().to_pylist()) <= set(column.categories or ())
            else:
                assert isinstance(column, IntegerColumn)
                assert column.bounds is not None
                low, high = column.bounds
                assert all(low <= value <= high for value in cells.unique().to_pylist())
        pairs = set(zip(table["education"].to_pylist(), map(str, table["education-num"].to_pylist()), strict=True))
        assert pairs == set(schema.constraints[0].combinations)


@pytest.mark.parametrize("name", ["digits.npz", "digits.parquet", "digits"])
def test_the_digits_are_those_of_the_description(tmp_path: Path, name: str) -> None:
    examples.digits().write(tmp_path / name)
    table = Table.read(tmp_path / name).arrow
    levels = image_levels(table["image"])
    assert levels.shape == (1797, 8, 8, 1)
    assert (levels.min(), levels.max()) == (0, 255)
    assert len(np.unique(levels)) == 17
    labels = [str(label) for label in table["label"].to_pylist()]
    schema = Schema.load(examples.digits_schema())
    assert schema.unreviewed() == []
    assert (schema.names, schema.target) == (("image", "label"), "label")
    assert schema.image is not None
    assert schema.image.shape == levels.shape[1:]
    assert tuple(sorted(set(labels))) == schema.column("label").categories


def test_the_digits_are_those_that_scikit_learn_has() -> None:
    known = load_digits()
    table = examples.digits().arrow
    np.testing.assert_array_equal(image_levels(table["image"])[..., 0], np.rint(known.images * (255 / 16)))
    assert table["label"].to_pylist() == known.target.tolist()
