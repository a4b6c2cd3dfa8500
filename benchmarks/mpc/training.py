"""A step of the autoencoder on secret shares: what it costs a party, and how near it stays to its plain twin."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.federation.figure import Row, figure
from benchmarks.mpc.simulated import MEGABYTE
from benchmarks.mutants.mutant import ROOT
from sfumato.encoding.domain import Domain
from sfumato.models.networks.layout import Layout
from sfumato.models.vae.shares import LATENT, ShareAutoencoder
from sfumato.privacy.gradients import OneHots, Tape
from sfumato.trust.mpc.counting import PARTIES, Codes
from sfumato.trust.mpc.encrypted.program import SharedColumns, TrainingPrograms, descended
from sfumato.trust.mpc.encrypted.shared_training import SharedTraining
from sfumato.trust.mpc.encrypted.training import TOGETHER
from sfumato.trust.mpc.encrypted.trial import drawn_for, one_hots
from sfumato.trust.mpc.engine.local_parties import at_once, local_sessions
from sfumato.trust.mpc.engine.session import EngineSession

ENGINE = ROOT / ".others" / "engine"
PERSONS, CODES, COLUMNS = 2_000, 2, 15
SEED = bytes(32)
_OWNERS = tuple((i % PARTIES, i // PARTIES) for i in range(COLUMNS))
COLUMNS_OF = SharedColumns(Domain.of([f"c{i}" for i in range(COLUMNS)], [CODES] * COLUMNS), _OWNERS, PERSONS)
MOST_CPU, MOST_MEGABYTES, MOST_MEMORY, MOST_LOSS = 250, 2.2, 150, 0.01


def people() -> list[np.ndarray]:
    """Of each column, (PERSONS,): they follow from a few hidden traits."""
    rng = np.random.default_rng(0)
    traits = rng.normal(size=(PERSONS, 4)) @ rng.normal(size=(4, COLUMNS))
    return list((traits + rng.normal(size=traits.shape) > 0).astype(int).T)


def first_parameters() -> np.ndarray:
    """Of the network."""
    layout = Layout(COLUMNS_OF.domain)
    network = ShareAutoencoder(layout.width, COLUMNS, jax.random.key(0))
    return np.asarray(COLUMNS_OF.objective.flat(network))


def peak(session: EngineSession) -> float:
    """Largest resident memory of a party's engine so far, in MB."""
    lines = Path(f"/proc/{session._process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024 / MEGABYTE


def on_shares(codes: Sequence[np.ndarray], runs: int) -> tuple[np.ndarray, float, float, float]:
    """The last parameters; CPU ms and MB a step of the party that takes most, but for its first run; MB of memory."""
    programs, start = TrainingPrograms.of(COLUMNS_OF), first_parameters()

    def party(session: EngineSession) -> tuple[np.ndarray | None, float, float, float]:
        own = tuple(c for c, (place, _) in zip(codes, _OWNERS, strict=True) if place == session.rank)
        mine = Codes(own, np.ones(PERSONS, bool))
        training = SharedTraining(session, COLUMNS_OF, programs, mine, start, SEED, runs, 0)
        training.share()
        found, figures = None, []
        for _ in range(runs):
            found = training.step()
            figures.append(session.figures)
        steps = TOGETHER * (runs - 1)
        cpu, sent = (sum(getattr(f, what) for f in figures[1:]) / steps for what in ("cpu_seconds", "bytes_sent"))
        return found, cpu * 1e3, sent / MEGABYTE, peak(session)

    with tempfile.TemporaryDirectory() as folder, local_sessions(ENGINE, Path(folder) / "parties") as sessions:
        found = at_once(sessions, party)
    parameters = next(array for array, *_ in found if array is not None)
    cpu, sent, memory = (max(each) for each in list(zip(*found, strict=True))[1:])
    return parameters, cpu, sent, memory


def in_the_open(codes: Sequence[np.ndarray], runs: int) -> tuple[np.ndarray, float]:
    """The last parameters of the plain twin, and CPU ms a step."""
    steps = jax.jit(partial(descended, COLUMNS_OF))
    rows, present = one_hots(COLUMNS_OF, list(codes)), np.ones(PERSONS, np.float32)
    drawn = [drawn_for(COLUMNS_OF, SEED, run, PERSONS) for run in range(runs)]
    parameters = first_parameters()
    steps(parameters, *rows, present, *drawn[0]).block_until_ready()
    began = time.process_time()
    for each in drawn:
        parameters = steps(parameters, *rows, present, *each)
    jax.block_until_ready(parameters)
    return np.asarray(parameters), (time.process_time() - began) * 1e3 / (runs * TOGETHER)


def loss(codes: Sequence[np.ndarray], parameters: np.ndarray) -> float:
    """Mean over all persons, with the same noise for every one."""
    hot = COLUMNS_OF.gathered([jnp.asarray(part) for part in one_hots(COLUMNS_OF, list(codes))])
    noise = np.random.default_rng(1).normal(size=(PERSONS, LATENT)).astype(np.float32)
    records = COLUMNS_OF.view.records(OneHots(hot, COLUMNS), jnp.asarray(noise))
    return float(COLUMNS_OF.objective.loss(COLUMNS_OF.objective.tree(jnp.asarray(parameters)), records, Tape()).mean())


def rows(steps: int) -> Iterator[Row]:
    """Figures of a training of so many steps."""
    codes, runs = people(), steps // TOGETHER
    shared, cpu, sent, memory = on_shares(codes, runs)
    plain, plain_cpu = in_the_open(codes, runs)
    first, one, other = (loss(codes, parameters) for parameters in (first_parameters(), shared, plain))
    name = f"a step on shares, {CODES * COLUMNS} codes, hidden 64, batch 64, three processes, mutual TLS"
    yield figure(f"CPU ms of a party's engine: {name}", cpu, MOST_CPU)
    yield figure(f"MB sent by the largest party: {name}", sent, MOST_MEGABYTES)
    yield figure(f"MB of a party's engine, at most: {name}", memory, MOST_MEMORY)
    yield figure(f"times the CPU of the same program in plain JAX: {name}", cpu / plain_cpu)
    yield figure(f"loss before {steps:,} steps", first)
    yield figure(f"loss after {steps:,} steps, in the open", other)
    yield figure(
        f"distance of the loss on shares from it, as a part of it, after {steps:,} steps",
        abs(one / other - 1),
        MOST_LOSS,
    )
    yield figure(f"largest distance of a parameter, after {steps:,} steps", float(np.abs(shared - plain).max()))
