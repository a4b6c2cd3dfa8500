"""``sfumato verify``: does the file hold what its certificate says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import terminal


def verify(
    model: Annotated[Path, typer.Argument(help="A saved model.", metavar="MODEL.SFM")],
    public_key: Annotated[Path | None, typer.Option(help="Ed25519 public key that must have signed.")] = None,
    as_json: terminal.Json = False,
) -> None:
    """Check every byte and hash, the signature, and recompute epsilon from the events with two accountants."""
    import sfumato as sf

    found = sf.verify(model, public_key)
    signed = "by no one" if found.signer is None else f"by key {found.signer}"
    if found.signer is not None and not found.trusted:
        signed += " (give --public-key to check whose it is)"
    result = {
        "valid": True,
        "epsilon": found.guarantee.epsilon,
        "delta": found.guarantee.delta,
        "unit": found.guarantee.unit,
        "neighbours": found.guarantee.neighbours,
        "epsilon_recomputed": found.epsilon,
        "epsilon_rdp": found.epsilon_rdp,
        "events": found.events,
        "model": found.model,
        "signer": found.signer,
        "signature_trusted": found.trusted,
        "certificate": dict(found.certificate),
    }
    text = (
        f"{sf.render_certificate(found.certificate)}\nVALID  every byte as saved; {found.events} events cost epsilon "
        f"{found.epsilon:.6g} (PLD; {found.epsilon_rdp:.6g} by RDP) of the promised {found.guarantee.epsilon:g} "
        f"at delta {found.guarantee.delta:g}; signed {signed}"
    )
    terminal.answer(result, text, as_json)
