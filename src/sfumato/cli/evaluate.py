"""``sfumato evaluate``: what synthetic rows are good for, between holdout rows and independent columns."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import terminal


def evaluate(
    real: Annotated[str, typer.Option(help="The rows the model was fitted to.")],
    holdout: Annotated[str, typer.Option(help="Rows of the same population that the model never saw.")],
    synthetic: Annotated[str, typer.Option(help="Synthetic rows.")],
    schema: Annotated[Path, typer.Option(help="Schema of all three.")],
    target: Annotated[str | None, typer.Option(help="Column to predict.", metavar="COL")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Marginals, queries and two learners only, trained on at most 10,000 rows.")
    ] = False,
    as_json: terminal.AsJson = False,
) -> None:
    """Compare synthetic rows with real ones. The result is a statistic of real rows: internal, not for release."""
    import sfumato as sf

    with terminal.progress() as progress:
        found = sf.evaluate(real, holdout, synthetic, schema, target, quick=quick, progress=progress)
    terminal.answer(found.to_dict(), str(found), as_json)
