"""``sfumato mpc``: whoever gets the model, of three parties that hold different columns of the same persons."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import federation, mpc_demo, terminal
from sfumato.cli.fit import MODELS
from sfumato.federation.defaults import ADDRESS, USUAL_STEPS

app = typer.Typer(
    name="mpc",
    help=(
        "Fit columns that stay at three parties: the receiver's side. In turn: init, then each party makes a request"
        " (sfumato party init), plan, then each party runs (sfumato party run), run."
    ),
    no_args_is_help=True,
)


@app.command("init")
def init(
    folder: Annotated[Path, typer.Argument(help="New folder of the receiver.", metavar="FOLDER")],
    schema: Annotated[Path, typer.Option(help="Public schema of all columns, reviewed.")],
    columns: Annotated[
        list[str], typer.Option(help="What a party holds; once for each of them.", metavar="PARTY=COL,COL...")
    ],
    key: Annotated[str, typer.Option(help="Column by which all parties know a person.", metavar="COL")],
    persons: Annotated[
        Path | None, typer.Option(help="List of the persons, a key on each line; declared public.")
    ] = None,
    most_persons: Annotated[
        int | None,
        typer.Option(
            help="Without a list: persons that a party may have at most, a public number. Who is common is found by"
            " private set intersection, and told to the parties alone."
        ),
    ] = None,
    epsilon: Annotated[
        float | None, typer.Option(help="Privacy loss toward whoever gets the model. Default: 1.")
    ] = None,
    delta: Annotated[float, typer.Option(help="Probability beyond epsilon.")] = terminal.DELTA,
    model: Annotated[str, typer.Option(help=f"One of {MODELS}, over marginals.")] = "auto",
    target: Annotated[str | None, typer.Option(help="Column of interest.", metavar="COL")] = None,
    server: Annotated[
        list[str] | None,
        typer.Option(help="A server that computes in the parties' place; once for each of three.", metavar="NAME"),
    ] = None,
    address: Annotated[str, typer.Option(help="HOST:PORT under which the parties will reach the receiver.")] = ADDRESS,
    encrypted_for: Annotated[
        str | None,
        typer.Option(
            help="Train 'vae' wholly on secret shares WITHOUT differential privacy, for this party alone: the model"
            " may reveal rows.",
            metavar="PARTY",
        ),
    ] = None,
    steps: Annotated[int, typer.Option(help="With --encrypted-for: steps, in multiples of 25.")] = USUAL_STEPS,
    as_json: terminal.AsJson = False,
) -> None:
    """Fix what is to be fitted and who holds what, in a new FOLDER with the keys of the connections."""
    import sfumato as sf

    held = terminal.held(columns)
    if encrypted_for is not None and epsilon is not None:
        raise sf.SfumatoError("--encrypted-for promises nothing: leave --epsilon out")
    promised = terminal.guarantee(math.inf if encrypted_for is not None else 1.0 if epsilon is None else epsilon, delta)
    sf.Federation.make(
        folder,
        schema,
        list(held),
        promised,
        model=model,
        target=target,
        address=address,
        columns=held,
        key=key,
        persons=persons,
        most_persons=most_persons,
        encrypted_for=encrypted_for,
        steps=steps,
        servers=server or (),
    )
    engine = "" if encrypted_for is None else " --engine HOST:PORT"
    wanted = "\n".join(f"  sfumato party init FOLDER --name {name}{engine}" for name in (*held, *(server or ())))
    text = f"{folder}: made\nnow each party makes its keys and sends its request file:\n{wanted}\nthen: sfumato"
    text += f" mpc plan {folder} REQUEST..."
    terminal.answer(
        {"folder": str(folder), "parties": list(held), "servers": server or [], "address": address},
        text,
        as_json,
        saved=True,
    )


app.command("plan")(federation.plan)
app.command("run")(federation.run)
app.command("status")(federation.status)
app.command("demo")(mpc_demo.demo)
