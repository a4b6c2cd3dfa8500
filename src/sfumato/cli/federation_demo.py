"""``sfumato federation demo``: five hospitals, each a process with rows of its own, fit one model over mutual TLS."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sfumato.atomic import atomic_write, check_writable
from sfumato.cli import terminal
from sfumato.extras import require
from sfumato.federation.defaults import PORT
from sfumato.outputs import COMPARISON, MODEL, REPORT
from sfumato.printable import printable

if TYPE_CHECKING:
    from sfumato import Federation, Table

_SHARES = {"bonn": 14_000, "lyon": 9_000, "oslo": 6_000, "turin": 2_700, "graz": 861}
"""Rows of each hospital: together all of the example, no two alike."""
_OWN_WORDS = {
    "bonn": {"names": {"age": "Alter", "sex": "Geschlecht"}, "sex": {"weiblich": "Female", "maennlich": "Male"}},
    "lyon": {"names": {"age": "annees", "income": "revenu"}, "income": {"haut": ">50K", "bas": "<=50K"}},
    "oslo": {"names": {"race": "etnisitet"}, "race": {"hvit": "White", "svart": "Black"}},
    "turin": {"names": {"sex": "sesso"}, "sex": {"f": "Female", "m": "Male"}},
    "graz": {"names": {}},
}
"""What a hospital calls columns and labels of the schema; graz writes as the schema says."""
_MEASURES = {"auc": "tstr_auc_gradient_boosting", "tvd2": "tvd2", "tvd3": "tvd3", "query3": "query3"}
"""Names in the comparison, and in an evaluation."""
_PATIENCE = 120.0
"""Seconds to wait for the hospitals, and for them to end."""


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("demo/federated"),
    epsilon: Annotated[float, typer.Option(help="Privacy loss.")] = 1.0,
    model: Annotated[str, typer.Option(help="Model that all of them fit.")] = "auto",
    port: Annotated[int, typer.Option(help="Port of this machine that the hospitals call.", min=1, max=65535)] = PORT,
    as_json: terminal.AsJson = False,
) -> None:
    """Adult census dealt out to five hospitals: one secure fit over mutual TLS, beside one curator and each alone."""
    import sfumato as sf

    require("federated", "the demonstration")
    require("report", "the demonstration")
    places = {n: output / n for n in ("model.sfm", "report.html", "comparison.json")}
    work = output / "work"
    _prepared(output, work)
    check_writable(places["model.sfm"], MODEL)
    check_writable(places["report.html"], REPORT)
    check_writable(places["comparison.json"], COMPARISON)
    promised = terminal.guarantee(epsilon, terminal.DELTA)
    tables = _dealt(sf.examples.adult())
    schema = sf.Schema.load(sf.examples.adult_schema()).with_target("income")
    federation = sf.Federation.make(
        work / "coordinator", schema, list(tables), promised, model=model, address=f"localhost:{port}"
    )
    plan = _introduced(federation, work, tables)
    terminal.note(f"five hospitals with {', '.join(f'{len(t):,}' for t in tables.values())} rows, one process each ...")
    with _running(work, plan, list(tables)), terminal.progress() as progress:
        federated = federation.fit(places["model.sfm"], patience=_PATIENCE, progress=progress)
    found = sf.verify(places["model.sfm"])
    with terminal.progress() as progress:
        sf.report(places["model.sfm"], places["report.html"], progress=progress)
    terminal.note("one curator with all rows, and each hospital alone, at the same epsilon ...")
    fits = {"central": sf.examples.adult(), **{f"{name} alone": table for name, table in tables.items()}}
    rows = {}
    for name, table in fits.items():
        alone = sf.Synthesizer(schema, federated.model, promised, ledger=sf.Ledger.open(None)).fit(table)
        rows[name] = _measured(alone.sample(len(sf.examples.adult()), seed=0), schema)
    rows = {"central": rows.pop("central"), "federated": _measured(_drawn(federated), schema), **rows}
    stated = found.certificate.federation
    result = {
        "sfumato": "comparison/1",
        "model": found.model,
        "epsilon": found.epsilon,
        "files": {name: str(place) for name, place in places.items()},
        "hospitals": {name: len(table) for name, table in tables.items()},
        "rounds": None if stated is None else stated.rounds,
        "bytes_sent_by_a_site": None if stated is None else stated.bytes_sent,
        "comparison": rows,
    }
    with atomic_write(places["comparison.json"], COMPARISON) as stream:
        stream.write(json.dumps(result, indent=1).encode())
    shutil.rmtree(work)
    text = [
        f"{found.model} over five hospitals: epsilon {found.epsilon:.4g} recomputed, every byte verified",
        *(f"  {place}" for place in places.values()),
        "",
        *_table(rows),
    ]
    terminal.answer(result, "\n".join(text), as_json, saved=True)


def _prepared(output: Path, work: Path) -> None:
    import sfumato as sf

    try:
        output.mkdir(parents=True, exist_ok=True)
        if work.exists():
            shutil.rmtree(work)  # of a demonstration that was stopped
        work.mkdir(mode=0o700)
    except OSError as error:
        raise sf.SfumatoError(f"-o {output}: cannot be made a folder ({error.strerror}); name another") from None


def _dealt(people: Table) -> dict[str, Table]:
    """The example's rows by hospital, in the order of years of schooling: each has people that others lack."""
    import sfumato as sf

    rows = people.arrow.sort_by("education-num")
    dealt, start = {}, 0
    for name, share in _SHARES.items():
        dealt[name] = sf.Table(rows.slice(start, share))
        start += share
    return dealt


