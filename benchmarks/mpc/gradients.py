"""Steps of DP-SGD on shares: what they cost beside steps that clip nothing, and how right they are.

Three processes over mutual TLS on this machine. Rows are drawn at random from the domain of the integer-coded Adult
table, whose columns are dealt to three owners; one hundred thousand gradients have norms from 0.1 to 10^6.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import sfumato.models  # noqa: F401 - installs what is made of records
from benchmarks.federation.figure import Row, figure
from sfumato.encoding.domain import Domain
from sfumato.models.diffusion.shares import ShareDenoiser
from sfumato.models.gan.shares import ShareDiscriminator
from sfumato.models.vae.shares import ShareAutoencoder
from sfumato.privacy.gradients import Tape
from sfumato.privacy.gradients.arithmetic import FIXED, Factors
from sfumato.trust.mpc.engine.domains import run_within
from sfumato.trust.mpc.engine.gradient_step import GradientProgram
from sfumato.trust.mpc.engine.local_parties import at_once, local_sessions, run_locally
from sfumato.trust.mpc.engine.lowering import lower
from sfumato.trust.mpc.engine.run_order import Additive, OwnSecret, PeerSecret, PublicInput
from sfumato.trust.mpc.engine.session import EngineSession
from sfumato.trust.questions import OBJECTIVES
from sfumato.trust.secure_sum.masks import centred, in_ring

ENGINE = Path(__file__).resolve().parents[2] / ".others" / "engine"
SIZES = (74, 9, 100, 16, 16, 7, 15, 6, 5, 2, 119, 99, 94, 42, 2)
"""Of the columns of that table."""
OWNERS = (0,) * 5 + (1,) * 5 + (2,) * 5
RECIPES = {"vae": ShareAutoencoder, "gan": ShareDiscriminator, "diffusion": ShareDenoiser}
NAMES = {
    "vae": "vae of tables for shares",
    "gan": "critic of tables for shares",
    "diffusion": "masked diffusion of tables for shares",
}
RECORDS, WIDE, BOX = 100_000, 20, 4.0
REPEATS = 5


class Unclipped(GradientProgram):
    """The same step for those who promise nothing."""

    def summed(self, network: Any, records: Any, present: Array) -> Any:
        """The sum of gradients as they are."""
        return jax.grad(lambda n: jnp.sum(self.objective.loss(n, records, Tape()) * present))(network)


@dataclass(frozen=True)
class Cost:
    """Of a step at the party that has most of it: CPU seconds, bytes; and whether its results are right."""

    cpu: float
    bytes_sent: float
    error: float
    inexact: int


def measured(step: GradientProgram, network: Any, sessions: Sequence[EngineSession]) -> Cost:
    """A step, again and again; the first, which is compiled, is not counted."""
    arrays = step.simulated(network, np.random.default_rng(0))
    known = len(step.program.public)

    def party(session: EngineSession) -> tuple[np.ndarray, list[tuple[float, int]]]:
        arguments: list[Any] = [PublicInput(a) for a in arrays[:known]]
        for place, array in enumerate(arrays[known:]):
            arguments.append(OwnSecret(array) if place // 3 == session.rank else PeerSecret(place // 3))
        figures = []
        for _ in range(REPEATS + 1):
            (part,) = session.run(step.program, arguments, [Additive()])
            figures.append((session.figures.cpu_seconds, session.figures.bytes_sent))
        assert part is not None
        return part, figures[1:]

    found = at_once(sessions, party)
    cpu, sent = (max(float(np.median([f[i] for f in figures])) for _, figures in found) for i in (0, 1))
    whole = np.add.reduce([part for part, _ in found]).view(np.int64)
    opened = centred(np.add.reduce([in_ring(part, 32) for part, _ in found], dtype=np.uint32))
    (expected,) = run_within(step.function, *arrays)
    return Cost(cpu, sent, float(np.abs(whole / 2**18 - expected).max()), int((opened != whole).sum()))


def steps(sessions: Sequence[EngineSession]) -> Iterator[Row]:
    """Each recipe beside the same without a clip."""
    domain = Domain.of([f"column {i}" for i in range(len(SIZES))], list(SIZES))
    inexact = 0
    for name, kind in RECIPES.items():
        objective = OBJECTIVES.make(NAMES[name], domain, {"weight": np.array(0.5)} if name == "vae" else {})
        network = jax.jit(partial(kind, sum(SIZES), len(SIZES)))(jax.random.key(0))
        for rows in (64, 256) if name == "gan" else (64,):
            made = [c(objective, domain, OWNERS, rows, 1.0) for c in (GradientProgram, Unclipped)]
            dp, base = (measured(step, network, sessions) for step in made)
            inexact += dp.inexact
            print(f"{name}, B={rows}: {dp}; base {base}", flush=True)
            large = rows == 256
            yield figure(f"{name} step, B={rows}, CPU ms", 1000 * dp.cpu, 300 if large else None)
            yield figure(f"{name} step, B={rows}, MB", dp.bytes_sent / 1e6, 7 if large else None)
            yield figure(f"{name}, B={rows}: DP step / base step, CPU", dp.cpu / base.cpu, 1.4)
            yield figure(f"{name}, B={rows}: DP step / base step, bytes", dp.bytes_sent / base.bytes_sent, 1.4)
            yield figure(f"{name}, B={rows}: largest error of a number of a step at C = 1", dp.error, 1e-3)
            yield figure(f"{name}, B={rows}: what a record moves, in clips", made[0].sensitivity / 2**18)
    yield figure("secret indices that the programs open", 0, 0)  # check_program refuses a program with one
    yield figure("sums inexact in the ring of 32 bits", inexact, 0)


def clipping(sessions: Sequence[EngineSession]) -> Iterator[Row]:
    """Norms from 0.1 to 10^6, of factors whose numbers their owners clamp, and of factors as they are."""
    rng = np.random.default_rng(1)
    norms = 10 ** rng.uniform(-1, 6, RECORDS)
    directions = rng.normal(size=(2, RECORDS, WIDE))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    for what, box in (("clamped", BOX), ("as they are", 2.0**12)):
        left, right = (directions * np.sqrt(norms)[:, None]).clip(-box, box).astype(np.float32)
        program = lower(
            lambda a, d: FIXED.weights([Factors(a, d)], jnp.ones(RECORDS), 1.0),
            *(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in (left, right)),
        )
        weights = run_locally(sessions, program, [left, right]).results[0].astype(np.float64)
        own = np.linalg.norm(left.astype(float), axis=1) * np.linalg.norm(right.astype(float), axis=1)
        lost = 1 - weights * own / np.minimum(own, 1)
        counted = weights > 0
        yield figure(f"clipped norm of {RECORDS:,} records, {what}: largest", float((weights * own).max()), 1)
        yield figure(f"records unclipped, {what}", int((weights * own > 1).sum()), 0)
        yield figure(f"norm lost by a record, {what}: median", float(np.median(lost[counted])), 5e-3)
        yield figure(f"records left out for their norm, {what}: share", float(1 - counted.mean()))


def rows() -> Iterator[Row]:
    """All figures of gradients on shares."""
    with tempfile.TemporaryDirectory() as folder, local_sessions(ENGINE, Path(folder) / "parties") as sessions:
        yield from clipping(sessions)
        yield from steps(sessions)
