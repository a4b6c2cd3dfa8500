"""``sfumato keygen``: a key pair to sign certificates with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli import terminal


def keygen(
    output: Annotated[Path, typer.Option("--output", "-o", help="Private key; the public one goes beside it.")] = Path(
        "key.pem"
    ),
    as_json: terminal.AsJson = False,
) -> None:
    """Make an Ed25519 key pair: key.pem for `fit --key`, key.pub.pem for `verify --public-key`."""
    import sfumato as sf

    public = output.with_name(f"{output.name.removesuffix('.pem')}.pub.pem")
    fingerprint = sf.generate_key(output, public)
    result = {"private_key": str(output), "public_key": str(public), "fingerprint": fingerprint}
    text = f"{output} (keep it secret), {public} (give it away), fingerprint {fingerprint}"
    terminal.answer(result, text, as_json, saved=True)
