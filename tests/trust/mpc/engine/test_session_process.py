"""What runs where the engine is: the standard library, numpy and the engine, and nothing that runs code on load."""

from __future__ import annotations

import ast
import sys

from tests.test_imports import PACKAGE, RUNS_CODE_ON_LOAD, imported

LIGHT = {"numpy", "sfumato", *sys.stdlib_module_names} - RUNS_CODE_ON_LOAD


def reached(module: str) -> set[str]:
    """The modules of this package that ``module`` imports, and their packages, directly or by way of others."""
    found, left = set(), [module]
    while left:
        name = left.pop()
        path = PACKAGE.parent / name.replace(".", "/")
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if name in found or not path.exists():
            continue
        found.add(name)
        top = [n for n in ast.parse(path.read_text()).body if not isinstance(n, ast.If)]
        left += [n for node in top if isinstance(node, ast.Import | ast.ImportFrom) for n in imported(node)]
        left += [".".join(name.split(".")[:k]) for k in range(1, name.count(".") + 1)]
    return found


def test_a_party_process_needs_no_more_than_numpy_and_the_engine():
    modules = reached("sfumato.trust.mpc.engine.session_process")
    assert "sfumato.trust.mpc.engine.mesh" in modules
    heads = {}
    for name in modules:
        path = PACKAGE.parent / name.replace(".", "/")
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        top = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.Import | ast.ImportFrom)]
        heads[name] = {n.split(".")[0] for node in top for n in imported(node)} - LIGHT
    assert {name: found for name, found in heads.items() if found} == {}
