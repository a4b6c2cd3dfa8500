"""One name means one thing: no two public classes, type aliases or protocols of the package share one."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "sfumato"


def named(source: str) -> Iterator[str]:
    """Public classes and type aliases of a module; a type variable means nothing outside its own module."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            name = node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) in ("TypeVar", "ParamSpec"):
                continue
            name = node.targets[0].id
        else:
            continue
        if name[0].isupper() and not name.isupper():
            yield name


def shared(sources: list[str]) -> set[str]:
    return {name for name, times in Counter(n for s in sources for n in named(s)).items() if times > 1}


def test_no_two_classes_have_one_name() -> None:
    assert shared([p.read_text() for p in sorted(PACKAGE.rglob("*.py"))]) == set()


def test_a_planted_second_class_is_found() -> None:
    one, other = "class Game: ...\nT = TypeVar('T')", "T = TypeVar('T')\nGame = tuple[int, int]\nLIMIT = 3\n_Fit = int"
    assert shared([one, other]) == {"Game"}
    assert shared([one, "Game: TypeAlias = int"]) == {"Game"}
    assert shared([one, "class _Fit: ..."]) == set()
