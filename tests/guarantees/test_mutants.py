"""The mutants of the shipped code are kept true with it, and their runner tells what was caught from what was not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.mutants import AREAS, MUTANTS, __main__, tenth
from benchmarks.mutants.mutant import Mutant, StaleMutant
from benchmarks.mutants.running import accused, check_that_copies_run, judge

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = 110
RIGHT = Mutant(
    name="a selection without the factor two",
    file="privacy/mechanisms/exponential.py",
    old="max(0.0, epsilon - ROUNDING) / (2 * sensitivity)",
    new="max(0.0, epsilon - ROUNDING) / sensitivity",
    why="an example",
    test="tests/privacy/mechanisms/test_exponential.py::test_probabilities_are_those_of_the_mechanism",
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_is_a_change_of_the_code_as_it_is(mutant: Mutant) -> None:
    assert mutant.applied() != ""
    compile(mutant.applied(), mutant.file, "exec")
    assert mutant.old != mutant.new
    assert mutant.why


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_names_tests_that_there_are(mutant: Mutant) -> None:
    for test in mutant.test.split():
        path, _, function = test.partition("::")
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not function or re.search(
            rf"^(async )?def {re.escape(function.partition('[')[0])}\(", text, re.MULTILINE
        )


def test_there_are_enough_and_each_is_told_by_its_name() -> None:
    assert len(MUTANTS) >= EXPECTED
    assert all(AREAS.values())
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize(("options", "status"), [(["--help"], 0), (["--tent"], 2), (["--no-such"], 2)])
def test_what_is_no_word_of_a_name_plants_nothing(
    options: list[str], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(__main__, "judged", lambda mutants: pytest.fail("mutants were planted"))
    with pytest.raises(SystemExit) as ended:
        __main__.main(options)
    assert ended.value.code == status


def test_words_choose_by_area_or_name() -> None:
    assert __main__.chosen(["Sites"], False) == tuple(m for m in MUTANTS if m in AREAS["sites"] or "sites" in m.name)
    assert set(__main__.chosen([], True)) < set(MUTANTS)


def test_a_tenth_is_one_of_the_commit() -> None:
    one, again, other = tenth(MUTANTS, "a"), tenth(MUTANTS, "a"), tenth(MUTANTS, "b")
    assert one == again != other
    assert len(one) == -(-len(MUTANTS) // 10)
    assert set().union(*(tenth(MUTANTS, str(i)) for i in range(200))) == set(MUTANTS), "some are never chosen"


@pytest.mark.parametrize("old", ["text that stands nowhere", "scores"])
def test_a_text_that_does_not_stand_there_once_is_named(old: str) -> None:
    with pytest.raises(StaleMutant, match=r"'a selection without the factor two'.* \d+ times, not once"):
        replace(RIGHT, old=old).applied()
    assert judge(replace(RIGHT, old=old)).outcome == "stale"


def test_what_is_caught_is_told_from_what_is_not() -> None:
    """A mistake, a change that is none, code that does not run, and a test that is not there."""
    check_that_copies_run()
    found = {
        "caught": RIGHT,
        "survived": replace(RIGHT, new="0.5 * max(0.0, epsilon - ROUNDING) / sensitivity"),
        "broken": replace(RIGHT, new="max(0.0, epsilon - ROUNDING) / sensibility"),
    }
    assert {name: judge(mutant).outcome for name, mutant in found.items()} == {name: name for name in found}
    assert judge(replace(RIGHT, test="tests/privacy/mechanisms/test_exponential.py::test_magic")).outcome == "broken"


def test_a_right_build_that_fails_is_told() -> None:
    assert accused([RIGHT]) == ()
    assert accused([replace(RIGHT, test=RIGHT.test + "_magic")]) != ()
