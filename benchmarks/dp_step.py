"""What one DP-SGD step costs: against the plain step, Opacus and jax_privacy, side by side in one run.

``python -m benchmarks.dp_step [--networks vae,gan,...] [--alone]``. A step is: gradient, (clipping, noise,) Adam; four
run in one compiled scan, as in training, but one by one for jax_privacy and Opacus. The private step adds and noises
whole numbers on a grid; the random words for the next steps are drawn while these run, as in training. Each figure is
the median of the ratios of runs that alternate, with the plain steps first and then with the peers. ``plain`` is the
fastest of the ordinary step on the whole batch and in chunks of 8 to 1024 records. Memory is what the compiled programs
allocate, temporaries and results, against the ordinary step on the whole batch. Opacus, in its faster mode, runs in an
environment of its own, ``build/opacus``, which is made where it is missing. The last line is one JSON object: under
``dense`` and ``conv`` the worst figure of the networks of that kind, by batch; under ``networks`` each network's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from benchmarks.step_networks import CASES
from sfumato.privacy.draws import fresh
from sfumato.privacy.gradients import GradientGrid, Needs, Tape, whole_sum
from sfumato.privacy.gradients.noise import NoiseWords, noise_like
from sfumato.privacy.groups import MOST_DRAWN
from sfumato.privacy.randomness import SYSTEM

Row = dict[str, float | None]
Table = dict[str, dict[str, Row]]
Draw = Callable[[int], Any]
OPACUS = Path("build/opacus/bin/python")
OPACUS_MODES = ("hooks", "ghost")
OPTIMISER = optax.adam(1e-3)
ROUNDS, PEER_ROUNDS, FEWEST, SECONDS = 30, 9, 3, 40.0  # of alternating runs: fewer where they take longer than that
CHUNKS = (8, 32, 512, 1024)
HELD = 2e9  # bytes of per-record gradients, above which the mode of Opacus that holds them is not tried
SCANNED = 4  # steps in one compiled scan
GRID = GradientGrid(
    1.0, 18, 221, MOST_DRAWN, Needs(1, 1, 1.0)
)  # noise of about twice the clip; costs the same at any other


def plain_sum(loss, network, records, mask, clip, chunk):
    """The ordinary gradient, on the whole batch or summed over chunks."""

    def gradient(part):
        return jax.grad(lambda n: jnp.sum(loss(n, part, Tape())))(network)

    if chunk == mask.shape[0]:
        return gradient(records)
    parts = jax.tree.map(lambda x: x.reshape(-1, chunk, *x.shape[1:]), records)
    zero = jax.tree.map(jnp.zeros_like, network)
    return lax.scan(lambda s, p: (jax.tree.map(jnp.add, s, gradient(p)), None), zero, parts)[0]


def private_sum(loss, network, records, mask, clip, chunk):
    """The clipped gradient in whole steps of the grid, summed over groups of records."""
    if chunk == mask.shape[0]:
        return whole_sum(loss, network, records, mask, GRID)
    parts = jax.tree.map(lambda x: x.reshape(-1, chunk, *x.shape[1:]), (records, mask))
    zero = jax.tree.map(lambda p: jnp.zeros(p.shape, jnp.int32), network)

    def add(so_far, part):
        return jax.tree.map(jnp.add, so_far, whole_sum(loss, network, *part, GRID)), None

    return lax.scan(add, zero, parts)[0]


def peer_sum(loss, network, records, mask, clip, chunk):
    """``jax_privacy.clipped_grad``: vmap."""
    from jax_privacy import clipped_grad

    sum_of = clipped_grad(
        lambda n, part: jnp.sum(loss(n, part, Tape())), l2_clip_norm=clip, microbatch_size=min(chunk, 64)
    )
    return sum_of(network, records)


def step(gradient_sum, state, records, words):
    """One step of training: (network, optimiser state) -> the same."""
    network, memory = state
    batch = jax.tree.leaves(records)[0].shape[0]
    summed = gradient_sum(network, records, jnp.ones(batch, bool), 1.0)
    if isinstance(words, NoiseWords):
        noise = noise_like(summed, words, GRID.stride)
        summed = jax.tree.map(lambda whole, more: (whole + more).astype(jnp.float32) * GRID.step, summed, noise)
    elif words is not None:  # the peer's: Gaussian noise by JAX's own generator
        leaves, structure = jax.tree.flatten(summed)
        keys = jax.random.split(words, len(leaves))
        noisy = [leaf + jax.random.normal(k, leaf.shape) for k, leaf in zip(keys, leaves, strict=True)]
        summed = jax.tree.unflatten(structure, noisy)
    mean = jax.tree.map(lambda g: g / batch, summed)
    updates, memory = OPTIMISER.update(mean, memory)
    return optax.apply_updates(network, updates), memory


def several(one: Callable[..., Any], steps: int, state, records, words):
    """So many steps in one scan, as training runs them."""
    return lax.scan(lambda carry, now: (one(carry, records, now), None), state, words, steps)[0]


def programs(name: str, batch: int, peer: bool) -> tuple[dict[str, Callable[[], float]], dict[str, int]]:
    """Compiled steps as functions that run once and return their seconds; and their bytes."""
    case = CASES[name]
    network, records = jax.jit(case.build)(jax.random.key(0)), case.records(batch)
    state = (network, OPTIMISER.init(network))
    chunk = min(case.chunk, batch)
    numbers = sum(leaf.size for leaf in jax.tree.leaves(network))
    kinds: dict[str, tuple[Callable[..., Any], Draw, int]] = {"private": (private_sum, partial(noise, numbers), chunk)}
    kinds |= {f"plain {size}": (plain_sum, lambda steps: None, size) for size in (batch, *CHUNKS) if size <= batch}
    if peer:
        kinds["jax_privacy"] = (peer_sum, lambda steps: jax.random.split(jax.random.key(0), steps), chunk)
    runs: dict[str, Callable[[], float]] = {}
    memory: dict[str, int] = {}
    for kind, (summed, draw, size) in kinds.items():
        count = 1 if kind == "jax_privacy" else SCANNED
        steps = partial(several, partial(step, partial(summed, case.loss, chunk=size)), count)
        compiled = jax.jit(steps).lower(state, records, draw(count)).compile()
        used = compiled.memory_analysis()
        memory[kind] = used.temp_size_in_bytes + used.output_size_in_bytes
        runs[kind] = Timed(compiled, state, records, partial(draw, count), count)
        runs[kind]()
    return runs, memory


def noise(numbers: int, steps: int) -> NoiseWords:
    """Random words for the noise of so many steps."""
    return fresh(steps, (1, 1), numbers, SYSTEM).noise


class Timed:
    """Runs compiled steps and gives their seconds; what the next ones need is drawn meanwhile, and counted."""

    def __init__(self, compiled, state, records, draw: Callable[[], Any], steps: int) -> None:
        self._compiled, self._state, self._records, self._draw, self._steps = compiled, state, records, draw, steps
        self._next = draw()

    def __call__(self) -> float:
        start = time.perf_counter()
        running = self._compiled(self._state, self._records, self._next)
        self._next = self._draw()
        jax.block_until_ready(running)
        return (time.perf_counter() - start) / self._steps


def opacus() -> subprocess.Popen[str] | str:
    """The worker, or why there is none."""
    if not OPACUS.exists():
        print("making build/opacus (torch, opacus); minutes, the first time", file=sys.stderr)
        install = [str(OPACUS), "-m", "pip", "install", "--quiet", "torch==2.13.0", "opacus"]
        try:
            subprocess.run([sys.executable, "-m", "venv", str(OPACUS.parent.parent)], check=True)
            subprocess.run(install, check=True, capture_output=True, text=True)
        except subprocess.CalledProcessError as e:
            return f"no environment with torch and opacus: {e.cmd[2]} exited with {e.returncode}"
    return subprocess.Popen(
        [str(OPACUS), "-W", "ignore", str(Path(__file__).with_name("opacus_step.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def opacus_modes(worker: subprocess.Popen[str] | str, name: str, batch: int) -> tuple[str, ...]:
    """What can be asked of the worker."""
    if isinstance(worker, str):
        return ()
    numbers = sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(CASES[name].build, jax.random.key(0))))
    return OPACUS_MODES[1:] if 4.0 * batch * numbers > HELD else OPACUS_MODES


def ask(worker: subprocess.Popen[str] | str, name: str, batch: int, mode: str) -> float:
    assert not isinstance(worker, str)
    assert worker.stdin
    assert worker.stdout
    worker.stdin.write(f"{name} {batch} {mode}\n")
    worker.stdin.flush()
    return float(worker.stdout.readline())


def compare(name: str, batch: int, worker: subprocess.Popen[str] | str, peer: bool) -> Row:
    """Medians of ratios within a round of alternating runs: first with the plain steps, then with the peers.

    Apart, because threads of another process that still spin after its turn would slow whatever comes next.
    """
    runs, memory = programs(name, batch, peer)
    own = {kind: run for kind, run in runs.items() if kind != "jax_privacy"}
    times = alternate(own, ROUNDS)
    others: dict[str, Callable[[], float]] = {
        mode: partial(ask, worker, name, batch, mode) for mode in opacus_modes(worker, name, batch)
    }
    if peer:
        others["jax_privacy"] = runs["jax_privacy"]
    with_peers = alternate({"private": runs["private"], **others}, PEER_ROUNDS) if others else {}

    whole = f"plain {batch}"
    result: Row = {
        "milliseconds": round(1e3 * statistics.median(times["private"]), 2),
        "ratio_to_plain": max(ratio(times, kind) for kind in times if kind.startswith("plain")),
        "ratio_to_plain_whole_batch": ratio(times, whole),
        "ratio_to_opacus": None,
        "ratio_to_jax_privacy": ratio(with_peers, "jax_privacy") if peer else None,
        "memory_ratio": round(memory["private"] / memory[whole], 3),
    }
    modes = [mode for mode in with_peers if mode in OPACUS_MODES]
    if modes:
        result["ratio_to_opacus"] = max(ratio(with_peers, mode) for mode in modes)
    return result


def alternate(runs: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds of so many rounds, fewer where they take long; each begins with another kind than the one before."""
    times: dict[str, list[float]] = {kind: [] for kind in runs}
    kinds, until = list(runs), time.perf_counter() + SECONDS
    for i in range(rounds):
        if i >= FEWEST and time.perf_counter() > until:
            break
        for kind in kinds[i % len(kinds) :] + kinds[: i % len(kinds)]:
            times[kind].append(runs[kind]())
    return times


