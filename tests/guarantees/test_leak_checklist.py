"""The leak checklist in the documentation names twenty lines, and tests and planted bugs that exist."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.mutants import MUTANTS
from benchmarks.planted_bugs import BUGS
from tests.guarantees import test_whole_fit_replayed as replayed

TESTS = Path(__file__).resolve().parent.parent
PAGE = TESTS.parent / "docs" / "explanation" / "leak-checklist.md"


def unknown(page: str) -> list[str]:
    """Files, tests and planted bugs that ``page`` names and that there are not."""
    files = {str(path.relative_to(TESTS)): path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py")}
    everything = "\n".join(files.values())
    names = re.findall(r"[\w/]*?test_\w+\.py(?:::\w+)?|\btest_\w+(?!\w*\.py)", page)
    lost = []
    for name in names:
        path, _, test = name.partition("::")
        held = [text for file, text in files.items() if file.endswith(path)] if path.endswith(".py") else [everything]
        wanted = test or ("" if path.endswith(".py") else path)
        if not any(wanted == "" or f"def {wanted}(" in text for text in held):
            lost.append(name)
    known = {*BUGS, *replayed.BUGS, "L8 ...", "L11 ...", "L13 ..."}
    lost += [bug for bug in re.findall(r'"(L\d+ [^"]+)"', page) if bug not in known]
    planted = {mutant.name for mutant in MUTANTS}
    listed = re.findall(r'\bM ("[^"]+"(?:, "[^"]+")*)', page)
    return lost + [name for some in listed for name in re.findall(r'"([^"]+)"', some) if name not in planted]


def test_every_line_names_what_exists() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^\| (L\d+) \|", page, re.MULTILINE) == [f"L{i}" for i in range(1, 21)]
    assert len(re.findall(r"test_\w+", page)) > 50
    assert unknown(page) == []


def test_a_name_that_is_gone_is_found() -> None:
    gone = ["encoding/test_leaks.py::test_magic", "test_magic", "L1 magic", "magic"]
    named = '`encoding/test_leaks.py::test_magic`, `test_magic`, "L1 magic", `test_two_runs_differ`'
    named += '; M "a threshold one lower", "magic"'
    assert unknown(named) == gone
