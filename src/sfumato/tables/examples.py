"""Real data to try things on: UCI Adult (census income of 1994), which comes with the package, and small images."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa

from sfumato.tables.images import IMAGE, LABEL, image_array
from sfumato.tables.table import Table

_DATA = Path(__file__).parent / "data"


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
    return Path(path)


def digits_schema() -> Path:
    """A reviewed schema of `digits`."""
    return _DATA / "digits.yaml"
