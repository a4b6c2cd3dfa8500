"""``sfumato federation demo``: five hospitals, each a process with rows of its own, fit one model over mutual TLS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfumato.cli import terminal
from sfumato.cli.member_processes import PATIENCE, running
from sfumato.cli.side_by_side import Left, alone, in_words, measured
from sfumato.extras import require
from sfumato.federation.defaults import PORT

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
    left = Left.prepared(output)
    promised = terminal.guarantee(epsilon, terminal.DELTA)
    tables = _dealt(sf.examples.adult())
    schema = sf.Schema.load(sf.examples.adult_schema()).with_target("income")
    federation = sf.Federation.make(
        left.work / "coordinator", schema, list(tables), promised, model=model, address=f"localhost:{port}"
    )
    plan = _introduced(federation, left.work, tables)
    terminal.note(f"five hospitals with {', '.join(f'{len(t):,}' for t in tables.values())} rows, one process each ...")
    commands = {name: _command(left.work, plan, name) for name in tables}
    with running(left.work, "hospital", commands), terminal.progress() as progress:
        federated = federation.fit(left.model, patience=PATIENCE, progress=progress)
    found = sf.verify(left.model)
    with terminal.progress() as progress:
        sf.report(left.model, left.report, progress=progress)
    terminal.note("one curator with all rows, and each hospital alone, at the same epsilon ...")
    rows = {
        "central": alone(sf.examples.adult(), federated, schema, promised),
        "federated": measured(federated, schema),
        **{f"{name} alone": alone(table, federated, schema, promised) for name, table in tables.items()},
    }
    stated = found.certificate.federation
    result = {
        "sfumato": "comparison/1",
        "model": found.model,
        "epsilon": found.epsilon,
        "files": left.files,
        "hospitals": {name: len(table) for name, table in tables.items()},
        "rounds": None if stated is None else stated.rounds,
        "bytes_sent_by_a_site": None if stated is None else stated.bytes_sent,
        "comparison": rows,
    }
    left.finish(result)
    text = [
        f"{found.model} over five hospitals: epsilon {found.epsilon:.4g} recomputed, every byte verified",
        *(f"  {place}" for place in left.files.values()),
        "",
        *in_words(rows),
    ]
    terminal.answer(result, "\n".join(text), as_json, saved=True)


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


def _command(work: Path, plan: Path, name: str) -> list[object]:
    """What a hospital types to take part."""
    own = ["--site", work / name, "--mapping", work / f"{name}.yaml"]
    return ["site", "run", plan, work / f"{name}.csv", *own]
