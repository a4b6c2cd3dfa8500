"""The page for three institutions, followed line by line: each command as it is printed, at one machine."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from tests.journeys.hospitals import free_port
from tests.release.signed_model import signed_model

import sfumato as sf

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "institutions.md"
NAMES = ("north", "east", "west")
RUNS = ("site run", "federation run")
"""Which tests/journeys/test_federation.py starts, with the same words."""


def commands() -> list[list[str]]:
    """The words of each command line of the page, in order."""
    lines = re.findall(r"^\$ sfumato (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the page says that everybody has: the schema, and a table each."""
    shutil.copy(sf.examples.adult_schema(), tmp_path / "schema.yaml")
    rows = sf.examples.adult().arrow
    for place, name in enumerate(NAMES):
        sf.Table(rows.slice(place * 500, 500)).write(tmp_path / f"{name}.csv")
    return tmp_path


def test_each_command_of_the_page_does_what_it_says(folder, run, monkeypatch):
    monkeypatch.chdir(folder)
    port = str(free_port())
    prints: dict[str, str] = {}
    for words in commands():
        line = " ".join(words)
        if line.startswith(RUNS) or words[0] == "verify":
            continue
        told = [re.sub(r"FINGERPRINT-OF-(\w+)", lambda m: prints[m[1].lower()], word) for word in words]
        done = run(*(word.replace("8102", port) for word in told), "--json").fine()
        if line.startswith("site init"):
            prints[words[2]] = done.json["fingerprint"]
        if line.startswith("federation plan"):
            for name in NAMES:
                shutil.copy(folder / "study" / "plan.json", folder / name / "plan.json")
        if line.startswith("site check"):
            assert done.json["rows"] == 500
            assert done.json["plan"] == sf.Federation("study").plan.digest.hex()
    assert sorted(prints) == sorted(NAMES)
    assert "from: age" in (folder / "north.yaml").read_text()


def test_the_page_checks_who_signed(run, tmp_path):
    made = signed_model(tmp_path)
    (words,) = [words for words in commands() if words[0] == "verify"]
    told = {name.upper(): fingerprint for name, fingerprint in made.told.items()}
    right = [re.sub(r"FINGERPRINT-OF-(\w+)", lambda m: told[m[1]], word) for word in words]
    found = run(*right, "--json").fine()
    assert [(s["name"], s["certified"], s["confirmed"]) for s in found.json["sites"]] == [
        (n, True, True) for n in NAMES
    ]
    shown = run(*right[:2]).fine().out
    assert all(
        f"site {name} signed the plan and this certificate, by the key {made.told[name]}" in shown for name in NAMES
    )
    wrong = run(*words[:2], "--site", f"north={made.told['east']}")
    assert wrong.code == 2
    assert "site north signed by the key" in wrong.err
    twice = run(*right, "--site", f"north={made.told['east']}")
    assert "north: two fingerprints are given" in twice.err
    assert "write NAME=FINGERPRINT" in run(*words[:2], "--site", "north").err


def test_what_the_page_runs_is_what_the_processes_of_the_tests_run():
    ran = [" ".join(words) for words in commands() if " ".join(words).startswith(RUNS)]
    assert ran == [
        "site run north/plan.json north.csv --ledger north.ledger",
        "federation run study -o model.sfm",
    ]
