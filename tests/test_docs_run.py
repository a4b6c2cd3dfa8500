"""Every block of Python and every command line of the README and the documentation runs as it is printed.

The tables have few rows, networks take few steps and audits play few games: what is shown is that each line runs, and
with the wheel the README runs in full. What needs a server or the checkout is listed with its reason.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from benchmarks.edges.readme import ELSEWHERE, WITH_THE_WHEEL, blocks

import sfumato as sf
from sfumato.auditing import recipe, suite
from sfumato.cli.main import main
from sfumato.models import ModelEntry

ROOT = Path(__file__).resolve().parent.parent
PAGES = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if blocks(page)]
ROWS = 1200
STEPS = 3
"""Of each training of a network."""


@pytest.fixture(scope="module", autouse=True)
def little_work():
    """Few steps, games and rows of a kind; the lines are as they are printed."""
    made = ModelEntry.recipe

    def of_few_steps(entry, settings=None):
        own = made(entry, settings)
        known = {field.name for field in dataclasses.fields(own)} if dataclasses.is_dataclass(own) else set()
        return dataclasses.replace(own, **dict.fromkeys(known & {"steps", "warm_steps"}, STEPS))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModelEntry, "recipe", of_few_steps)
        patch.setattr(suite, "MOST", dict.fromkeys(suite.MOST, suite.Most(candidates=300, synthetic=600)))
        patch.setattr(recipe, "_GAMES", dict.fromkeys(recipe._GAMES, 2000))
        patch.setattr(recipe, "_SHADOWS", 8)
        yield


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """The files that the pages speak of, from the example."""
    folder = tmp_path_factory.mktemp("given")
    everybody = sf.examples.adult().arrow
    for name, start in (("people.csv", 0), ("train.csv", 0), ("holdout.csv", ROWS), ("x.csv", 2 * ROWS)):
        sf.Table(everybody.slice(start, ROWS)).write(folder / name)
    lines = (folder / "people.csv").read_text(encoding="utf-8").splitlines()[1:]
    (folder / "people.txt").write_text("\n".join(line.replace(",", ";") for line in lines), encoding="cp1252")
    sf.Table(everybody.slice(0, 2)).write(folder / "two_rows.csv")
    shutil.copy(sf.examples.adult_schema(), folder / "schema.yaml")
    shutil.copy(sf.examples.digits_schema(), folder / "digits.yaml")
    sf.examples.digits().write(folder / "digits.npz")
    sf.generate_key(folder / "key.pem", folder / "key.pub.pem")
    fitted = sf.Synthesizer(
        folder / "schema.yaml",
        "independent",
        sf.Guarantee(1, 1e-9),
        ledger=folder / "data.ledger",
        key=folder / "key.pem",
    )
    fitted.fit(folder / "train.csv").save(folder / "model.sfm")
    small = sf.Synthesizer(sf.examples.digits_schema(), "class-gaussian", sf.Guarantee(8, 1e-6))
    small.fit(sf.examples.digits()).save(folder / "digits.sfm")
    database = pytest.importorskip("duckdb")
    for file, table in (("people.duckdb", "people"), ("hospital.duckdb", "stays")):
        with database.connect(str(folder / file)) as db:
            db.execute(f"CREATE TABLE {table} AS SELECT * FROM read_csv('{folder / 'people.csv'}', nullstr='')")
    return folder


@pytest.fixture
def folder(given, tmp_path, monkeypatch):
    shutil.copytree(given, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    few = sf.examples._handed_out(sf.examples.adult().arrow.slice(0, ROWS))  # as public as all, and faster
    monkeypatch.setattr(sf.examples, "adult", lambda: few)
    monkeypatch.setattr(sf.examples, "adult_test", lambda: sf.Table(few.arrow.slice(0, ROWS // 2)))
    return tmp_path / "work"


def reviewed(folder: Path) -> None:
    """What the pages tell the reader to do by hand: say of each fact who settles it."""
    for draft in folder.glob("*.yaml"):
        if draft.name == "answers.yaml":
            text = (
                draft.read_text(encoding="utf-8")
                .replace('by: ""', 'by: "A. Reader"')
                .replace('on: ""', "on: 2026-01-31")
            )
            draft.write_text(text.replace('public: ""', 'public: "published with the census"'), encoding="utf-8")
        elif draft.name != "draft.yaml" and sf.Schema.load(draft).unreviewed():
            known = sf.examples.adult_schema() if "workclass" in draft.read_text() else sf.examples.digits_schema()
            shutil.copy(known, draft)


def run(words: list[str]) -> None:
    if words[1] == "-c":
        exec(compile(words[2], "<block>", "exec"), {"__name__": "__main__"})
        return
    with pytest.raises(SystemExit) as ended:
        main(words[1:])
    assert ended.value.code == 0, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_runs(page, folder):
    if "vae.sfm" in page.read_text(encoding="utf-8"):  # a model that the page speaks of, and somebody else has fitted
        run(shlex.split(f"sfumato fit train.csv --schema schema.yaml --model vae -o {folder / 'vae.sfm'}"))
    for block in blocks(page):
        for words in block.commands(Path(sys.executable), WITH_THE_WHEEL):
            if words[1] == "sketch" and "-o" in words:  # a reader has no reviewed schema there, which is never replaced
                (folder / words[words.index("-o") + 1]).unlink(missing_ok=True)
            elif "review" not in words[1]:
                reviewed(folder)
            run(words)
            if "--template" in words:
                reviewed(folder)


def test_nothing_is_left_out_for_a_reason_that_no_page_gives():
    everything = "".join(block.text for page in PAGES for block in blocks(page))
    assert [part for part in ELSEWHERE if part not in everything] == []


def test_what_is_left_to_the_wheel_stands_in_the_readme_alone():
    """Its blocks run there, in an environment with all extras, and those of no other page."""
    for page in PAGES:
        steps = [step for block in blocks(page) for step in block.lines]
        left = [step for step in steps if any(part in step for part in WITH_THE_WHEEL)]
        assert bool(left) == (page.name == "README.md"), page
    wheel = (ROOT / "benchmarks" / "edges" / "environments.py").read_text(encoding="utf-8")
    assert 'blocks(ROOT / "README.md")' in wheel
    assert "make --silent wheel-test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_a_program_whose_comment_says_what_to_install_runs():
    programs = [block for block in blocks(ROOT / "README.md") if block.language == "python"]
    assert any("pip install" in block.text for block in programs)
    assert all(block.lines for block in programs)


@pytest.mark.parametrize(
    ("part", "sign"),
    [
        ("postgresql://", "postgres_server"),
        ("ibis.postgres", "postgres"),
        ("/usr/share/datasets", "/usr/share/datasets"),
        ("fashion.sfm", "fashion"),
    ],
)
def test_what_runs_elsewhere_is_tested_there(part, sign):
    (named,) = re.findall(r"tests/\S+\.py", ELSEWHERE[part])
    assert sign in (ROOT / named).read_text(encoding="utf-8")