def _introduced(federation: Federation, work: Path, tables: Mapping[str, Table]) -> Path:
    """Keys of all hospitals, their requests, the plan, and the fingerprints that they tell each other."""
    import sfumato as sf

    made = {name: sf.Site.make(work / name, name) for name in tables}
    plan = federation.invite([request for _, request in made.values()])
    told = {name: site.fingerprint for name, (site, _) in made.items()}
    for name, (site, _) in made.items():
        site.confirm({other: known for other, known in told.items() if other != name})
        _written(work, name, tables[name])
    return plan


def _written(work: Path, name: str, table: Table) -> None:
    """A hospital's table in its own words, and its own file that says what they mean."""
    import sfumato as sf

    own = _OWN_WORDS[name]
    names = own["names"]
    rows = table.arrow
    for column, labels in own.items():
        if column != "names":
            back = {label: ours for ours, label in labels.items()}
            said = [back.get(cell, cell) for cell in rows[column].to_pylist()]
            rows = rows.set_column(rows.column_names.index(column), column, [said])
    sf.Table(rows.rename_columns([names.get(c, c) for c in rows.column_names])).write(work / f"{name}.csv")
    lines = ["sfumato: site/1", "columns:"]
    for column in table.columns:
        labels = "" if column not in own or column == "names" else f", labels: {json.dumps(own[column])}"
        lines.append(f"  {column}: {{from: {json.dumps(names.get(column, column))}{labels}}}")
    (work / f"{name}.yaml").write_text("\n".join([*lines, ""]))


@contextmanager
def _running(work: Path, plan: Path, names: Sequence[str]) -> Iterator[None]:
    """A process for each hospital, while the block lasts."""
    import sfumato as sf

    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in names:
            command = [sys.executable, "-m", "sfumato.cli", "site", "run", str(plan), str(work / f"{name}.csv")]
            options = ["--site", str(work / name), "--mapping", str(work / f"{name}.yaml")]
            with (work / f"{name}.log").open("wb") as log:
                started[name] = subprocess.Popen([*command, *options], stdout=log, stderr=log)
        yield
        for name, process in started.items():
            if process.wait(_PATIENCE):
                last = (work / f"{name}.log").read_text(errors="replace").strip().splitlines()[-1:]
                raise sf.SfumatoError(f"hospital {name} ended with code {process.returncode}: {' '.join(last)}")
    finally:
        for process in started.values():
            if process.poll() is None:
                process.terminate()
                process.wait(_PATIENCE)


def _drawn(fitted: Any) -> Table:
    import sfumato as sf

    return fitted.sample(len(sf.examples.adult()), seed=0)


def _measured(drawn: Table, schema: Any) -> dict[str, float]:
    """What synthetic rows are good for, against rows that no model saw."""
    import sfumato as sf

    found = sf.evaluate(sf.examples.adult(), sf.examples.adult_test(), drawn, schema, "income", quick=True)
    return {name: found.measures[measure].value for name, measure in _MEASURES.items()}


def _table(rows: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The comparison for people."""
    head = f"{'':<16}" + "".join(f"{name:>10}" for name in _MEASURES)
    lines = [f"{printable(name):<16}" + "".join(f"{row[m]:>10.4f}" for m in _MEASURES) for name, row in rows.items()]
    said = "auc: income of unseen people, learnt from synthetic rows (more is better); the others: distances (less)"
    return [head, *lines, said]
