"""Imports go one way, nothing can unpickle, and the command line starts without heavy packages."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "sfumato"
SHARED = {
    f"sfumato.{name}"
    for name in (
        *("atomic", "bounded", "errors", "extras", "folder_lock", "outputs", "printable", "progress", "version"),
        *("written", "results.plain", "results.notebook", "federation.defaults"),
    )
}
"""Below all rooms; ``results`` is what every typed result shares: its form as JSON and in a notebook; the command line
and Python take the same ``defaults``."""
MAY_IMPORT = {
    "tables": {"tables"},
    "schema": {"schema", "tables"},
    "schema.survey": {
        "schema",
        "tables",
        "encoding.parsing",
        "encoding.numerals",
    },  # as a codec reads cells
    "encoding": {"encoding", "schema", "tables"},
    "privacy": {"privacy"},
    "models": {"models", "encoding", "schema", "privacy", "trust.setting", "trust.questions"},
    "trust": {"trust", "privacy", "encoding", "schema", "tables"},
    "trust.secure_sum": {"trust.secure_sum", "privacy"},  # sums of whole numbers, which know nothing of questions
    "release": {"release", "models", "encoding", "schema", "tables", "privacy"},
    **{
        f"release.{name}": {"release", "trust.secure_sum.identity"}
        for name in ("site_signatures", "signed_plan", "checked_sites")
    },  # by the keys that sites sign with
    "release.stated_split": {"release", "schema", "privacy", "trust.secure_sum.identity"},
    "fitting": {"fitting", "release", "trust", "models", "encoding", "schema", "tables", "privacy", "reporting.page"},
    "federation": {
        "federation",
        "fitting",
        "synthesizer",
        "trust",
        "models",
        "encoding",
        "schema",
        "tables",
        "privacy",
        "release",
    },
    "evaluation": {"evaluation", "encoding", "schema", "tables"},
    "evaluation.data": {
        "evaluation",
        "encoding",
        "schema",
        "tables",
        "privacy",
        "trust",
    },  # open facts are settled exactly by the questions that a fit asks, at no noise
    "auditing.attacks": {
        "auditing.attacks",
        "evaluation",
        "models",
        "encoding",
        "schema",
        "tables",
        "privacy",
        "trust.setting",
        "trust.questions",
    },
    "auditing": {"auditing", "evaluation", "release", "trust", "models", "encoding", "schema", "tables", "privacy"},
    "reporting": {"reporting", "auditing", "evaluation", "release", "encoding", "schema", "tables", "privacy"},
    "synthesizer": {"fitting", "release", "models", "schema", "tables", "privacy"},
    "cli": {"cli"},
    "web": {"web"},
    "results": set(),
    **{name.removeprefix("sfumato."): set() for name in SHARED},
}
"""What a module or all of a room may import beside itself and SHARED; the longest name that fits a module counts."""
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


def module_name(path: Path) -> str:
    """Its name without ``sfumato.``; empty for the door itself."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").removesuffix(".")


def rule(module: str) -> str | None:
    """The key of MAY_IMPORT that a module falls under."""
    return max((k for k in MAY_IMPORT if f"{module}.".startswith(f"{k}.")), key=len, default=None)


def misdirected(module: str, source: str) -> list[str]:
    """The imports in a module that go against the direction."""
    room = rule(module)
    assert room is not None, f"{module}: no rule says what it may import"
    wrong = []
    for name in imported(ast.parse(source)):
        if name.split(".")[0] != "sfumato" or name == "sfumato" or name in SHARED:
            continue
        inside = name.removeprefix("sfumato.")
        if room in DOOR_ONLY and inside in door_names():
            continue
        if not any(f"{inside}.".startswith(f"{allowed}.") for allowed in MAY_IMPORT[room]):
            wrong.append(name)
    return wrong


def door_names() -> set[str]:
    """What ``from sfumato import ...`` may ask for."""
    import sfumato

    return set(sfumato.__all__)


def modules(room: str = "") -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py"))


