"""The file of a party's shares: read back for what it was kept for, and taken for none where anything else is so."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

from sfumato.federation.share_file import ShareFile

PLAN, KEY, BOUND, DATA = "ab" * 32, bytes(range(32)), b"plan, maps and rows", b"shares of many tables"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    ShareFile(tmp_path, PLAN, KEY).keep(BOUND, DATA)
    return tmp_path


def only(folder: Path) -> Path:
    (path,) = (folder / "shares").glob("*.shares")
    return path


def test_it_is_read_back_and_tells_nothing(made: Path) -> None:
    assert ShareFile(made, PLAN, KEY).find(BOUND, len(DATA)) == DATA
    assert DATA not in only(made).read_bytes()
    assert stat.S_IMODE(only(made).stat().st_mode) == 0o600
    assert (made / "shares" / "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55")


def test_the_same_shares_are_never_the_same_bytes(made: Path) -> None:
    before = only(made).read_bytes()
    ShareFile(made, PLAN, KEY).keep(BOUND, DATA)
    assert only(made).read_bytes() != before


@pytest.mark.parametrize(
    ("plan", "key", "bound", "size"),
    [
        (PLAN, KEY, b"other rows", len(DATA)),
        (PLAN, bytes(32), BOUND, len(DATA)),
        (PLAN, KEY, BOUND, len(DATA) - 1),
        (PLAN, KEY, BOUND, len(DATA) + 1),
        ("cd" * 32, KEY, BOUND, len(DATA)),
    ],
    ids=["rows", "key", "shorter", "longer", "plan"],
)
def test_it_is_found_for_nothing_else(made: Path, plan: str, key: bytes, bound: bytes, size: int) -> None:
    assert ShareFile(made, plan, key).find(bound, size) is None


def test_a_file_that_was_cut_or_changed_is_none_and_the_log_says_so(
    made: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, file = only(made), ShareFile(made, PLAN, KEY)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert file.find(BOUND, len(DATA)) is None, length
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert file.find(BOUND, len(DATA)) is None, place
    assert all("dealt anew" in record.getMessage() for record in caplog.records)
    assert len(caplog.records) == 2 * len(whole)


def test_it_is_deleted_at_the_end(made: Path) -> None:
    file = ShareFile(made, PLAN, KEY)
    for _ in range(2):
        file.delete()
    assert file.find(BOUND, len(DATA)) is None


def test_where_it_cannot_be_written_the_run_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "shares").write_text("")
    with caplog.at_level(logging.ERROR):
        ShareFile(tmp_path, PLAN, KEY).keep(BOUND, DATA)
    assert "will deal anew" in caplog.text
