"""``sfumato sketch``: a draft of the schema, to be reviewed by whoever knows what is public."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sfumato.atomic import check_writable
from sfumato.cli import terminal
from sfumato.outputs import DRAFT


def sketch(
    data: Annotated[
        str,
        typer.Argument(
            help="CSV, Parquet or Arrow file; images: a folder, .npz or idx; or a database URL.", metavar="DATA"
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the draft goes.")] = Path("schema.yaml"),
    charset: Annotated[
        str | None, typer.Option(help="How a CSV writes characters: utf-8, cp1252, utf-16, ... (default: guessed).")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help=r"What stands between fields: , ; | or \t (default: guessed).")
    ] = None,
    quote: Annotated[
        str | None, typer.Option(help="What encloses a field; '' for nothing (default: a double quotation mark).")
    ] = None,
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="Whether the first line names the columns.")
    ] = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Draft schema.yaml from the rows; every fact in it is unreviewed until you say it is public or measured."""
    import sfumato as sf

    check_writable(output, DRAFT, (data,))
    tab = delimiter in ("\\t", "tab")
    with terminal.progress() as progress:
        progress.stage("reading the rows")
        schema = sf.sketch(data, charset=charset, delimiter="\t" if tab else delimiter, quote=quote, header=header)
    schema.save(output)
    unreviewed = schema.unreviewed()
    result = {"schema": str(output), "columns": len(schema.columns), "unreviewed": len(unreviewed)}
    text = (
        f"{output}: {len(schema.columns)} columns, {len(unreviewed)} facts read off the rows and marked unreviewed.\n"
        f"Review each line, in the file (its head says how) or by answers: `sfumato review {output} --template FILE`. "
        "Until then `fit` works only with --no-certificate."
    )
    terminal.answer(result, text, as_json, saved=True)
