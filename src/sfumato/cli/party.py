"""``sfumato party``: a party's side of computing on rows that none of three parties may see."""

from __future__ import annotations

import typer

from sfumato.cli import party_engine

app = typer.Typer(
    name="party",
    help="Take part as one of three parties none of whom may see the rows.",
    no_args_is_help=True,
)

app.command("install")(party_engine.install)
app.command("rehearse")(party_engine.rehearse)
