"""The runner of ``benchmarks.edges`` takes nothing for met that is not there; the audits see the parsers of old.

Error rates: the right build is accused with probability at most ``ACCUSED``. Eighty games a side show an epsilon of at
most log(60 / 7) with that confidence.
"""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

import pytest
from benchmarks.edges import audits
from benchmarks.edges.__main__ import PARTS, main, wanted

ACCUSED = 1e-3
MODULES = {
    "right": 'def figures(size=3): return [{"name": "a", "value": size, "limit": 3, "met": size <= 3}]',
    "wrong": 'def figures(): return [{"name": "b", "value": 4, "limit": 3, "met": False}]',
    "fails": 'def figures(): raise ValueError("ended")',
    "dies": "import os\ndef figures(): os._exit(0)",
    "nothing": "def figures(): return []",
    "no figures": 'def figures(): return [{"value": 1}]',
    "no value": 'def figures(): return [{"name": "c", "value": None, "limit": 1, "met": True}]',
    "no number": 'def figures(): return [{"name": "d", "value": float("nan"), "limit": 1, "met": True}]',
    "half true": 'def figures(): return [{"name": "e", "value": 1, "limit": 1, "met": "yes"}]',
}


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Parts that end in every way there is; one that is not there."""
    found = {"missing": "part_that_is_not_there"}
    for i, (name, text) in enumerate(MODULES.items()):
        (tmp_path / f"edge_part_{i}.py").write_text(text)
        found[name] = f"edge_part_{i}"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    return found


def last(capfd: pytest.CaptureFixture[str]) -> dict[str, object]:
    figures = json.loads(capfd.readouterr().out.splitlines()[-1])["figures"]
    return {f["name"]: (f["value"], f["met"]) for f in figures}


def test_only_what_is_there_and_true_is_met(parts: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main([], parts) == 1
    null = (None, False)
    found = last(capfd)
    assert found.pop("d")[1] is False  # its value, no number, equals nothing
    assert found == {
        "a": (3, True),
        "b": (4, False),
        "c": null,
        "e": (1, False),
        **dict.fromkeys(("missing", "fails", "dies", "nothing", "no figures"), null),
    }


def test_a_part_alone_and_its_size(parts: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["right", "2"], parts) == 0
    assert last(capfd) == {"a": (2, True)}
    with pytest.raises(SystemExit, match="no part is called 'rihgt'"):
        wanted(["rihgt"], PARTS)


@pytest.mark.parametrize("bug", [None, *audits.PLANTED])
def test_an_audit_of_the_whole_way_sees_the_parsers_of_old(tmp_path: Path, bug: str | None) -> None:
    game = audits.Game(audits.FORMS["csv"](tmp_path), False, 0.1)
    if bug is None:
        assert game.bound(80, ACCUSED) <= 0.1
        return
    with mock.patch(*audits.PLANTED[bug]):
        assert game.bound(80, ACCUSED) > 0.1
