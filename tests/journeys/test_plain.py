"""The wheel without extras: five commands go the whole way, and every other one ends with the line that installs."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.journeys.conftest import HEADER, Done, environment, people, write_csv
from tests.journeys.test_parties import HELD
from tests.journeys.test_parties import SCHEMA as PARTIES_SCHEMA
from tests.release.test_consistency import STEPS, charged, saved

import sfumato as sf
from sfumato.encoding.domain import Domain
from sfumato.extras import EXTRAS
from sfumato.models import MODELS
from sfumato.models.choose import choose
from sfumato.release.artifact import Artifact
from sfumato.release.certificate import NoCertificate

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NO_OTHERS = """
import sys
from importlib.machinery import PathFinder

class Plain(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {others!r} else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Plain
"""
PACKAGES = sorted({package for packages in EXTRAS.values() for package in packages})


def closure(requirements: Iterable[str]) -> set[str]:
    """The distributions that pip would install for them here, by what their metadata asks for."""
    found: set[str] = set()
    waiting = [(Requirement(r), "") for r in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        new = {"", *requirement.extras} if name not in found else requirement.extras
        found.add(name)
        try:
            asked = requires(name) or []
        except PackageNotFoundError:  # of a requirement that this platform's environment lacks
            continue
        waiting += [(Requirement(text), e) for e in new for text in asked]
    return found


@cache
def others() -> frozenset[str]:
    """The modules that are installed here, and that the dependencies of the wheel do not bring."""
    core = closure(PROJECT["dependencies"])
    known = packages_distributions().items()
    return frozenset(module for module, names in known if not core & set(map(canonicalize_name, names))) - {"sfumato"}


def run_plain(folder: Path, command: list[str], source: Path = ROOT / "src") -> Done:
    """A process that finds sfumato and what the plain wheel brings, and nothing else that is installed."""
    hook = folder / "hook"
    hook.mkdir(exist_ok=True)
    (hook / "sitecustomize.py").write_text(NO_OTHERS.format(others=set(others())))
    env = {**environment(), "PYTHONPATH": os.pathsep.join((str(source), str(hook)))}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


Command = Callable[..., Done]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    write_csv(folder / "people.csv", HEADER, people(300))
    few = sf.Table(sf.examples.digits().arrow.slice(0, 200))
    few.write(folder / "digits.npz")
    shutil.copy(sf.examples.digits_schema(), folder / "digits.yaml")
    few.write(folder / "pictures")
    return folder


@pytest.fixture(scope="module")
def sfumato(folder: Path) -> Command:
    return lambda line: run_plain(folder, ["-m", "sfumato.cli", *line.split()])


@pytest.fixture(scope="module")
def model(folder: Path, sfumato: Command) -> Path:
    """Five commands, from the bytes of a table to those of a synthetic one."""
    sfumato("sketch people.csv -o draft.yaml").fine()
    sfumato("review draft.yaml --template answers.yaml").fine()
    answers = (folder / "answers.yaml").read_text()
    for empty, filled in (("by", "A. Reader"), ("on", "2026-01-31"), ("public", "published")):
        answers = answers.replace(f'{empty}: ""', f'{empty}: "{filled}"')
    (folder / "answers.yaml").write_text(answers)
    sfumato("review draft.yaml --answers answers.yaml -o schema.yaml").fine()
    sfumato("fit people.csv --schema schema.yaml --epsilon 1 --delta 1e-6 -o model.sfm").fine()
    return folder / "model.sfm"


def test_the_stand_in_finds_what_the_wheel_brings_and_no_extra(folder: Path) -> None:
    code = f"""
import numpy, scipy, pyarrow, pydantic, cryptography, dp_accounting, safetensors, yaml
from importlib import import_module
for name in {PACKAGES}:
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        assert error.name == name
    else:
        raise AssertionError(name)
"""
    run_plain(folder, ["-c", code]).fine()


def test_the_whole_way_needs_no_extra(folder: Path, sfumato: Command, model: Path) -> None:
    assert "VALID" in sfumato(f"verify {model.name}").fine().out
    sfumato(f"sample {model.name} -n 50 -o synthetic.csv").fine()
    lines = (folder / "synthetic.csv").read_text().splitlines()
    assert (lines[0], len(lines)) == (",".join(HEADER), 51)
    sfumato("ledger people.csv.ledger").fine()


def test_images_need_no_extra_but_for_picture_files(folder: Path, sfumato: Command) -> None:
    fitted = sfumato("fit digits.npz --schema digits.yaml --epsilon 8 --delta 1e-6 -o digits.sfm --json").fine().json
    assert fitted["algorithm"] == "class-mixture"
    sfumato("sample digits.sfm -n 30 -o drawn.npz").fine()
    for output in ("grid.png", "pictures-out"):
        sfumato(f"sample digits.sfm -n 30 -o {output}").refused(install("images"))
        assert not (folder / output).exists()


def install(extra: str) -> str:
    return f'needs the extra [{extra}]: pip install "sfumato[{extra}]"'


@pytest.mark.parametrize(
    ("line", "extra"),
    [
        ("report model.sfm -o report.html", "report"),
        ("evaluate --real people.csv --holdout people.csv --synthetic people.csv --schema schema.yaml", "report"),
        ("audit --real people.csv --holdout people.csv --synthetic people.csv --schema schema.yaml", "report"),
        ("fit people.csv --schema schema.yaml --model gan -o out.sfm", "networks"),
        ("fit digits.npz --schema digits.yaml --model mean-embedding -o out.sfm", "networks"),
        ("fit pictures --schema digits.yaml -o out.sfm", "images"),
        ("fit duckdb://people.duckdb?table=people --schema schema.yaml --ledger people.csv.ledger -o out.sfm", "sql"),
    ],
)
def test_what_needs_an_extra_names_it_and_charges_nothing(
    folder: Path, sfumato: Command, model: Path, line: str, extra: str
) -> None:
    before = states(folder)
    sfumato(line).refused(install(extra))
    assert states(folder) == before


def states(folder: Path) -> Mapping[str, bytes]:
    """Every file with its bytes, the ledger among them."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_demo_says_so_before_it_fits(sfumato: Command) -> None:
    done = sfumato("demo -o demo-out")
    assert done.code == 2
    assert done.err.splitlines()[-1].endswith(install("report"))


def test_a_saved_network_names_the_extra(folder: Path, sfumato: Command, model: Path) -> None:
    whole = Artifact.load(model)
    network = replace(
        whole,
        model={**whole.model, "name": "vae"},
        certificate=NoCertificate(reason="it was renamed").to_dict(),
    )
    network.save(folder / "network.sfm")
    sfumato("sample network.sfm -n 5 -o drawn.csv").refused(install("networks"))


def test_steps_of_dp_sgd_are_checked_without_networks(folder: Path, sfumato: Command, model: Path) -> None:
    saved(folder / "steps.sfm", Artifact.load(model), charged(STEPS))
    sfumato("verify steps.sfm").refused("says something else than follows from its figures")


@pytest.mark.parametrize("columns", [1, 2, 30, 100])
@pytest.mark.parametrize("target", [None, 0])
def test_auto_chooses_no_model_that_needs_an_extra(columns: int, target: int | None) -> None:
    domain = Domain.of(tuple(f"c{i}" for i in range(columns)), (2,) * columns)
    for guarantee in (sf.Guarantee(0.1), sf.Guarantee(10), sf.Guarantee(math.inf)):
        assert MODELS[choose(domain, target, guarantee).name, "table"].extra is None


@pytest.mark.parametrize("module", ["tables/rows", "models/marginals/aim"])
def test_a_planted_import_is_found(tmp_path: Path, folder: Path, module: str) -> None:
    shutil.copytree(ROOT / "src" / "sfumato", tmp_path / "sfumato", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "sfumato" / f"{module}.py"
    path.write_text(
        path.read_text()
        .replace("\nfrom pathlib", "\nimport jax\nfrom pathlib", 1)
        .replace("\nimport numpy", "\nimport jax\nimport numpy", 1)
    )
    code = "from sfumato.models import MODELS\nimport sfumato\nsfumato.load\nMODELS['aim', 'table'].recipe()"
    run_plain(folder, ["-c", code]).fine()
    done = run_plain(folder, ["-c", code], tmp_path)
    assert done.code == 1
    assert re.search(r"No module named 'jax'|jax is not installed", done.err)


@pytest.mark.parametrize("listed", [True, False], ids=["list", "intersection"])
def test_a_party_checks_its_table_and_needs_an_extra_where_there_is_no_list(tmp_path: Path, listed: bool) -> None:
    """Where it is missing, that is said before anything else: here there is not even a table."""
    (tmp_path / "persons.txt").write_text("P-0001\nP-0002\n")
    who = {"persons": tmp_path / "persons.txt"} if listed else {"most_persons": 10}
    schema, promise = sf.Schema.parse(PARTIES_SCHEMA), sf.Guarantee(1, 1e-6)
    made = sf.Federation.make(
        tmp_path / "co", schema, list(HELD), promise, model="mst", columns=HELD, key="person", **who
    )
    sites = {name: sf.Site.make(tmp_path / name, name) for name in HELD}
    plan = made.invite([request for _, request in sites.values()])
    told = {name: site.fingerprint for name, (site, _) in sites.items()}
    sites["insurer"][0].confirm({name: known for name, known in told.items() if name != "insurer"})
    line = ["-m", "sfumato.cli", "party", "check", str(plan), "insurer.csv", "--party", "insurer"]
    if not listed:
        run_plain(tmp_path, line).refused(install("mpc"))
        return
    (tmp_path / "insurer.csv").write_text("person,smokes\nP-0001,true\nP-0002,false\n")
    done = run_plain(tmp_path, [*line, "--persons", "persons.txt"])
    assert done.code == 0, done.err
    assert "2 rows would take part" in done.out
