"""``sfumato ledger``: what a data set has cost so far, and what is left."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sfumato.cli import terminal
from sfumato.printable import printable


def ledger(
    path: Annotated[Path, typer.Argument(help="Ledger file.", metavar="DATA.LEDGER")],
    cap_epsilon: Annotated[float | None, typer.Option(help="Make the ledger, with this cap on all runs.")] = None,
    cap_delta: Annotated[float, typer.Option(help="Delta of the cap, with --cap-epsilon.")] = 1e-5,
    unit: Annotated[
        str, typer.Option(help="What the cap protects, with --cap-epsilon: row, or the schema's id column.")
    ] = "row",
    as_json: terminal.AsJson = False,
) -> None:
    """Show all runs over a data set and what they spent; with --cap-epsilon, make a ledger with a cap of your own."""
    import sfumato as sf

    cap = None if cap_epsilon is None else terminal.guarantee(cap_epsilon, cap_delta, unit)
    with sf.Ledger.open(path, cap, create=cap is not None) as opened:
        summary = opened.summary()
    terminal.answer(summary, _render(summary), as_json)


def _render(summary: Mapping[str, Any]) -> str:
    cap = summary["cap"]
    head = (
        f"spent epsilon {summary['epsilon_spent']:.6g} of the cap {cap['epsilon']:g}"
        f" at delta {cap['delta']:g} per {printable(cap['unit'])}"
    )
    runs = (
        f"  {printable(run['began'])}  {run['state']:<8} epsilon {run['epsilon_spent']:.6g}"
        f" of {run['guarantee']['epsilon']:g}, {len(run['events'])} charges  {printable(run['label'])}"
        for run in summary["runs"]
    )
    return "\n".join([head, *runs])
