"""Real data to try things on: UCI Adult (census income of 1994) and small images of digits, in the package.

They are public: fitting them costs nobody anything, so they need no ledger (:func:`is_public`).
"""

from __future__ import annotations

import hashlib
import io
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sfumato.errors import TableError
from sfumato.tables.images import IMAGE, LABEL, image_array
from sfumato.tables.source import RowSource
from sfumato.tables.table import Table

_DATA = Path(__file__).parent / "data"
_PUBLISHED = {
    "adult.parquet": "e541408197f375385e64e3a0ebfb4702a7881b12d3951ad9d215361cf57b3dea",
    "adult_test.parquet": "978802107acbbcbbc76a6d5572bfe9b77dbdcab9e481b27e7f0e9645fcebba25",
    "digits.npz": "e69feaaeadfb1237b8d8cc57e4e8d3a9b5e1925a4707cebb70eee633c4dc0595",
}
"""SHA-256 of the tables in the package."""
_given: list[pa.Table] = []
"""The rows of the examples that were handed out; Arrow tables do not change."""


class Example(Table):
    """A table of this module, as it was handed out; see :func:`is_public`."""


def is_public(source: RowSource) -> bool:
    """Whether ``source`` is an example: the very table that a function of this module gave.

    Whatever is made of one (a slice, a file, a frame, another ``Table`` of the same rows) is private data like any
    other, for nobody can tell what else was done to it.
    """
    return type(source) is Example and any(source.arrow is rows for rows in _given)


def adult() -> Table:
    """The 32,561 training rows x 15 columns of Adult, one row a person.

    Whole numbers are whole, the rest is text; what the original marks ``?`` (workclass, occupation,
    native-country) is null. Source: Becker and Kohavi, UCI Machine Learning Repository, CC BY 4.0 (the attribution
    lies beside the file).

    >>> import sfumato as sf
    >>> people = sf.examples.adult()
    >>> len(people), people.columns[:3]
    (32561, ('age', 'workclass', 'fnlwgt'))
    """
    return _adult("adult.parquet")


def adult_test() -> Table:
    """The 16,281 rows that the data set holds out for testing, in the same form as `adult`.

    >>> import sfumato as sf
    >>> len(sf.examples.adult_test())
    16281
    """
    return _adult("adult_test.parquet")


def adult_schema() -> Path:
    """A reviewed schema of `adult`, every fact taken from the published description, not from the rows.

    >>> import sfumato as sf
    >>> sf.Schema.load(sf.examples.adult_schema()).unreviewed()
    []
    """
    return _DATA / "adult.yaml"


@cache
def digits() -> Table:
    """1,797 handwritten digits, 8x8 grey images with labels 0 to 9; ``Table.write`` brings them to a file.

    The levels of grey, 0 to 16, are spread over 0 to 255. Source: Alpaydin and Kaynak, Optical
    Recognition of Handwritten Digits, UCI Machine Learning Repository, CC BY 4.0.

    >>> import sfumato as sf
    >>> len(sf.examples.digits()), sf.examples.digits().columns
    (1797, ('image', 'label'))
    """
    with np.load(io.BytesIO(_published("digits.npz")), allow_pickle=False) as stored:
        images, labels = stored["images"][..., None], stored["labels"]
    return _handed_out(pa.table({IMAGE: image_array(images), LABEL: pa.array(labels)}))


def digits_schema() -> Path:
    """A reviewed schema of `digits`.

    >>> import sfumato as sf
    >>> sf.Schema.load(sf.examples.digits_schema()).names
    ('image', 'label')
    """
    return _DATA / "digits.yaml"


@cache
def _adult(name: str) -> Table:
    return _handed_out(pq.read_table(io.BytesIO(_published(name))))


def _published(name: str) -> bytes:
    """The bytes of a file of the package; TableError where they are not those that were published."""
    read = (_DATA / name).read_bytes()
    if hashlib.sha256(read).hexdigest() != _PUBLISHED[name]:
        raise TableError(f"{name}: is not the example that was published with sfumato: install sfumato again")
    return read


def _handed_out(rows: pa.Table) -> Table:
    _given.append(rows)
    return Example(rows)
