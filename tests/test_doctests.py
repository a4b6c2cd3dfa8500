"""Every example in a docstring runs and gives what it shows."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module

import pytest

import sfumato

MODULES = sorted(module.name for module in pkgutil.walk_packages(sfumato.__path__, "sfumato."))
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def test_the_door() -> None:
    assert doctest.testmod(sfumato, optionflags=OPTIONS).failed == 0


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_examples_in(name: str) -> None:
    assert doctest.testmod(import_module(name), optionflags=OPTIONS).failed == 0
