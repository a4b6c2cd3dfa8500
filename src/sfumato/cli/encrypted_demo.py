"""Of ``sfumato mpc demo``: an autoencoder trained wholly on secret shares, with its plain twin beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from sfumato.cli import terminal
from sfumato.cli.side_by_side import measured

if TYPE_CHECKING:
    from sfumato import Engine, Schema

_PERSONS = 5_000
"""Of the example: what is shared at first grows with them, and a step does not."""
_STEPS = 200
"""Two minutes on two quiet cores."""
_COMPARED = 500
"""Rows whose latent points are compared."""


def engine_of(folder: Path | None) -> Engine | None:
    """The engine for secret shares; None, with a word, where there is none."""
    import sfumato as sf

    try:
        return sf.Engine(folder)
    except sf.SfumatoError as error:
        terminal.note(f"no training on secret shares: {error}")
        return None


def encrypted(
    engine: Engine | None, schema: Schema, keyed: Schema, key: str, held: Mapping[str, Sequence[str]]
) -> dict[str, Any] | None:
    """What came of a training on shares and of its twin; None without an engine.

    Args:
        engine: for secret shares.
        schema: of the example; ``keyed`` with the column ``key`` by which the parties know a person.
        held: by name of the party, its columns.
    """
    import numpy as np

    import sfumato as sf

    if engine is None:
        return None
    people = sf.examples.adult().arrow.slice(0, _PERSONS)
    keys = [f"{i:05d}" for i in range(len(people))]
    rows = people.append_column(key, [keys])
    tables = [rows.select([key, *columns]) for columns in held.values()]
    receiver = next(iter(held))
    terminal.note(
        f"an autoencoder trained on the shares of {_PERSONS:,} persons, for {receiver} alone, and its twin ..."
    )
    fitted, seconds = {}, {}
    for name, used in (("on shares", engine), ("in the open", None)):
        source = sf.parties(
            tables, key=key, persons=keys, names=list(held), encrypted_for=receiver, steps=_STEPS, engine=used
        )
        began = perf_counter()
        with terminal.progress() as progress:
            fitted[name] = sf.Synthesizer(keyed, "vae", sf.Guarantee(math.inf)).fit(source, progress)
        seconds[name] = round(perf_counter() - began, 1)
    points = [one.encode(rows.slice(0, _COMPARED)) for one in fitted.values()]
    return {
        "receiver": receiver,
        "differential_privacy": False,
        "persons": _PERSONS,
        "steps": _STEPS,
        "seconds": seconds,
        "largest_distance_of_a_latent_number": float(np.abs(points[0] - points[1]).max()),
        "largest_latent_number": float(np.abs(points[1]).max()),
        **{name: measured(one, schema) for name, one in fitted.items()},
    }
