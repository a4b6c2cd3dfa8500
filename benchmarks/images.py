"""Generators of images on Fashion-MNIST: accuracy of a classifier, distance of pixels, CPU seconds, memory.

``python -m benchmarks.images [--models "class-gaussian gan ..."] [--epsilons 1,10,inf] [--seeds 3]`` learns the 60,000
training images at 28x28 with delta = 1 / (N ln N), each fit in its own process, and draws as many. A model of name
``gan:gradients=1`` is the network with that in its recipe, here without a warm start. ``--validate`` learns 50,000 of
the training images and tests on the other 10,000: choices are made there. ``--pictures FOLDER`` draws some samples.
*accuracy* is that of a 784-256-128-10 perceptron (ReLU, Adam 1e-3, batches of 128, four epochs, nothing selected) that
is trained on what was drawn and tested once on the 10,000 test images. *pixel_frechet* is the Frechet distance of
Gaussians fitted to the raw pixels, in [0, 1], of what was drawn and of the test images: not an FID, which needs the
features of a pretrained network. The last line is one JSON object: model, epsilon, figure, mean over seeds.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import time
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pyarrow as pa
from PIL import Image

from benchmarks.measured import measured
from sfumato.encoding.domain import Axis, Domain, Pixels
from sfumato.evaluation.images import frechet, pixel_values
from sfumato.models import MODELS, Model
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.tables.pictures import sample_grid
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records

FOLDER = Path("/usr/share/datasets/fashion-mnist")
SIZE, LABEL, CLASSES, DRAWN, LEARNT = 28 * 28, 28 * 28, 10, 60_000, 50_000
PIXELS = Pixels(0, 28, 28, 1)
DOMAIN = Domain((*PIXELS.axes("image"), Axis("label", CLASSES)), PIXELS)
WIDTHS, EPOCHS, BATCH = (SIZE, 256, 128, CLASSES), 4, 128


def load(part: str) -> np.ndarray:
    """Codes (n, 785) of ``train`` or ``t10k``."""
    return np.hstack([_read(f"{part}-images-idx3", 16).reshape(-1, SIZE), _read(f"{part}-labels-idx1", 8)[:, None]])


def _read(name: str, header: int) -> np.ndarray:
    path = FOLDER / f"{name}-ubyte.gz"
    if not path.exists():
        raise SystemExit(f"there is no {path}: install the Debian package dataset-fashion-mnist")
    with gzip.open(path) as stream:
        return np.frombuffer(stream.read(), np.uint8, offset=header)


def parts(validate: bool) -> tuple[np.ndarray, np.ndarray]:
    """The images to learn and those to test on."""
    train = load("train")
    return (train[:LEARNT], train[LEARNT:]) if validate else (train, load("t10k"))


def recipe(name: str) -> Model:
    """A model by its name, ``gan:gradients=1,steps=400`` being a network of images with a changed recipe."""
    name, _, changes = name.partition(":")
    network = MODELS[name, "images"].recipe()
    if not changes:
        return network
    pairs = (change.split("=") for change in changes.split(","))
    return replace(network, **{key: type(getattr(network, key))(float(value)) for key, value in pairs})


def drawn(name: str, epsilon: float, seed: int, validate: bool) -> tuple[np.ndarray, float, float]:
    """A fit of images to learn: 60,000 codes drawn from it, and the CPU seconds of fitting and of drawing."""
    codes = parts(validate)[0]
    run = Ledger.open().begin(Guarantee(epsilon, 1 / (len(codes) * math.log(len(codes)))), "benchmark")
    setting = Central(Records.of(codes, DOMAIN), Budget(run))
    start = time.process_time()
    model = recipe(name).fit(setting, target=LABEL, progress=Silent())
    middle = time.process_time()
    sample = model.sample(DRAWN, np.random.default_rng(seed))
    return sample, middle - start, time.process_time() - middle


def accuracy(train: np.ndarray, test: np.ndarray, seed: int) -> float:
    """Of the perceptron that is trained on one and tested on the other."""
    *keys, shuffle = jax.random.split(jax.random.key(seed), len(WIDTHS))
    layers = [
        (jax.random.normal(key, (i, o)) * math.sqrt(2 / i), jnp.zeros(o))
        for key, i, o in zip(keys, WIDTHS, WIDTHS[1:], strict=False)
    ]
    images, labels = jnp.asarray(train[:, :SIZE]), jnp.asarray(train[:, LABEL], jnp.int32)
    optimiser = optax.adam(1e-3)

    def logits(layers: list, x: jax.Array) -> jax.Array:
        h = x.astype(jnp.float32) / 255
        for weight, bias in layers[:-1]:
            h = jax.nn.relu(h @ weight + bias)
        return h @ layers[-1][0] + layers[-1][1]

    def loss(layers: list, rows: jax.Array) -> jax.Array:
        each = optax.softmax_cross_entropy_with_integer_labels(logits(layers, images[rows]), labels[rows])
        return each.mean()

    def step(carry: tuple, rows: jax.Array) -> tuple[tuple, None]:
        layers, memory = carry
        updates, memory = optimiser.update(jax.grad(loss)(layers, rows), memory)
        return (optax.apply_updates(layers, updates), memory), None

    epochs = [jax.random.permutation(key, len(train)) for key in jax.random.split(shuffle, EPOCHS)]
    rows = jnp.concatenate([order[: len(train) // BATCH * BATCH].reshape(-1, BATCH) for order in epochs])
    (layers, _), _ = jax.jit(lambda carry: jax.lax.scan(step, carry, rows))((layers, optimiser.init(layers)))
    return float((np.asarray(logits(layers, test[:, :SIZE])).argmax(axis=1) == test[:, LABEL]).mean())


def pixel_frechet(one: np.ndarray, other: np.ndarray) -> float:
    """The Frechet distance of the pixels of two sets of codes."""
    return frechet(*(pixel_values(codes, PIXELS) for codes in (one, other)))


def picture(sample: np.ndarray, path: Path) -> None:
    """Ten images of each class."""
    images = sample[:2000, PIXELS.span].reshape(-1, *PIXELS.shape).astype(np.uint8)
    grid = sample_grid(images, pa.chunked_array([sample[:2000, LABEL]]))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grid[..., 0]).save(path, optimize=True)


def figures(name: str, epsilon: float, seed: int, options: argparse.Namespace, test: np.ndarray) -> dict[str, float]:
    """Fit, draw, measure."""
    (sample, fit, draw), cost = measured(drawn, name, epsilon, seed, options.validate)
    if options.pictures and seed == 0:
        picture(sample, options.pictures / f"{name.replace(':', '-')}-{epsilon:g}.png")
    return {
        "accuracy": accuracy(sample, test, seed),
        "pixel_frechet": pixel_frechet(sample, test),
        "fit_cpu_seconds": fit,
        "sample_cpu_seconds": draw,
        "peak_mb": cost.peak_mb,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--models",
        default="class-gaussian class-mixture mean-embedding gan vae diffusion",
        help="names, spaces between",
    )
    parser.add_argument("--epsilons", default="1,10,inf")
    parser.add_argument("--seeds", type=int, default=3, help="independent fits, draws and classifiers")
    parser.add_argument("--validate", action="store_true", help="on a part of the training images")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of samples")
    options = parser.parse_args()
    train, test = parts(options.validate)
    seeds = range(options.seeds)
    real = {
        "accuracy": round(float(np.mean([accuracy(train, test, seed) for seed in seeds])), 4),
        "pixel_frechet": round(pixel_frechet(train, test), 3),
    }
    print(f"{'real':24} {'':6} {real}", flush=True)
    result: dict[str, dict] = {"real": real}
    for name in options.models.split():
        for epsilon in options.epsilons.split(","):
            runs = [figures(name, float(epsilon), seed, options, test) for seed in seeds]
            means = {key: round(float(np.mean([r[key] for r in runs])), 4) for key in runs[0]}
            result.setdefault(name, {})[epsilon] = means
            each = " ".join(f"{r['accuracy']:.4f}" for r in runs)
            print(f"{name:24} {epsilon:6} {means} accuracies {each}", flush=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
