"""A real table of people that comes with the package: UCI Adult, census income of 1994."""

from __future__ import annotations

from pathlib import Path

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
