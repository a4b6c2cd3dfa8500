"""``sfumato verify``: does the file hold what its certificate says."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import terminal
from sfumato.errors import OutdatedCertificate

_OUTDATED = 1
"""Exit code: all of it fits, and was issued before fixes of the promise."""


def verify(
    model: Annotated[Path, typer.Argument(help="A saved model.", metavar="MODEL.SFM")],
    public_key: Annotated[Path | None, typer.Option(help="Ed25519 public key that must have signed.")] = None,
    site: Annotated[
        list[str] | None, typer.Option(help="NAME=FINGERPRINT as that site told you; for several sites, several times.")
    ] = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Check every byte and hash, the signatures, and recompute epsilon from the events with two accountants.

    Exit code 1: all of it fits, but the certificate was issued before fixes of the promise, which are listed.
    """
    import sfumato as sf

    try:
        with terminal.progress() as progress:
            progress.stage("recomputing epsilon")
            found, lacks = sf.verify(model, public_key, sites=terminal.fingerprints(site or [])), ()
    except OutdatedCertificate as outdated:
        found, lacks = outdated.found, outdated.lacks
    result = {
        "valid": not lacks,
        "lacks": list(lacks),
        "epsilon": found.guarantee.epsilon,
        "delta": found.guarantee.delta,
        "unit": found.guarantee.unit,
        "neighbours": found.guarantee.neighbours,
        "epsilon_recomputed": found.epsilon,
        "epsilon_composed": found.epsilon_composed,
        "epsilon_rdp": found.epsilon_rdp,
        "events": found.events,
        "model": found.model,
        "signer": found.signer,
        "signature_trusted": found.trusted,
        "sites": [dataclasses.asdict(s) for s in found.sites],
        "certificate": found.certificate.to_dict(),
    }
    verdict = str(found) if not lacks else _outdated(lacks, found.in_words())
    terminal.answer(result, f"{found.certificate}\n{verdict}", as_json)
    if lacks:
        raise typer.Exit(_OUTDATED)


def _outdated(lacks: Sequence[str], sums: str) -> str:
    head = (
        f"OUTDATED  {sums}\nIt was issued before these fixes of the promise, and may promise too much; fit again with"
        " this version:"
    )
    return "\n".join([head, *(f"  - {title}" for title in lacks)])
