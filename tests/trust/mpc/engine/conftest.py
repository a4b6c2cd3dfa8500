"""The engine that ``make engine`` installs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import ROOT


@pytest.fixture(scope="session")
def engine() -> Path:
    """Its folder; the test is skipped where it is not installed."""
    folder = ROOT / ".others" / "engine"
    if not folder.is_dir():
        pytest.skip("the engine is not installed: make engine")
    return folder
