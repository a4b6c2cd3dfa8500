"""Every constant has a name and a line that says why, and models bury none in their code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "sfumato"
ENDED_BY_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def numbers(tree: ast.AST) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield node


def unexplained(source: str) -> list[str]:
    """Constants of a module that are numbers, alone or several, with neither a text below nor a remark beside."""
    body, lines = ast.parse(source).body, source.splitlines()
    found = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        if any(isinstance(part, ast.Call | ast.JoinedStr) for part in ast.walk(node.value)) and not isinstance(
            node.value, ast.BinOp
        ):
            continue  # a thing made with numbers, whose name says what it is
        said = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and type(after.value.value) is str
        if any(numbers(node.value)) and not said and "  # " not in lines[(node.end_lineno or node.lineno) - 1]:
            found.append(lines[node.lineno - 1])
    return found


def buried(source: str) -> list[str]:
    """Fractions within the functions of a module, but for halves: choices that nobody named."""
    lines = source.splitlines()
    return [
        lines[number.lineno - 1].strip()
        for function in ast.walk(ast.parse(source))
        if isinstance(function, ENDED_BY_FUNCTIONS)
        for number in numbers(function)
        if isinstance(number.value, float) and number.value not in (0.0, 0.5, 1.0, 2.0)
    ]


def test_every_constant_says_why() -> None:
    paths = sorted(PACKAGE.rglob("*.py"))
    assert {str(p): found for p in paths if (found := unexplained(p.read_text()))} == {}


def test_what_is_chosen_has_a_name() -> None:
    """Everywhere but in charts, which are drawn by coordinates, and in what options of commands name."""
    rooms = [p for p in sorted(PACKAGE.rglob("*.py")) if "reporting" not in p.parts and "cli" not in p.parts]
    allowed = ("significance: float = 0.05", "timeout: float = 60.0")  # named by the argument
    found = {
        str(p): [line for line in buried(p.read_text()) if not any(name in line for name in allowed)] for p in rooms
    }
    assert {p: lines for p, lines in found.items() if lines} == {}


def bound_twice(source: str) -> list[str]:
    """Names of a module's constants that stand for two things, of which the first is lost: what a merge can leave."""
    names = [
        target.id
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    return sorted({name for name in names if names.count(name) > 1})


def test_no_constant_is_bound_twice() -> None:
    assert {str(p): found for p in sorted(PACKAGE.rglob("*.py")) if (found := bound_twice(p.read_text()))} == {}
    assert bound_twice("A = 2.0\nB = 1\nA = 1.5\n") == ["A"]


def test_a_planted_constant_is_found() -> None:
    assert unexplained("A = 3\nB = 4\n'''Why.'''\nC = 5  # why\nD, E = 1, 2\nF = f(3)\nG = 1 << 20") == [
        "A = 3", "D, E = 1, 2", "G = 1 << 20",
    ]  # fmt: skip
    assert buried("A = 0.3\ndef f(x):\n    return x * 0.3 + 0.5\n") == ["return x * 0.3 + 0.5"]
