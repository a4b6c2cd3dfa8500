"""``sfumato mpc demo``: three parties, each a process with columns of its own, fit one model that none could alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sfumato.cli import terminal
from sfumato.cli.encrypted_demo import encrypted, engine_of
from sfumato.cli.member_processes import PATIENCE, running
from sfumato.cli.side_by_side import Left, alone, in_words, measured
from sfumato.extras import require
from sfumato.federation.defaults import PORT

if TYPE_CHECKING:
    from sfumato import Federation, Schema, Table

_HELD = {
    "registry": ("age", "marital-status", "relationship", "race", "sex", "native-country"),
    "employer": ("workclass", "fnlwgt", "education", "education-num", "occupation", "hours-per-week"),
    "treasury": ("capital-gain", "capital-loss", "income"),
}
"""Columns of each party; education and its number depend on each other, and stay together."""
_KEY = "person"
"""Column that is added, by which the parties know a person."""
_NOISE = math.sqrt(3 / 2)
"""How many times as wide the noise is as one curator's, for three parties of which one may be curious."""
_LACKED = 0.02
"""Share of all persons whom a party has no row of: each party lacks others."""
_MOST_PERSONS = 40_000
"""That a party may have: a public number, above how many there are."""


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("demo/mpc"),
    epsilon: Annotated[float, typer.Option(help="Privacy loss.")] = 1.0,
    model: Annotated[str, typer.Option(help="Model, over marginals.")] = "auto",
    port: Annotated[int, typer.Option(help="Port of this machine that the parties call.", min=1, max=65535)] = PORT,
    engine: Annotated[
        Path | None, typer.Option(help="Folder of the engine for secret shares. Default: among the user's data.")
    ] = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Adult census split by columns among three parties who find whom they have in common, and count on shares.

    Each is a process, over mutual TLS; beside them is one curator of the common persons.
    """
    import sfumato as sf

    require("federated", "the demonstration")
    require("mpc", "the demonstration")
    require("report", "the demonstration")
    left = Left.prepared(output)
    promised = terminal.guarantee(epsilon, terminal.DELTA)
    people = sf.examples.adult()
    schema = sf.Schema.load(sf.examples.adult_schema()).with_target("income")
    common = _written(left.work)
    federation = sf.Federation.make(
        left.work / "receiver",
        _with_key(schema),
        list(_HELD),
        promised,
        model=model,
        address=f"localhost:{port}",
        columns=_HELD,
        key=_KEY,
        most_persons=_MOST_PERSONS,
    )
    plan, told = _introduced(federation, left.work)
    held = ", ".join(f"{name} {len(columns)}" for name, columns in _HELD.items())
    terminal.note(
        f"three parties, each of which lacks some of {len(people):,} persons, one process each; columns: {held}"
    )
    commands = {name: _command(left.work, plan, name) for name in _HELD}
    with running(left.work, "party", commands), terminal.progress() as progress:
        together = federation.fit(left.model, patience=PATIENCE, progress=progress)
    found = sf.verify(left.model, sites=told)
    with terminal.progress() as progress:
        sf.report(left.model, left.report, progress=progress)
    terminal.note("one curator with all columns, at the same epsilon, and with noise as wide as the parties' ...")
    rows = {
        "central": alone(common, together, schema, promised),
        f"central, noise x {_NOISE:.2f}": alone(common, together, schema, promised.with_noise(_NOISE)),
        "parties": measured(together, schema),
    }
    shown = encrypted(engine_of(engine), schema, _with_key(schema), _KEY, _HELD)
    stated = found.certificate.federation
    result = {
        "sfumato": "comparison/1",
        "model": found.model,
        "epsilon": found.epsilon,
        "files": left.files,
        "parties": {name: list(columns) for name, columns in _HELD.items()},
        "alignment": None if stated is None or stated.split is None else stated.split.alignment,
        "fingerprints": told,
        "rounds": None if stated is None else stated.rounds,
        "bytes_sent_by_a_party": None if stated is None else stated.bytes_sent,
        "comparison": rows,
        "encrypted_training": shown,
    }
    left.finish(result)
    signed = sum(site.certified and bool(site.confirmed) for site in found.sites)
    text = [
        f"{found.model} over three parties: epsilon {found.epsilon:.4g} recomputed, every byte verified, {signed}"
        " signatures of parties by their fingerprints",
        *(f"  {place}" for place in left.files.values()),
        "",
        *in_words(rows),
        "",
        *_trained(shown),
    ]
    terminal.answer(result, "\n".join(text), as_json, saved=True)


def _trained(shown: Mapping[str, Any] | None) -> list[str]:
    """The training on shares, for people."""
    if shown is None:
        return ["no training on secret shares: the engine is not installed (sfumato party install engine)"]
    return [
        f"an autoencoder, {shown['steps']} steps on shares without differential privacy, for {shown['receiver']}:"
        f" {shown['seconds']['on shares']:.0f} s, its plain twin {shown['seconds']['in the open']:.0f} s",
        *in_words({name: shown[name] for name in ("on shares", "in the open")}),
    ]


def _with_key(schema: Schema) -> Schema:
    """The example's schema, with the column by which parties know a person."""
    import sfumato as sf

    key = sf.Schema.parse(f"sfumato: schema/1\ncolumns: {{{_KEY}: {{kind: identifier, source: public}}}}\n")
    return schema.with_columns((*key.columns, *schema.columns))


def _written(work: Path) -> Table:
    """Write each party's table of the persons that it has, in an order of its own; the rows of those whom all have."""
    import numpy as np

    import sfumato as sf

    people = sf.examples.adult().arrow
    rows = people.append_column(_KEY, [[f"{i:05d}" for i in range(len(people))]])
    common = set(range(len(rows)))
    for seed, (name, columns) in enumerate(_HELD.items()):
        order = np.random.default_rng(seed).permutation(len(rows))[int(_LACKED * len(rows)) :]
        sf.Table(rows.select([_KEY, *columns]).take(order)).write(work / f"{name}.csv")
        common.intersection_update(order.tolist())
    return sf.Table(people.take(sorted(common)))


def _introduced(federation: Federation, work: Path) -> tuple[Path, Mapping[str, str]]:
    """Keys of all parties and their requests: the plan, and the fingerprints that they tell each other."""
    import sfumato as sf

    made = {name: sf.Site.make(work / name, name) for name in _HELD}
    plan = federation.invite([request for _, request in made.values()])
    told = {name: site.fingerprint for name, (site, _) in made.items()}
    for name, (site, _) in made.items():
        site.confirm({other: known for other, known in told.items() if other != name})
    return plan, told


def _command(work: Path, plan: Path, name: str) -> list[object]:
    """What a party types to take part."""
    return ["party", "run", plan, work / f"{name}.csv", "--party", work / name]
