"""Where an interrupted training goes on: its public state, and how far the ledger had been charged before it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import jax
import numpy as np
from jax import Array
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from sfumato.atomic import atomic_write
from sfumato.errors import CheckpointError
from sfumato.outputs import KEPT
from sfumato.privacy.dp_sgd import Carry


@dataclass(frozen=True)
class Mark:
    """How far a training has come.

    Attributes:
        done: steps whose result is in the carry.
        before: events that the run had charged before the training began.
        rate, noise_multiplier: of its steps, fixed before the first.
        descent: digest of what all of its steps ask.
    """

    done: int
    before: int
    rate: float
    noise_multiplier: float
    descent: str


def write(path: Path, mark: Mark, leaves: Sequence[Array]) -> None:
    """Save the arrays of a state in one atomic move; everything in them was charged before."""
    arrays = {str(i): np.asarray(x) for i, x in enumerate(leaves)}
    with atomic_write(path, KEPT) as file:
        file.write(save(arrays, {"mark": json.dumps(asdict(mark))}))


def read(path: Path, carry: Carry) -> tuple[Mark, Carry]:
    """The saved state, in the structure of ``carry``; CheckpointError when damaged or of another training."""
    leaves, structure = jax.tree.flatten(carry)
    try:
        with safe_open(path, "numpy") as file:
            mark = Mark(**json.loads(file.metadata()["mark"]))
            saved = [file.get_tensor(str(i)) for i in range(len(leaves))]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        raise CheckpointError(f"{path} is no checkpoint of this training; delete it to begin anew") from None
    if any(a.shape != b.shape or a.dtype != b.dtype for a, b in zip(saved, leaves, strict=True)):
        raise CheckpointError(f"{path} is a checkpoint of another network; delete it to begin anew")
    return mark, jax.tree.unflatten(structure, saved)
