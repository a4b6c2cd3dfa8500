"""A file appears whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sfumato.atomic import atomic_folder, atomic_write, check_writable
from sfumato.errors import OutputError
from sfumato.outputs import Kind

ANY = Kind("file", lambda _path, _head: True)


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with atomic_write(path, ANY) as stream:
        stream.write(b"new")
        stream.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def break_off(path: Path, failure: type[BaseException]) -> None:
    with atomic_write(path, ANY) as stream:
        stream.write(b"half")
        raise failure


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
def test_an_interrupted_write_leaves_nothing_behind(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with pytest.raises(failure):
        break_off(path, failure)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_obeys_the_mask_of_permissions(tmp_path: Path) -> None:
    path = tmp_path / "f"
    mask = os.umask(0o027)
    try:
        with atomic_write(path, ANY) as stream:
            stream.write(b"x")
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_full_device_is_said_in_one_line() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("needs the device /dev/full")
    with (
        pytest.raises(OutputError, match="cannot write /dev/full: no space is left"),
        atomic_write("/dev/full", ANY) as out,
    ):
        out.write(b"x" * 100_000)


def test_a_place_without_a_folder_is_said_in_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match="the folder does not exist; make it first"),
        atomic_write(tmp_path / "a" / "b", ANY),
    ):
        pass


def test_a_folder_appears_when_it_is_full(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("a")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "a").read_text() == "a"


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, OSError])
def test_a_folder_that_breaks_off_leaves_nothing(tmp_path: Path, failure: type[BaseException]) -> None:
    def break_folder_off() -> None:
        with atomic_folder(tmp_path / "out") as folder:
            (folder / "a").mkdir()
            raise failure

    with pytest.raises(OutputError if failure is OSError else failure):
        break_folder_off()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_not_made_where_something_lies(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("mine")
    with pytest.raises(OutputError, match="holds files already"), atomic_folder(tmp_path / "out"):
        pass
    assert (tmp_path / "out" / "a").read_text() == "mine"


def test_a_place_is_tried_without_leaving_a_trace(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("old")
    check_writable(kept, ANY)
    check_writable(tmp_path / "new", ANY)
    with pytest.raises(OutputError, match="the folder does not exist"):
        check_writable(tmp_path / "a" / "b", ANY)
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]
    assert kept.read_text() == "old"
