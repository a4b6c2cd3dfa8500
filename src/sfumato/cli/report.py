"""``sfumato report``: one HTML file for the privacy officer and the data scientist."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import terminal


def report(
    models: Annotated[
        list[Path],
        typer.Argument(help="A saved model; more of the same table draw a curve over epsilon.", metavar="MODEL.SFM"),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="HTML file.")],
    real: Annotated[str | None, typer.Option(help="The rows it was fitted to: makes an internal report.")] = None,
    holdout: Annotated[str | None, typer.Option(help="Rows of the same population that were not used.")] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="The data set's ledger, whose runs an internal report lists.")
    ] = None,
    releasable: Annotated[bool, typer.Option("--releasable", help="Only what was declared or paid for.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="In a third of the time: fewer attacks, measures and rows; it says which.")
    ] = False,
    as_json: terminal.AsJson = False,
) -> None:
    """Write a self-contained report: internal with real rows, releasable without."""
    import sfumato as sf

    with terminal.progress() as progress:
        found = sf.report(
            models[0],
            output,
            real,
            holdout,
            others=models[1:],
            ledger=ledger,
            build="releasable" if releasable else None,
            suite="quick" if quick else "full",
            progress=progress,
        )
    terminal.answer(found.to_dict(), str(found), as_json, saved=True)
