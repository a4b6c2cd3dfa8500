"""``sfumato audit``: attack synthetic rows, whoever made them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import terminal


def audit(
    real: Annotated[str, typer.Option(help="The rows the synthetic ones were made from.")],
    holdout: Annotated[str, typer.Option(help="Rows of the same population that were not used.")],
    synthetic: Annotated[str | None, typer.Option(help="Synthetic rows of any generator.")] = None,
    model: Annotated[Path | None, typer.Option(help="The saved model that made them: it is attacked too.")] = None,
    schema: Annotated[Path | None, typer.Option(help="Schema of all three; drafted from them if not given.")] = None,
    epsilon: Annotated[float | None, typer.Option(help="The epsilon that is claimed; default: the model's.")] = None,
    delta: Annotated[float | None, typer.Option(help="The delta claimed with it; default 1e-9.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="More candidates; for tables, the Article 29 criteria too.")
    ] = False,
    strips: Annotated[
        Path | None, typer.Option(help="Images: write a PNG of some beside the nearest real ones. Keep it inside.")
    ] = None,
    recipe: Annotated[
        bool,
        typer.Option("--recipe", help="Fit the model's recipe again: planted rows, shadow models, replay; minutes."),
    ] = False,
    as_json: terminal.AsJson = False,
) -> None:
    """Attack synthetic rows. The result is a statistic of real rows: internal, not for release."""
    import sfumato as sf

    if epsilon is None and delta is not None:
        raise sf.SfumatoError("--delta is claimed together with --epsilon: give both, or neither")
    claimed = None if epsilon is None else terminal.guarantee(epsilon, terminal.DELTA if delta is None else delta)
    if schema is None and model is None and synthetic is not None and not recipe:
        terminal.note("no schema given: one is drafted from the three tables, for this audit alone")
    suite = "full" if full else "quick"
    with terminal.progress() as progress:
        found = sf.audit(
            real, holdout, synthetic, schema, claimed, suite, model, strips, recipe=recipe, progress=progress
        )
    terminal.answer(found.to_dict(), str(found), as_json)
