"""What the documentation tells people to write works as written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main
import yaml

from sfumato.cli.main import app
from sfumato.release.certificate import KIND
from sfumato.release.guarantee_fixes import GUARANTEE_FIXES, lacking
from sfumato.schema import Schema
from sfumato.schema.site_mapping import SiteMapping

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str) -> list[str]:
    pattern = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [block for page in PAGES for block in pattern.findall(page.read_text(encoding="utf-8"))]


def command_lines() -> list[str]:
    shown = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]
    return sorted({line.split("  #")[0].strip() for line in shown if line.startswith("sfumato ")})


def unknown_options(line: str) -> list[str]:
    """The words of a command line that the program does not know."""
    command = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while known := getattr(command, "commands", {}):
        name, *words = words
        if name not in known:
            return [name]
        command = known[name]
    options = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
    return [word for word in words if word.startswith("-") and word not in options]


@pytest.mark.parametrize("line", command_lines())
def test_every_command_line_shown_exists(line: str) -> None:
    assert unknown_options(line) == []


def test_a_planted_option_is_found() -> None:
    assert unknown_options("sfumato fit people.csv --magic 3") == ["--magic"]
    assert unknown_options("sfumato conjure") == ["conjure"]


def test_every_whole_schema_shown_is_valid() -> None:
    whole = [block for block in blocks("yaml") if block.startswith("sfumato: schema")]
    assert whole
    for block in whole:
        assert Schema.parse(block).unreviewed() == []


def test_every_file_of_a_site_shown_is_valid() -> None:
    schema = Schema.parse("""\
sfumato: schema/1
columns:
  height: {kind: integer, bounds: [50, 250], unit: cm, source: public}
  sex: {kind: category, categories: [Female, Male], source: public}
  born: {kind: date, bounds: [1900-01-01, 2020-12-31], nullable: true, source: public}
""")
    shown = [block for block in blocks("yaml") if block.startswith("sfumato: site")]
    assert shown
    for block in shown:
        assert SiteMapping.parse(block, schema).columns


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if not target.startswith(("http:", "https:"))]
    assert [target for target in local if not (page.parent / target).exists()] == []


def titles(changelog: str) -> list[str]:
    """The bold words that begin each entry under *Guarantee fixes*."""
    sections = re.findall(r"^### Guarantee fixes\n(.*?)(?=^##)", changelog, re.MULTILINE | re.DOTALL)
    entries = [entry for section in sections for entry in re.findall(r"^- .*$", section, re.MULTILINE)]
    return [" ".join(re.findall(r"^- \*\*(.*?)\*\*", entry)) for entry in entries]


def test_the_guarantee_fixes_in_the_code_are_those_of_the_changelog() -> None:
    assert sorted(titles((ROOT / "CHANGELOG.md").read_text())) == sorted(fix.title for fix in GUARANTEE_FIXES)
    assert len(lacking("sfumato/certificate/1")) > 0
    assert lacking(KIND) == ()
    assert titles("### Guarantee fixes\n\n- **New.** Said.\n- None\n### Added\n- x\n") == ["New.", ""]


def pages_of(nav: object) -> list[str]:
    """The pages of a table of contents; fails where one has a title of its own beside that of the page."""
    if isinstance(nav, str):
        return [nav]
    if isinstance(nav, dict):
        assert all(isinstance(part, list) for part in nav.values()), nav
        return [page for part in nav.values() for page in pages_of(part)]
    assert isinstance(nav, list)
    return [page for part in nav for page in pages_of(part)]


def test_the_contents_name_each_page_once_and_by_its_own_title() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    found = pages_of(settings["nav"])
    assert sorted(found) == sorted(str(page.relative_to(ROOT / "docs")) for page in PAGES[1:])
    assert {"search", "offline"} <= set(filter(lambda plugin: isinstance(plugin, str), settings["plugins"]))
    for script in settings["extra"]["polyfills"]:  # of our own, for what is fetched is not there without a network
        assert (ROOT / "docs" / script).exists()
    for name in found:
        text = re.sub(r"^```.*?^```", "", (ROOT / "docs" / name).read_text(encoding="utf-8"), flags=re.M | re.S)
        assert len(re.findall(r"^# \S", text, flags=re.M)) == 1, name
    with pytest.raises(AssertionError):
        pages_of([{"Another title": "tutorial.md"}])


def test_what_is_written_is_built_before_it_is_taken() -> None:
    """With every warning an error: a link or an anchor that leads nowhere, a page that the contents leave out."""
    assert "make --silent docs\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    recipe = re.findall(r"^docs:.*\n\t(.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M)
    assert ["mkdocs build --strict" in line for line in recipe] == [True]
