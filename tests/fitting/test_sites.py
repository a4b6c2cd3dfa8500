"""What simulated sites are called where nobody says so."""

from __future__ import annotations

import pytest

import sfumato as sf


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["north.csv", "east/data.parquet", "x-1.csv"], ("north", "data", "x-1")),
        (["a/data.csv", "b/data.csv", "c.csv"], ("site-1", "site-2", "site-3")),
        (["s 1.csv", "s 2.csv", "s 3.csv"], ("site-1", "site-2", "site-3")),
        (["köln.csv", "bonn.csv", "essen.csv"], ("site-1", "site-2", "site-3")),
    ],
    ids=["stems", "one stem twice", "blanks", "letters"],
)
def test_sites_are_called_by_their_files_where_these_may_name_them(files: list[str], names: tuple[str, ...]) -> None:
    assert sf.federated(files).names == names
