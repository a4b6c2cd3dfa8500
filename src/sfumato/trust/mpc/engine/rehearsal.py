"""A rehearsal: does an engine that was installed here do what is relied on, over three processes and mutual TLS?"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sfumato.errors import EngineError
from sfumato.extras import require
from sfumato.results.plain import Json
from sfumato.trust.mpc.engine.domains import run_within
from sfumato.trust.mpc.engine.local_parties import RunOnShares, local_sessions, run_locally
from sfumato.trust.mpc.engine.lowering import Program, lower
from sfumato.trust.mpc.engine.rehearsed import REHEARSED, Rehearsed, looking_up, overflowing
from sfumato.trust.mpc.engine.session import EngineSession

if TYPE_CHECKING:
    import jax


@dataclass(frozen=True)
class Tried:
    """One thing that was tried.

    Attributes:
        name: what it is about.
        wrong: what did not hold; empty where all did.
        error: largest distance from plain JAX.
        bytes_sent: by the party that sent most.
        cpu_seconds: of the party that took most.
    """

    name: str
    wrong: str
    error: float = 0.0
    bytes_sent: int = 0
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class EngineRehearsal:
    """What a rehearsal found.

    Attributes:
        tried: in turn.
    """

    tried: tuple[Tried, ...]

    @property
    def held(self) -> bool:
        """Whether all held."""
        return not any(one.wrong for one in self.tried)

    def words(self) -> list[str]:
        """A line for each."""
        return [_words(one) for one in self.tried]

    def to_json(self) -> dict[str, Json]:
        """Plain values."""
        return {"held": self.held, "tried": [asdict(one) for one in self.tried]}


def rehearse(engine: Path) -> EngineRehearsal:
    """Run simulated numbers through the ``engine`` and compare with plain JAX; plant mistakes, which must be caught.

    Raises:
        EngineError: a process ended before its time.
        MissingExtra: there is no JAX to compare with.
    """
    require("networks", "a rehearsal of the engine")
    with tempfile.TemporaryDirectory() as folder, local_sessions(engine, Path(folder) / "parties") as sessions:
        tried = [*(_tried(make(), sessions) for make in REHEARSED), _overflow(sessions), _secret_index()]
    return EngineRehearsal(tuple(tried))


def _tried(what: Rehearsed, sessions: Sequence[EngineSession]) -> Tried:
    expected = run_within(what.function, *what.arrays)
    run = _run(what, sessions)
    error = _distance(run.results, expected)
    wrong = f"off by {error:.3g}, of which {what.error:.3g} is allowed" if not error <= what.error else ""
    return Tried(what.name, wrong or what.judge(run.results), error, run.bytes_sent, run.cpu_seconds)


def _run(what: Rehearsed, sessions: Sequence[EngineSession]) -> RunOnShares:
    return run_locally(sessions, _lowered(what), what.arrays, what.parts)


def _lowered(what: Rehearsed) -> Program:
    import jax

    shapes: list[jax.ShapeDtypeStruct] = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in what.arrays]
    return lower(what.function, *shapes, public=what.public)


def _distance(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    if [array.shape for array in found] != [array.shape for array in expected]:
        return float("inf")
    pairs = zip(found, expected, strict=True)
    return max(float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max()) for a, b in pairs)


def _overflow(sessions: Sequence[EngineSession]) -> Tried:
    """A product that is too large: seen before the run, and different from plain JAX after it."""
    what = overflowing()
    run = _run(what, sessions)
    error = _distance(run.results, [np.asarray(what.function(*what.arrays))])
    wrong = "" if error > what.error else "on shares it is no overflow: the limits are not those of this engine"
    try:
        run_within(what.function, *what.arrays)
        wrong = "it was not seen before the run"
    except EngineError:
        pass
    return Tried(f"{what.name}, refused before a run", wrong, error, run.bytes_sent, run.cpu_seconds)


def _secret_index() -> Tried:
    import jax

    try:
        lower(looking_up, jax.ShapeDtypeStruct((8, 5), np.float32), jax.ShapeDtypeStruct((8,), np.int32))
        wrong = "the program was let through"
    except EngineError:
        wrong = ""
    return Tried("a planted look-up by a secret, refused before a run", wrong)


def _words(one: Tried) -> str:
    said = f"{'WRONG' if one.wrong else 'holds'}  {one.name}"
    if one.wrong:
        return f"{said}: {one.wrong}"
    figures = f" ({one.bytes_sent:,} bytes and {one.cpu_seconds:.2f} CPU s a party)" if one.bytes_sent else ""
    return said + figures
