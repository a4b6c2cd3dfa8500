"""Where there is no engine: what is missing, and what still works."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import sfumato as sf
from sfumato.errors import EngineError
from sfumato.trust.mpc.engine import installing, machine


@pytest.mark.parametrize("found", [("Windows", "AMD64"), ("Darwin", "x86_64"), ("Linux", "riscv64")])
def test_a_machine_without_a_wheel_is_told_so_and_what_still_works(found):
    with pytest.raises(EngineError, match=f"no engine for {' '.join(found)}.*Linux x86_64.*still work"):
        machine.check_machine(*found)


@pytest.mark.parametrize("found", sorted(machine.MACHINES))
def test_each_machine_of_a_wheel_passes_and_has_its_file_pinned(found):
    machine.check_machine(*found)
    pinned = installing.REQUIREMENTS.read_text()
    assert pinned.count("--hash=sha256:") == 2 * len(machine.MACHINES)
    assert "://" not in pinned


def other_python(monkeypatch: pytest.MonkeyPatch, folder: Path, says: str | None) -> None:
    """This is Python 3.13, and the path has a python3.11 that says which it is, or none."""
    monkeypatch.setattr(machine.sys, "version_info", SimpleNamespace(major=3, minor=13))
    monkeypatch.setenv("PATH", str(folder))
    if says is not None:
        (folder / "python3.11").write_text(f"#!/bin/sh\necho {says}\n")
        (folder / "python3.11").chmod(0o755)


@pytest.mark.parametrize("says", [None, "cpython 3.12", "pypy 3.11", ""], ids=["none", "newer", "pypy", "mute"])
def test_without_a_fitting_python_nothing_is_begun(monkeypatch, tmp_path, says):
    other_python(monkeypatch, tmp_path, says)
    with pytest.raises(EngineError, match=r"needs Python 3\.11, which is not on the path.*still work"):
        installing.install(tmp_path / "engine")
    assert not (tmp_path / "engine").exists()


def test_a_fitting_python_of_the_path_is_taken(monkeypatch, tmp_path):
    other_python(monkeypatch, tmp_path, "cpython 3.11")
    assert machine.fitting_python() == tmp_path / "python3.11"
    monkeypatch.undo()
    if sys.version_info[:2] == (3, 11):
        assert machine.fitting_python() == Path(sys.executable)


def test_a_folder_without_an_engine_says_how_to_make_one(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(EngineError, match="engine holds no engine: sfumato party install"):
        sf.Engine()
