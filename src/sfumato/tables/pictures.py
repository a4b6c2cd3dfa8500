"""Tables of images written as NumPy archives, as folders of PNG files, or as one picture of samples."""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfumato.atomic import atomic_folder, atomic_write
from sfumato.errors import OutputError
from sfumato.extras import require
from sfumato.outputs import TABLE
from sfumato.tables.delimited_writing import write_delimited
from sfumato.tables.image_folder import FILE, LISTING
from sfumato.tables.images import LABEL, image_levels
from sfumato.tables.npz import IMAGES, LABELS

SUFFIXES = (".npz", ".png", "")
"""What images alone are written to; no suffix is a folder."""

_PER_LABEL = 10
"""Images in a row of a grid."""
_MOST_LABELS = 64
"""Rows of a grid."""
_SIDE = 32
"""Pixels that an image of a grid is enlarged to at least."""
_FOLDER_NAME = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9_+. -]{0,98}[A-Za-z0-9_+-]|[A-Za-z0-9_+-]")


def write_pictures(table: pa.Table, image: str, path: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Write ``table``, whose images are the column ``image``, in the form that the suffix of ``path`` names.

    ``overwrite`` is of ``check_output``.

    Raises:
        MissingExtra: Pillow, which writes the other forms than ``.npz``, is not installed.
        OutputError: what the form cannot hold, or a place that cannot be written to.
    """
    suffix = Path(path).suffix.lower()
    others = [name for name in table.column_names if name != image]
    if suffix == "":
        with atomic_folder(path) as folder:
            _write_folder(image_levels(table[image]), table.select(others), folder)
        return
    if suffix == ".npz" and len(others) > 1:
        raise OutputError(f"cannot write {os.fspath(path)}: it holds one column beside the images; take .parquet")
    with atomic_write(path, TABLE, overwrite) as stream:
        if suffix == ".npz":
            labels = table[others[0]] if others else None
            _write_archive(image_levels(table[image]), labels, stream, os.fspath(path))
        else:
            from sfumato.tables.image_files import picture

            picture(sample_grid(image_levels(table[image]), _few(table.select(others)))).save(stream, "PNG")


def check_can_write(path: str | os.PathLike[str]) -> None:
    """MissingExtra where what the suffix of ``path`` names is written by Pillow, and that is not installed."""
    if Path(path).suffix.lower() != ".npz":
        require("images", f"{os.fspath(path)}: writing PNG files")


def sample_grid(images: np.ndarray, labels: pa.ChunkedArray | None) -> np.ndarray:
    """A picture of some images: a row for each label in order, the first ones with it beside each other.

    Args:
        images: (n, height, width, channels) uint8.
        labels: (n,); None for rows without meaning.

    Returns:
        (rows, columns, channels) uint8; white where there are too few.
    """
    rows = [np.arange(start, min(start + _PER_LABEL, len(images))) for start in range(0, len(images), _PER_LABEL)]
    if labels is not None:
        plain = labels.cast(labels.type.value_type) if pa.types.is_dictionary(labels.type) else labels
        encoded = plain.combine_chunks().dictionary_encode(null_encoding="encode")
        codes = np.asarray(encoded.indices)
        rows = [np.flatnonzero(codes == k) for k in np.asarray(pc.array_sort_indices(_sortable(encoded.dictionary)))]
    rows = [row[:_PER_LABEL] for row in rows[:_MOST_LABELS]]
    height, width, channels = images.shape[1:]
    scale = max(1, _SIDE // max(height, width))
    high, wide = height * scale + 1, width * scale + 1
    grid = np.full((len(rows) * high + 1, max(map(len, rows)) * wide + 1, channels), 255, np.uint8)
    for r, row in enumerate(rows):
        for c, number in enumerate(row):
            large = images[number].repeat(scale, axis=0).repeat(scale, axis=1)
            grid[r * high + 1 : (r + 1) * high, c * wide + 1 : (c + 1) * wide] = large
    return grid


def _few(beside: pa.Table) -> pa.ChunkedArray | None:
    """The column ``label``, else the first with few enough values to be one; None where there is none."""
    names = [LABEL] if LABEL in beside.column_names else beside.column_names
    return next((beside[name] for name in names if len(beside[name].unique()) <= _MOST_LABELS), None)


def _write_archive(images: np.ndarray, labels: pa.ChunkedArray | None, stream: BinaryIO, path: str) -> None:
    arrays = {IMAGES: images if images.shape[3] > 1 else images[..., 0]}
    if labels is not None:
        if labels.null_count:
            raise OutputError(
                f"cannot write {path}: labels are missing, which an array has no place for; take .parquet"
            )
        whole = pa.types.is_integer(labels.type)
        arrays[LABELS] = labels.to_numpy() if whole else np.array(labels.cast(pa.string()).to_pylist(), str)
    np.savez_compressed(stream, allow_pickle=False, **arrays)


def _write_folder(images: np.ndarray, beside: pa.Table, folder: Path) -> None:
    """PNG files: in sub-folders named by label where a column ``label`` is all there is and its values can be names."""
    from sfumato.tables.image_files import picture

    names = [f"{number:06d}.png" for number in range(len(images))]
    texts = [None if t is None else str(t) for t in beside[LABEL].to_pylist()] if beside.column_names == [LABEL] else []
    if texts and all(t is not None and _FOLDER_NAME.fullmatch(t) for t in texts) and _distinct(texts):
        for label in set(texts):
            (folder / str(label)).mkdir()
        names = [f"{label}/{name}" for label, name in zip(texts, names, strict=True)]
    elif beside.num_columns:
        listing = beside.add_column(0, FILE, pa.array(names))
        with atomic_write(folder / LISTING, TABLE) as out:
            write_delimited([listing], listing.schema, out)
    for name, image in zip(names, images, strict=True):
        picture(image).save(folder / name)


def _distinct(texts: list[str | None]) -> bool:
    """Whether the labels stay apart on file systems that know no small letters."""
    labels = {str(t) for t in texts}
    return len({label.lower() for label in labels}) == len(labels)


def _sortable(labels: pa.Array) -> pa.Array:
    """Numbers, also where they are written as text, by size; all else by letter."""
    try:
        return labels.cast(pa.float64())
    except pa.ArrowException:
        return labels.cast(pa.string())
