"""``sfumato sample``: synthetic rows from a saved model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import terminal

_FOR_A_GRID = 300
"""Images of a grid, where nobody says how many."""
STDOUT = ("-", "/dev/stdout")


def sample(
    model: Annotated[Path, typer.Argument(help="A saved model.", metavar="MODEL.SFM")],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="CSV, Parquet or Arrow file, or - for CSV on stdout; images: also .npz, .png (a grid), or a folder.",
        ),
    ],
    rows: Annotated[
        int | None,
        typer.Option("-n", "--rows", min=1, help="Number of rows. Default: the model's noisy total; 300 for a grid."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Repeatable sampling (the noise never is).")] = None,
    given: Annotated[
        list[str] | None, typer.Option(help="Only rows with this value; may be repeated.", metavar="COL=VALUE")
    ] = None,
    escape_formulas: Annotated[
        bool,
        typer.Option("--escape-formulas", help="CSV: an apostrophe before texts that a spreadsheet would run."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a table that sfumato did not write, or that was changed.")
    ] = False,
    as_json: terminal.AsJson = False,
) -> None:
    """Sample rows; this costs no privacy, however often it is done."""
    import sfumato as sf

    conditions = terminal.conditions(given or [])
    streamed = str(output) in STDOUT
    if streamed and as_json:
        raise sf.SfumatoError(f"-o {output} puts the rows on stdout, where --json has its object: take one of the two")
    if rows is None and output.suffix.lower() == ".png":
        rows = _FOR_A_GRID
    try:
        with terminal.progress(quiet=streamed and sys.stdout.isatty()) as progress:  # rows and bars on one screen
            loaded = sf.load(model)
            made = loaded.sample_to(
                output, rows, given=conditions, seed=seed, escape_formulas=escape_formulas, overwrite=overwrite,
                progress=progress,
            )  # fmt: skip
    except BrokenPipeError:  # whoever reads has enough
        return
    if streamed:
        terminal.note(f"{made:,} rows")
    else:
        result = {"output": str(output), "rows": made, "given": conditions}
        terminal.answer(result, f"{output}: {made:,} rows", as_json, saved=True)
