"""What one DP-SGD step costs: against the plain step, Opacus and jax_privacy, side by side in one run.

``python -m benchmarks.dp_step``. A step is: gradient, (clipping, noise,) Adam. Each figure is the median of the
ratios of runs that alternate. ``plain`` is the faster of the ordinary step on the whole batch and on the chunks the
private step uses. Memory is what the compiled programs allocate: temporaries and results. Opacus runs in an
environment of its own, ``build/opacus``.
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

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax import lax

from sfumato.privacy.gradients import Convolution, Dense, GroupNorm, Tape, clipped_sum
from sfumato.privacy.gradients.noise import gaussian_like

OPACUS = Path("build/opacus/bin/python")
OPTIMISER = optax.adam(1e-3)
RUNS = {256: 30, 1024: 15, 4096: 7}
LATENT = 16


class Vae(eqx.Module):
    """Six dense layers, 150 columns, 256 wide, 16 latent: the network of the worker."""

    layers: list[Dense]

    def __init__(self, key):
        widths = [(150, 256), (256, 256), (256, 2 * LATENT), (LATENT, 256), (256, 256), (256, 150)]
        self.layers = [Dense(*w, k) for w, k in zip(widths, jax.random.split(key, 6), strict=True)]


def vae_loss(network, records, tape):
    x, noise = records
    a, b, c, d, e, f = network.layers
    out = c(jax.nn.relu(b(jax.nn.relu(a(x, tape)), tape)), tape)
    mean, log_variance = out[:, :LATENT], out[:, LATENT:]
    z = mean + jnp.exp(log_variance / 2) * noise
    y = f(jax.nn.relu(e(jax.nn.relu(d(z, tape)), tape)), tape)
    divergence = jnp.sum(mean**2 + jnp.exp(log_variance) - log_variance - 1, axis=1) / 2
    return jnp.sum((y - x) ** 2, axis=1) + divergence


class Denoiser(eqx.Module):
    """Convolutions on 28x28: down once, up once, a skip."""

    convolutions: list[Convolution]
    norms: list[GroupNorm]

    def __init__(self, key):
        shapes = [(1, 32, 1), (32, 64, 2), (64, 64, 1), (96, 32, 1), (32, 1, 1)]
        keys = jax.random.split(key, 5)
        self.convolutions = [Convolution(i, o, 3, k, stride=s) for (i, o, s), k in zip(shapes, keys, strict=True)]
        self.norms = [GroupNorm(c, 8) for c in (32, 64, 64, 32)]


def denoiser_loss(network, records, tape):
    x, noise = records
    enter, down, middle, up, leave = network.convolutions
    a, b, c, d = network.norms
    fine = jax.nn.silu(a(enter(x + noise, tape), tape))
    coarse = jax.nn.silu(b(down(fine, tape), tape))
    coarse = jax.nn.silu(c(middle(coarse, tape), tape))
    both = jnp.concatenate([coarse.repeat(2, 1).repeat(2, 2), fine], -1)
    out = leave(jax.nn.silu(d(up(both, tape), tape)), tape)
    return jnp.sum((out - x) ** 2, axis=(1, 2, 3))


class Discriminator(eqx.Module):
    """Two strided convolutions and a dense layer on 28x28."""

    first: Convolution
    second: Convolution
    last: Dense

    def __init__(self, key):
        a, b, c = jax.random.split(key, 3)
        self.first, self.second = Convolution(1, 32, 3, a, stride=2), Convolution(32, 64, 3, b, stride=2)
        self.last = Dense(64 * 49, 1, c)


def discriminator_loss(network, records, tape):
    h = jax.nn.leaky_relu(network.first(records[0], tape), 0.2)
    h = jax.nn.leaky_relu(network.second(h, tape), 0.2)
    return jax.nn.softplus(-network.last(h.reshape(h.shape[0], -1), tape)[:, 0])


# network, loss, shape of a record and of its noise, batches, records per chunk
NETWORKS: dict[str, tuple[Any, Any, tuple[int, ...], tuple[int, ...], tuple[int, ...], int]] = {
    "dense": (Vae, vae_loss, (150,), (LATENT,), (256, 1024, 4096), 512),
    "conv": (Denoiser, denoiser_loss, (28, 28, 1), (28, 28, 1), (256, 1024), 32),
    "discriminator": (Discriminator, discriminator_loss, (28, 28, 1), (28, 28, 1), (256, 1024), 32),
}


def plain_sum(loss, network, records, mask, clip, chunk):
    """The ordinary gradient, on the whole batch or summed over chunks."""

    def gradient(part):
        return jax.grad(lambda n: jnp.sum(loss(n, part, Tape())))(network)

    if chunk == mask.shape[0]:
        return gradient(records)
    parts = jax.tree.map(lambda x: x.reshape(-1, chunk, *x.shape[1:]), records)
    zero = jax.tree.map(jnp.zeros_like, network)
    return lax.scan(lambda s, p: (jax.tree.map(jnp.add, s, gradient(p)), None), zero, parts)[0]


def peer_sum(loss, network, records, mask, clip, chunk):
    """``jax_privacy.clipped_grad``: vmap."""
    from jax_privacy import clipped_grad

    sum_of = clipped_grad(
        lambda n, part: jnp.sum(loss(n, part, Tape())), l2_clip_norm=clip, microbatch_size=min(chunk, 64)
    )
    return sum_of(network, records)


def step(gradient_sum, noise: bool, state, records, key):
    """One step of training: (network, optimiser state) -> the same."""
    network, memory = state
    batch = jax.tree.leaves(records)[0].shape[0]
    summed = gradient_sum(network, records, jnp.ones(batch, bool), 1.0)
    if noise:
        summed = jax.tree.map(jnp.add, summed, gaussian_like(summed, key, 1.0))
    mean = jax.tree.map(lambda g: g / batch, summed)
    updates, memory = OPTIMISER.update(mean, memory)
    return optax.apply_updates(network, updates), memory


def programs(name: str, batch: int, peer: bool) -> tuple[dict[str, Callable[[], float]], dict[str, int]]:
    """Compiled steps as functions that run once and return their seconds; and their bytes."""
    build, loss, shape, noise, _, chunk = NETWORKS[name]
    network = jax.jit(build)(jax.random.key(0))
    state = (network, OPTIMISER.init(network))
    records = (
        jax.random.normal(jax.random.key(1), (batch, *shape)),
        jax.random.normal(jax.random.key(2), (batch, *noise)),
    )
    chunk = min(chunk, batch)
    kinds: dict[str, tuple[Callable[..., Any], bool, int]] = {
        "private": (clipped_sum, True, chunk),
        "plain": (plain_sum, False, batch),
        "plain in chunks": (plain_sum, False, chunk),
    }
    if peer:
        kinds["jax_privacy"] = (peer_sum, True, chunk)
    runs, memory = {}, {}
    for kind, (summed, noisy, size) in kinds.items():
        if kind == "plain in chunks" and chunk == batch:
            continue
        whole = jax.jit(partial(step, partial(summed, loss, chunk=size), noisy))
        compiled = whole.lower(state, records, jnp.zeros(2, jnp.uint32)).compile()
        used = compiled.memory_analysis()
        memory[kind] = used.temp_size_in_bytes + used.output_size_in_bytes
        runs[kind] = partial(timed, compiled, state, records)
        runs[kind]()
    return runs, memory


def timed(compiled, state, records) -> float:
    start = time.perf_counter()
    jax.block_until_ready(compiled(state, records, jnp.asarray([1, 2], jnp.uint32)))
    return time.perf_counter() - start


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


def ask(worker: subprocess.Popen[str], name: str, batch: int, mode: str) -> float:
    assert worker.stdin
    assert worker.stdout
    worker.stdin.write(f"{name} {batch} {mode}\n")
    worker.stdin.flush()
    return float(worker.stdout.readline())


def compare(name: str, batch: int, worker: subprocess.Popen[str] | str, peer: bool) -> dict[str, float | None]:
    """Alternating runs of everybody; medians of ratios within a round."""
    runs, memory = programs(name, batch, peer)
    times: dict[str, list[float]] = {}
    first = {kind: run() for kind, run in runs.items()}
    for i in range(RUNS[batch]):
        for kind, run in runs.items():
            if kind != "jax_privacy" or i < max(1, min(5, int(6 / first[kind]))):
                times.setdefault(kind, []).append(run())
        for mode in ("hooks", "ghost") if isinstance(worker, subprocess.Popen) and i < 9 else ():
            times.setdefault(mode, []).append(ask(worker, name, batch, mode))

    def ratio(top: str, below: str) -> float:
        pairs = zip(times[top], times[below], strict=False)
        return round(statistics.median(a / b for a, b in pairs), 3)

    plain = max(("plain", "plain in chunks"), key=lambda k: ratio("private", k) if k in times else 0)
    result: dict[str, float | None] = {
        "milliseconds": round(1e3 * statistics.median(times["private"]), 2),
        "ratio_to_plain": ratio("private", plain),
        "ratio_to_plain_whole_batch": ratio("private", "plain"),
        "ratio_to_opacus": None,
        "ratio_to_jax_privacy": ratio("private", "jax_privacy") if peer else None,
        "memory_ratio": round(memory["private"] / memory["plain"], 3),
    }
    if "hooks" in times:
        result["ratio_to_opacus"] = max(ratio("private", "hooks"), ratio("private", "ghost"))
    return result


def main() -> None:
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--alone", action="store_true", help="against the plain step only")
    options = parser.parse_args()
    worker = "not asked for" if options.alone else opacus()
    if isinstance(worker, str):
        print(f"Opacus left out: {worker}")
    table: dict[str, dict[str, dict[str, float | None]]] = {}
    for name in options.networks.split(","):
        for batch in NETWORKS[name][4]:
            table.setdefault(name, {})[str(batch)] = row = compare(name, batch, worker, not options.alone)
            print(f"{name:14}{batch:6}  {row}", flush=True)
    if isinstance(worker, subprocess.Popen):
        worker.communicate()
    print(json.dumps({**table, "device": jax.devices()[0].device_kind, "precision": "float32"}))


if __name__ == "__main__":
    main()
