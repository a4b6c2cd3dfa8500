"""``sfumato party``: a party's side of computing on rows that none of three parties may see."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import party_engine, site, terminal

app = typer.Typer(
    name="party",
    help="Take part as one of three parties none of whom may see the rows. In turn: init, confirm, check, run.",
    no_args_is_help=True,
)
_THREADS = "OMP_NUM_THREADS"
"""Of matrix products, read once by what computes them. One is enough for a party: on a busy machine several mostly wait
for each other, for three times the CPU seconds."""
PartyFolder = Annotated[
    Path | None, typer.Option("--party", help="Folder of this party. Default: that of PLAN.", metavar="FOLDER")
]
WithEngine = Annotated[
    Path | None,
    typer.Option("--engine", help="Of the engine for secret shares. Default: sfumato/engine among the user's data."),
]
PersonList = Annotated[Path | None, typer.Option(help="List of the persons, where the plan was made with one.")]


@app.command("init")
def init(
    folder: Annotated[Path, typer.Argument(help="New folder of this party.", metavar="FOLDER")],
    name: Annotated[str, typer.Option(help="Name of this party.")],
    engine: Annotated[
        str | None,
        typer.Option(help="HOST:PORT under which the others reach its engine for secret shares. Default: it has none."),
    ] = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Make the keys of this party, which stay in FOLDER, and a request for the receiver."""
    site.make_keys(folder, name, None, ("receiver", "parties"), as_json, engine)


@app.command("check")
def check(
    plan: site.PlanFile,
    data: site.Data,
    persons: PersonList = None,
    mapping: site.Mapping = None,
    party: PartyFolder = None,
    engine: WithEngine = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Try all that can be tried without the others: nothing is sent, and nothing charged."""
    import sfumato as sf

    with terminal.progress(quiet=as_json) as progress:
        own = {"mapping": mapping, "persons": persons, "engine": None if engine is None else sf.Engine(engine)}
        found = sf.Site(party or plan.parent).check(plan, data, **own, progress=progress)
    terminal.answer(found.to_dict(), str(found), as_json)


@app.command("run")
def run(
    plan: site.PlanFile,
    data: site.Data,
    persons: PersonList = None,
    ledger: site.LedgerFile = None,
    mapping: site.Mapping = None,
    party: PartyFolder = None,
    engine: WithEngine = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where the model goes, at the party that obtains it from shares."),
    ] = None,
    wait: site.Wait = site.SILENCE,
    as_json: terminal.AsJson = False,
) -> None:
    """Take part in the run of PLAN, until the receiver says that it is over."""
    os.environ.setdefault(_THREADS, "1")
    import sfumato as sf

    here = sf.Site(party or plan.parent)
    with terminal.progress(quiet=as_json) as progress:
        said = terminal.note
        here.run(
            plan,
            data,
            ledger=ledger,
            mapping=mapping,
            persons=persons,
            engine=None if engine is None else sf.Engine(engine),
            output=output,
            patience=wait,
            progress=progress,
            said=said,
        )
    terminal.answer({"party": here.name, "done": True}, f"party {here.name}: the run is over", as_json, saved=True)


@app.command("share")
def share(
    plan: site.PlanFile,
    data: site.Data,
    persons: Annotated[Path, typer.Option(help="List of the persons, as the plan was made with.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")] = Path(),
    ledger: site.LedgerFile = None,
    mapping: site.Mapping = None,
    party: PartyFolder = None,
    as_json: terminal.AsJson = False,
) -> None:
    """As an owner of columns, share them to the three servers of PLAN: a sealed file for each of them.

    The ledger is charged with the whole plan. The files can be sent by any way: the servers alone can open them.
    """
    import sfumato as sf

    here = sf.Site(party or plan.parent)
    with terminal.progress(quiet=as_json) as progress:
        made = here.share(
            plan, data, output, persons=persons, ledger=ledger, mapping=mapping, progress=progress, said=terminal.note
        )
    text = "\n".join(f"{path}: send it to that server" for path in made)
    terminal.answer({"owner": here.name, "files": list(map(str, made))}, text, as_json, saved=True)


@app.command("serve")
def serve(
    plan: site.PlanFile,
    shares: Annotated[list[Path], typer.Argument(help="Files that the owners sent, one of each.", metavar="SHARES...")],
    party: PartyFolder = None,
    wait: site.Wait = site.SILENCE,
    as_json: terminal.AsJson = False,
) -> None:
    """As one of three servers, take part in the run of PLAN on what its owners shared.

    The files are deleted once the receiver says that it is over, and so is the key to open them.
    """
    os.environ.setdefault(_THREADS, "1")
    import sfumato as sf

    here = sf.Site(party or plan.parent)
    with terminal.progress(quiet=as_json) as progress:
        here.serve(plan, shares, patience=wait, progress=progress, said=terminal.note)
    terminal.answer({"server": here.name, "done": True}, f"server {here.name}: the run is over", as_json, saved=True)


app.command("confirm")(site.confirm)
app.command("map")(site.map_)
app.command("install")(party_engine.install)
app.command("rehearse")(party_engine.rehearse)
