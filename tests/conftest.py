"""What several tests share: real data that may lie beside the repository, and packages of the system."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("SFUMATO_CI") == "1"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real tables beside the repository; the test is skipped where it is missing."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real tables do not lie beside the repository")
    return folder


@pytest.fixture(scope="session")
def debian_package() -> Callable[[str, str], str]:
    """Ask for a Debian package by its name and a command or file of it; returns where that lies.

    Without the package the test is skipped; under ``SFUMATO_CI=1``, where packages can be installed, it fails.
    """

    def locate(package: str, member: str) -> str:
        found = member if Path(member).exists() else shutil.which(member)
        if found is None:
            (pytest.fail if IN_CI else pytest.skip)(f"needs the Debian package {package}")
        return found

    return locate


@pytest.fixture(scope="session")
def engine() -> Path:
    """Its folder; the test is skipped where it is not installed."""
    folder = ROOT / ".others" / "engine"
    if not folder.is_dir():
        pytest.skip("the engine is not installed: make engine")
    return folder
