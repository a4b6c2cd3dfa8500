"""Imports go one way, nothing can unpickle, and the command line starts without heavy packages."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "sfumato"
SHARED = {"sfumato.errors", "sfumato.progress", "sfumato.atomic"}
MAY_IMPORT = {
    "tables": {"tables"},
    "schema": {"schema", "tables"},
    "encoding": {"encoding", "schema", "tables"},
    "privacy": {"privacy"},
    "models": {"models", "encoding", "schema", "privacy", "trust.setting"},
    "trust": {"trust", "privacy", "encoding", "schema", "tables"},
    "attacks": {"attacks", "metrics", "models", "encoding", "schema", "tables", "privacy"},
    "metrics": {"metrics", "encoding", "schema", "tables"},
    "reports": {"reports", "attacks", "metrics", "encoding", "schema", "tables", "privacy"},
    "cli": {"cli"},
    "web": {"web"},
}
DOOR_ONLY = {"cli", "web"}
RUNS_CODE_ON_LOAD = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "torch"}
LIGHT = {"typer", "rich", "click", "sfumato", *sys.stdlib_module_names}


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that the code names in an import, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if node.module == "sfumato":
                yield from (f"sfumato.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def misdirected(room: str, source: str) -> list[str]:
    """The imports in a module of ``room`` that go against the direction."""
    wrong = []
    for name in imported(ast.parse(source)):
        if name.split(".")[0] != "sfumato" or name == "sfumato" or name in SHARED:
            continue
        if room in DOOR_ONLY and name.startswith("sfumato.") and name.removeprefix("sfumato.") in door_names():
            continue
        inside = name.removeprefix("sfumato.")
        if not any(inside == allowed or inside.startswith(f"{allowed}.") for allowed in MAY_IMPORT[room]):
            wrong.append(name)
    return wrong


def door_names() -> set[str]:
    """What ``from sfumato import ...`` may ask for."""
    import sfumato

    return set(sfumato.__all__)


def modules(room: str) -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py"))


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_go_one_way(room: str) -> None:
    wrong = {str(path.relative_to(PACKAGE)): misdirected(room, path.read_text()) for path in modules(room)}
    assert {path: names for path, names in wrong.items() if names} == {}


@pytest.mark.parametrize(
    ("room", "source", "found"),
    [
        ("models", "from sfumato.trust.central import Central", ["sfumato.trust.central"]),
        ("models", "from sfumato.trust.setting import Setting", []),
        ("metrics", "def f():\n    import sfumato.trust.central", ["sfumato.trust.central"]),
        ("cli", "from sfumato.synthesizer import Synthesizer", ["sfumato.synthesizer"]),
        ("cli", "from sfumato import Synthesizer, nothing", ["sfumato.nothing"]),
        ("tables", "from sfumato.schema import Schema", ["sfumato.schema"]),
    ],
)
def test_a_planted_import_is_found(room: str, source: str, found: list[str]) -> None:
    assert misdirected(room, source) == found


def unpickling(source: str) -> set[str]:
    return {name.split(".")[0] for name in imported(ast.parse(source))} & RUNS_CODE_ON_LOAD


def test_nothing_imports_what_runs_code_on_load() -> None:
    assert unpickling("def f():\n    from torch.nn import Module\n    import pickle") == {"torch", "pickle"}
    assert {str(path): found for path in PACKAGE.rglob("*.py") if (found := unpickling(path.read_text()))} == {}


def test_the_command_line_starts_light() -> None:
    heads = {
        name.split(".")[0]
        for path in [*modules("cli"), PACKAGE / "__init__.py"]
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in imported(node)
    }
    assert heads <= LIGHT
    code = "import sys, sfumato.cli.main; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"jax", "numpy", "pyarrow", "pandas", "scipy", "sklearn", "matplotlib", "pydantic", "mbi"} & set(loaded)