def ratio(times: dict[str, list[float]], below: str) -> float:
    """Of ours to another kind's, the median over rounds."""
    pairs = zip(times["private"], times[below], strict=True)
    return round(statistics.median(a / b for a, b in pairs), 3)


def main() -> None:
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", default=",".join(CASES))
    parser.add_argument("--alone", action="store_true", help="against the plain step only")
    options = parser.parse_args()
    worker = "not asked for" if options.alone else opacus()
    if isinstance(worker, str):
        print(f"Opacus left out: {worker}")
    table: Table = {}
    for name in options.networks.split(","):
        for batch in CASES[name].batches:
            table.setdefault(name, {})[str(batch)] = row = compare(name, batch, worker, not options.alone)
            print(f"{name:14}{batch:6}  {row}", flush=True)
    if isinstance(worker, subprocess.Popen):
        worker.communicate()
    device = {"device": jax.devices()[0].device_kind, "precision": "float32"}
    print(json.dumps({**worst(table), "networks": table, **device}))


def worst(table: Table) -> Table:
    """By kind of network and batch, the largest figure of each."""
    kinds: dict[str, dict[str, list[Row]]] = {}
    for name, batches in table.items():
        for batch, row in batches.items():
            kinds.setdefault(CASES[name].family, {}).setdefault(batch, []).append(row)

    def largest(rows: list[Row]) -> Row:
        found = {key: [row[key] for row in rows] for key in rows[0]}
        return {key: None if None in values else max(values) for key, values in found.items()}  # type: ignore[type-var]

    return {kind: {batch: largest(rows) for batch, rows in batches.items()} for kind, batches in kinds.items()}


if __name__ == "__main__":
    main()