@pytest.mark.parametrize("path", modules(), ids=module_name)
def test_imports_go_one_way(path: Path) -> None:
    if path != PACKAGE / "__init__.py":  # the door names what is public, and imports it when it is asked for
        assert misdirected(module_name(path), path.read_text()) == []


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("models.gan.gan", "from sfumato.trust.central import Central", ["sfumato.trust.central"]),
        ("models.gan.gan", "from sfumato.trust.setting import Setting", []),
        ("evaluation.marginals", "def f():\n    import sfumato.trust.central", ["sfumato.trust.central"]),
        ("evaluation.data", "def f():\n    import sfumato.trust.central", []),
        ("cli.fit", "from sfumato.synthesizer import Synthesizer", ["sfumato.synthesizer"]),
        ("cli.fit", "from sfumato import Synthesizer, nothing", ["sfumato.nothing"]),
        ("tables.rows", "from sfumato.schema import Schema", ["sfumato.schema"]),
        ("release.artifact", "from sfumato.fitting.plan import Plan", ["sfumato.fitting.plan"]),
        ("errors", "from sfumato.tables import Table", ["sfumato.tables"]),
    ],
)
def test_a_planted_import_is_found(module: str, source: str, found: list[str]) -> None:
    assert misdirected(module, source) == found


def test_a_module_without_a_rule_is_found() -> None:
    assert rule("elsewhere.module") is None
    assert rule("auditing.attacks.game") == "auditing.attacks"


def imports_of(sources: dict[str, str]) -> dict[str, set[str]]:
    """Which of the modules each of them imports, wherever the import stands; with a module, the packages it is in."""
    known = set(sources)

    def targets(name: str) -> Iterator[str]:
        for node in ast.walk(ast.parse(sources[name])):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                whole = (f"{node.module}.{alias.name}" for alias in node.names)
                yield from (deep if deep in known else node.module for deep in whole)

    def run(name: str) -> set[str]:
        """What an import runs that is not running already: packages of its own are."""
        parts = [t.split(".") for t in targets(name)]
        whole = {".".join(p[:i]) for p in parts for i in range(1, len(p) + 1)} & known
        return {t for t in whole if not f"{name}.".startswith(f"{t}.")}

    return {name: run(name) for name in sources}


def circles(edges: dict[str, set[str]]) -> set[str]:
    """Modules that import each other, directly or by way of others: what is left when ends are taken away."""
    left = {name: set(targets) for name, targets in edges.items()}
    while ends := {name for name, targets in left.items() if not targets & left.keys()}:
        left = {name: targets for name, targets in left.items() if name not in ends}
    return set(left)


def test_no_modules_import_each_other() -> None:
    sources = {f"sfumato.{module_name(p)}".rstrip("."): p.read_text() for p in modules()}
    assert circles(imports_of(sources)) == set()


def test_a_planted_circle_is_found() -> None:
    sources = {"a": "def f():\n    import b", "b": "from c import x", "c": "from a import y", "d": "import a"}
    assert circles(imports_of(sources)) == {"a", "b", "c", "d"}
    assert circles(imports_of({**sources, "c": ""})) == set()
    rooms = {"room": "from room.x import f", "room.x": "from other.y import g", "other": "", "other.y": "import room.z"}
    assert circles(imports_of({**rooms, "room.z": ""})) == {"room", "room.x", "other.y"}


def test_public_names_stay_what_they_are_whatever_was_imported() -> None:
    """A module that bears a name of the door would take its place when it is imported."""
    names = [f"sfumato.{module_name(p)}".rstrip(".") for p in modules() if p.name != "__main__.py"]
    for order in (names, names[::-1]):
        code = f"import importlib, sfumato\nfor n in {order}: importlib.import_module(n)\n" + "\n".join(
            f"assert callable(sfumato.{n}) or n == 'examples', sfumato.{n}".replace("n ==", f"{n!r} ==")
            for n in sorted(door_names())
        )
        subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


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
