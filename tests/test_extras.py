"""The extras of the metadata, those that the code asks for and those that the documentation names are the same."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from benchmarks.edges.readme import APART, Block, blocks
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.test_imports import imported, modules

from sfumato import extras
from sfumato.errors import MissingExtra

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OPTIONAL = PROJECT["optional-dependencies"]
BROUGHT = {"markupsafe", "pydantic_core", "_typeshed"}
"""Imported, and always there: with jinja2, with pydantic, and for type checkers alone."""


def distributions(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


@cache
def modules_of_all() -> Mapping[str, list[str]]:
    return packages_distributions()


def provides(module: str) -> set[str]:
    """The distributions that bring a module."""
    return {canonicalize_name(name) for name in modules_of_all().get(module, ())}


@pytest.mark.parametrize("extra", extras.EXTRAS)
def test_an_extra_asks_for_the_packages_that_the_code_looks_for(extra: str) -> None:
    asked = distributions(OPTIONAL[extra])
    for package in extras.EXTRAS[extra]:
        assert provides(package) & asked, package
        assert not provides(package) & distributions(PROJECT["dependencies"]), package


def test_all_is_every_extra_but_those_apart() -> None:
    (requirement,) = map(Requirement, OPTIONAL["all"])
    assert (requirement.name, requirement.extras) == ("sfumato", extras.EXTRAS.keys() - APART)


def undeclared(source: str) -> set[str]:
    """Packages that the code imports, and that neither the wheel nor an extra asks for."""
    heads = {name.split(".")[0] for name in imported(ast.parse(source))} - {"sfumato", *sys.stdlib_module_names}
    declared = distributions([*PROJECT["dependencies"], *(r for extra in extras.EXTRAS for r in OPTIONAL[extra])])
    return {head for head in heads if head not in BROUGHT and not provides(head) & declared}


def test_every_package_that_is_imported_is_declared() -> None:
    assert undeclared("import numpy, os\nfrom sklearn import tree\ndef f():\n    import hypothesis") == {"hypothesis"}
    assert {str(p): found for p in modules() if (found := undeclared(p.read_text()))} == {}


def test_a_missing_package_is_found_without_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    extras.require("images", "this")
    monkeypatch.setitem(extras.EXTRAS, "images", ("PIL", "package_that_is_not_there"))
    assert extras.lacking("images") == ("package_that_is_not_there",)
    with pytest.raises(MissingExtra, match=r'^this needs the extra \[images\]: pip install "sfumato\[images\]"$'):
        extras.require("images", "this")


def test_a_block_of_the_readme_names_its_extras() -> None:
    assert Block("console", '$ pip install "sfumato[sql,images]"').extras == {"sql", "images"}
    assert Block("python", "# needs sfumato[all]").extras == extras.EXTRAS.keys() - APART
    named = [block.extras for block in blocks(ROOT / "README.md")]
    assert frozenset() in named  # some need none
    assert set().union(*named) <= set(extras.EXTRAS)


def test_the_install_page_names_every_extra() -> None:
    page = (ROOT / "docs" / "how-to" / "install.md").read_text(encoding="utf-8")
    assert [e for e in (*extras.EXTRAS, "all") if f"`[{e}]`" not in page] == []
