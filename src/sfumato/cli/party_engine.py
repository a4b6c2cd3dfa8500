"""``sfumato party install`` and ``rehearse``: the engine for programs on secret shares."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import terminal

EngineFolder = Annotated[
    Path | None,
    typer.Argument(help="Of the engine. Default: sfumato/engine among the user's data.", metavar="FOLDER"),
]


def install(folder: EngineFolder = None, as_json: terminal.AsJson = False) -> None:
    """Install the engine for programs on secret shares in an environment of its own; counts need none."""
    import sfumato as sf

    engine = sf.Engine.install(folder)
    text = f"{engine.folder}: the engine is here\nnow try it: sfumato party rehearse {folder or ''}"
    terminal.answer({"folder": str(engine.folder)}, text.rstrip(), as_json, saved=True)


def rehearse(folder: EngineFolder = None, as_json: terminal.AsJson = False) -> int:
    """Try the engine over three processes on simulated numbers, beside plain JAX, with mistakes planted.

    Exit code 1 where something did not hold: such an engine is to be kept from rows.
    """
    import sfumato as sf

    found = sf.Engine(folder).rehearse()
    terminal.answer(found.to_json(), "\n".join(found.words()), as_json)
    return 0 if found.held else 1
