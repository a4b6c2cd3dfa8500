"""``sfumato fit``: rows and a schema in, a saved model with its certificate out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import terminal
from sfumato.printable import printable

MODELS = (
    "auto (chosen by public facts); for tables independent, mst, aim, loglinear; for images class-gaussian,"
    " class-mixture, mean-embedding; for both gan, vae, diffusion"
)
"""The names, written out: to import the models for a line of help would take a second."""


def fit(
    data: Annotated[
        str,
        typer.Argument(
            help="CSV, Parquet or Arrow file; images: a folder, .npz or idx; or a database URL.", metavar="DATA"
        ),
    ],
    schema: Annotated[Path, typer.Option(help="Reviewed schema.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the model goes.")] = Path("model.sfm"),
    model: Annotated[str, typer.Option(help=f"One of {MODELS}.")] = "auto",
    epsilon: Annotated[float, typer.Option(help="Privacy loss; inf for no guarantee at all.")] = 1.0,
    delta: Annotated[float, typer.Option(help="Probability beyond epsilon.")] = 1e-9,
    ledger: Annotated[
        Path | None,
        typer.Option(
            help="Ledger of this data set, shared by all runs. Default: beside DATA, its resolved path with .ledger"
            " added (cap: epsilon 10, delta 1e-5). A database needs one to be named."
        ),
    ] = None,
    target: Annotated[str | None, typer.Option(help="Column of interest.", metavar="COL")] = None,
    key: Annotated[Path | None, typer.Option(help="Ed25519 private key to sign the certificate with.")] = None,
    curator: Annotated[str | None, typer.Option(help="Who answers for the data; stated in the certificate.")] = None,
    purpose: Annotated[str | None, typer.Option(help="Intended use; stated in the certificate.")] = None,
    no_certificate: Annotated[
        bool, typer.Option("--no-certificate", help="Accept unreviewed facts; the model gets no certificate.")
    ] = False,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Folder for what was paid for, until the model is saved, in place of LEDGER.answers. The same command"
            " goes on with what is in it, also when DATA was written again: that its rows are the same is your word.",
            metavar="FOLDER",
        ),
    ] = None,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="An earlier try on another host has ended (your word): go on with it."),
    ] = False,
    as_json: terminal.AsJson = False,
) -> None:
    """Learn a model of DATA under (epsilon, delta)-differential privacy and save it with its certificate."""
    import sfumato as sf

    about = {k: v for k, v in (("curator", curator), ("purpose", purpose)) if v is not None}
    promised = terminal.guarantee(epsilon, delta)
    synthesizer = sf.Synthesizer(
        schema,
        model=model,
        guarantee=promised,
        ledger=ledger,
        target=target,
        no_certificate=no_certificate,
        key=key,
        about=about,
        checkpoint=checkpoint,
        take_over=take_over,
    )
    with terminal.progress() as progress:
        synthesizer.fit(data, progress, output=output)
    synthesizer.save(output)
    book = synthesizer.ledger_path
    stated = synthesizer.certificate
    certificate = stated if isinstance(stated, sf.Certificate) else None
    outside, noise = synthesizer.outside or (0.0, 0.0)
    large = synthesizer.guarantee.large_delta(synthesizer.default_rows)
    result = {
        "model": str(output),
        "algorithm": synthesizer.model,
        "why": synthesizer.why,
        "settings": dict(synthesizer.settings or {}),
        "certified": certificate is not None,
        "epsilon": epsilon if promised.private else None,
        "delta": delta,
        "epsilon_spent": None if certificate is None else certificate.composition.epsilon_spent,
        "reason": None if isinstance(stated, sf.Certificate) else stated.reason,
        "ledger": None if book is None else str(book),
        "charges_resumed": synthesizer.resumed,
        "synthetic_rows": synthesizer.default_rows,
        "columns_left_out": list(synthesizer.dropped),
        "rows_outside_facts": {"estimate": outside, "noise": noise},
        "large_delta": large,
    }
    promise = (
        f"certificate: epsilon {epsilon:g}, delta {delta:g} per {synthesizer.guarantee.unit}"
        if isinstance(stated, sf.Certificate)
        else f"NO CERTIFICATE: {stated.reason}"
    )
    text = f"{output}: {synthesizer.model} ({synthesizer.why})\n{promise}\nledger: {book or 'none'}"
    if synthesizer.resumed:
        text += (
            f"\nwent on with an earlier try: {synthesizer.resumed} charges were not paid again, and their answers are"
            " of the rows as they were then"
        )
    if synthesizer.dropped:
        text += f"\nleft out, for free text is not learnt: {', '.join(map(printable, synthesizer.dropped))}"
    if outside > 3 * noise:
        text += (
            f"\nabout {outside:,.0f} (noise {noise:,.0f}) rows lie outside the declared facts, those that the schema "
            "refuses being left out: widen them, fit again"
        )
    if large is not None:
        text += f"\n{large}"
    terminal.answer(result, text, as_json, saved=True)
