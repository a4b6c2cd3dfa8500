"""Real data to try things on: UCI Adult (census income of 1994), which comes with the package, and small images.

They are public: fitting them costs nobody anything, so they need no ledger (:func:`is_public`).
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sfumato.tables.images import IMAGE, LABEL, image_array
from sfumato.tables.table import Table

_DATA = Path(__file__).parent / "data"
_PUBLISHED = {
    "adult.parquet": "e541408197f375385e64e3a0ebfb4702a7881b12d3951ad9d215361cf57b3dea",
    "adult_test.parquet": "978802107acbbcbbc76a6d5572bfe9b77dbdcab9e481b27e7f0e9645fcebba25",
}
"""SHA-256 of the tables in the package."""


class Example(type(Path())):  # pyright: ignore[reportUntypedBaseClass]
    """The path of an example that was written for the caller; knows what was written there."""

    written: str | None = None


def is_public(source: Any) -> bool:
    """Whether ``source`` is an example, unchanged: a table of the package, or a path that :func:`digits` gave.

    A file is told by where it lies *and* by its bytes, so that neither a name nor a place makes rows public. Only
    files in the package, or at a path that this module gave out, are looked into.
    """
    if isinstance(source, Example):
        return source.written is not None and source.exists() and _digest(source) == source.written
    if not isinstance(source, str | os.PathLike):
        return False
    path = Path(os.path.realpath(source))
    inside = path.parent == Path(os.path.realpath(_DATA)) and path.is_file()
    return inside and _digest(path) == _PUBLISHED.get(path.name)


def _digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and bytes of all files in a folder."""
    digest = hashlib.sha256()
    if path.is_file():
        digest.update(path.read_bytes())
        return digest.hexdigest()
    for part in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(f"{part.relative_to(path)}\0{hashlib.sha256(part.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def adult() -> Path:
    """The 32,561 training rows x 15 columns, one row a person, as Parquet.

    Whole numbers are whole, the rest is text; what the original marks ``?`` (workclass, occupation,
    native-country) is null. Source: Becker and Kohavi, UCI Machine Learning Repository, CC BY 4.0 (the attribution
    lies beside the file).
    """
    return _DATA / "adult.parquet"


def adult_test() -> Path:
    """The 16,281 rows that the data set holds out for testing, in the same form as `adult`."""
    return _DATA / "adult_test.parquet"


def adult_schema() -> Path:
    """A reviewed schema of `adult`, every fact taken from the published description, not from the rows."""
    return _DATA / "adult.yaml"


def digits(path: str | os.PathLike[str]) -> Path:
    """Write 1,797 handwritten digits, 8x8 grey images with labels 0 to 9, to ``path`` (``.npz``, Parquet, a folder).

    They come with scikit-learn, 16 levels of grey, here spread over 0 to 255. Source: Alpaydin and Kaynak, Optical
    Recognition of Handwritten Digits, UCI Machine Learning Repository, CC BY 4.0.

    Raises:
        OutputError: a suffix that holds no images, or a place that cannot be written to.
    """
    from sklearn.datasets import load_digits

    known = load_digits()
    levels = np.rint(known.images * (255 / 16)).astype(np.uint8)[..., None]
    Table(pa.table({IMAGE: image_array(levels), LABEL: pa.array(known.target)})).write(path)
    example = Example(path)
    example.written = _digest(example)
    return example


def digits_schema() -> Path:
    """A reviewed schema of `digits`."""
    return _DATA / "digits.yaml"
