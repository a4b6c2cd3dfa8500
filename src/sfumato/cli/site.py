"""``sfumato site``: a site's side of a fit over sites that keep their rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sfumato.atomic import atomic_new
from sfumato.cli import terminal
from sfumato.federation.defaults import SILENCE

app = typer.Typer(
    name="site",
    help="Take part in a fit with rows that stay here. In turn: init, confirm, check, run.",
    no_args_is_help=True,
)
PlanFile = Annotated[Path, typer.Argument(help="The plan that the coordinator sent.", metavar="PLAN")]
Data = Annotated[str, typer.Argument(help="The rows of this site; they stay here.", metavar="DATA")]
LedgerFile = Annotated[
    Path | None, typer.Option("--ledger", help="Ledger of these rows. Default: beside DATA, with .ledger added.")
]
Keys = Annotated[
    Path | None, typer.Option("--site", help="Folder of this site. Default: that of PLAN.", metavar="FOLDER")
]
Mapping = Annotated[
    Path | None, typer.Option(help="The site's own file, which maps DATA to the schema (site map drafts it).")
]
Honest = Annotated[
    int | None,
    typer.Option(
        "--min-honest-noise",
        help="Sites that you rely on to be honest, yours too; a plan needing more is refused.",
    ),
]

Wait = Annotated[float, typer.Option(help="Seconds to wait for the coordinator, and to go on without a word of it.")]


@app.command("init")
def init(
    folder: Annotated[Path, typer.Argument(help="New folder of this site.", metavar="FOLDER")],
    name: Annotated[str, typer.Option(help="Name of this site.")],
    capacity: Annotated[
        int | None,
        typer.Option(help="Rows that this site may ever hold: a public number, not read off the rows.", min=1),
    ] = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Make the keys of this site, which stay in FOLDER, and a request for the coordinator."""
    make_keys(folder, name, capacity, ("coordinator", "sites"), as_json)


def make_keys(
    folder: Path,
    name: str,
    capacity: int | None,
    called: tuple[str, str],
    as_json: bool,
    engine: str | None = None,
) -> None:
    """Make the keys; ``called``: what whoever gets the request is, and the others; ``engine``: of a party, where."""
    import sfumato as sf

    receiver, others = called
    site, request = sf.Site.make(folder, name, capacity, engine=engine)
    result = {"folder": str(folder), "request": str(request), "fingerprint": site.fingerprint}
    text = (
        f"{request}: send this file to the {receiver}\nfingerprint: {site.fingerprint}\ntell it to the other {others}"
    )
    text += " yourself, by phone or on paper, and keep the folder secret: the keys are in it"
    terminal.answer(result, text, as_json, saved=True)


@app.command("confirm")
def confirm(
    folder: Annotated[Path, typer.Argument(help="Folder of this site.", metavar="FOLDER")],
    told: Annotated[
        list[str], typer.Argument(help="What each other site told you itself.", metavar="NAME=FINGERPRINT...")
    ],
    as_json: terminal.AsJson = False,
) -> None:
    """Take in the fingerprints of the other sites, as they told you themselves."""
    import sfumato as sf

    confirmed = terminal.fingerprints(told)
    sf.Site(folder).confirm(confirmed)
    names = list(confirmed)
    terminal.answer({"confirmed": names}, f"confirmed: {', '.join(names)}", as_json, saved=True)


@app.command("map")
def map_(
    plan: PlanFile,
    data: Data,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where the draft goes; default: shown.")] = None,
    site: Keys = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Draft site.yaml, which says how DATA's columns, labels, units and null marks are those of PLAN's schema.

    The heading of DATA is read, and no row.
    """
    import sfumato as sf

    draft = sf.Site(site or plan.parent).draft_mapping(plan, data)
    if output is None:
        terminal.answer({"mapping": draft}, draft, as_json)
        return
    with atomic_new(output) as stream:
        stream.write(draft.encode())
    terminal.answer({"written": str(output)}, f"{output}: fill in the lines with a question mark", as_json, saved=True)


@app.command("check")
def check(
    plan: PlanFile,
    data: Data,
    mapping: Mapping = None,
    site: Keys = None,
    honest: Honest = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Try all that can be tried without the others: nothing is sent, and nothing charged."""
    import sfumato as sf

    with terminal.progress(quiet=as_json) as progress:
        found = sf.Site(site or plan.parent).check(plan, data, mapping=mapping, honest=honest, progress=progress)
    terminal.answer(found.to_dict(), str(found), as_json)


@app.command("run")
def run(
    plan: PlanFile,
    data: Data,
    ledger: LedgerFile = None,
    mapping: Mapping = None,
    site: Keys = None,
    honest: Honest = None,
    wait: Wait = SILENCE,
    as_json: terminal.AsJson = False,
) -> None:
    """Take part in the run of PLAN, until the coordinator says that it is over."""
    import sfumato as sf

    here = sf.Site(site or plan.parent)
    with terminal.progress(quiet=as_json) as progress:
        said = terminal.note
        here.run(plan, data, ledger=ledger, mapping=mapping, honest=honest, patience=wait, progress=progress, said=said)
    terminal.answer({"site": here.name, "done": True}, f"site {here.name}: the run is over", as_json, saved=True)
