"""L10: what a training makes of a record depends on that record alone, in every network of every family.

The training that a recipe asks for is caught instead of run. Then one record of a batch is changed: what `prepare` and
the loss make of all others must be the same to the bit, and so must a clipped sum that leaves the changed one out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfumato.encoding.domain import Axis, Domain, Pixels
from sfumato.models.diffusion import Diffusion
from sfumato.models.diffusion.images import ImageDiffusion
from sfumato.models.gan import Gan
from sfumato.models.gan.images import ImageGan
from sfumato.models.vae import Vae
from sfumato.models.vae.images import ImageVae
from sfumato.privacy.dp_sgd import DpSgd, Objective
from sfumato.privacy.gradients import Tape, clipped_sum
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.questions import OBJECTIVES
from sfumato.trust.records import Records

BATCH = 8
PIXELS = Pixels(0, 4, 4, 1)
IMAGES = Domain((*PIXELS.axes("image"), Axis("label", 2)), PIXELS)
TABLE = Domain.of(["a", "b", "n"], [4, 3, 40], ["n"])
RECIPES: dict[str, tuple[Any, Domain]] = {
    "gan": (Gan(0.5, warm_steps=2, steps=1), TABLE),
    "vae": (Vae(0.5, warm_steps=2, steps=1), TABLE),
    "diffusion": (Diffusion(0.5, warm_steps=2, steps=1), TABLE),
    "gan of images": (ImageGan(0.5, steps=1), IMAGES),
    "vae of images": (ImageVae(0.5, steps=1), IMAGES),
    "diffusion of images": (ImageDiffusion(0.5, steps=1), IMAGES),
    "gan of images, cold": (ImageGan(1.0, steps=1), IMAGES),
    "vae of images, cold": (ImageVae(1.0, steps=1), IMAGES),
    "diffusion of images, cold": (ImageDiffusion(1.0, steps=1), IMAGES),
}


class Asked(Exception):
    """The training that a recipe asks for."""

    def __init__(self, training: DpSgd) -> None:
        super().__init__()
        self.training = training


class Catching:
    """A setting that answers as its curator does, up to the first training."""

    def __init__(self, setting: Any) -> None:
        self._setting = setting

    def __getattr__(self, name: str) -> Any:
        return getattr(self._setting, name)

    def dp_sgd(self, training: DpSgd, share: float, progress: Any) -> Any:
        raise Asked(training)


def codes_of(domain: Domain, n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, domain.sizes, (n, len(domain))).astype(domain.code_dtype())


def training_of(name: str) -> tuple[DpSgd, Objective]:
    recipe, domain = RECIPES[name]
    run = Ledger.open().begin(Guarantee(20.0, 1e-5), "caught")
    setting = Catching(Central(Records.of(codes_of(domain, 300, 0), domain), Budget(run)))
    with pytest.raises(Asked) as asked:
        recipe.fit(setting, target=len(domain) - 1, progress=Silent())
    training = asked.value.training
    return training, OBJECTIVES.make(training.recipe, domain, training.arrays)


def touched(training: DpSgd, objective: Objective, domain: Domain) -> list[str]:
    """What of the other records changes with the first."""
    codes = codes_of(domain, BATCH, 1)
    changed = codes.copy()
    changed[0] = [size - 1 for size in domain.sizes] - codes[0]
    key, parameters = jax.random.PRNGKey(0), training.parameters(training.carry)
    mask = jnp.arange(BATCH) > 0

    @jax.jit
    def seen(batch: Any) -> tuple[Any, Any, Any]:
        records = objective.prepare(batch, key)
        losses = objective.loss(parameters, records, Tape())
        return records, losses, clipped_sum(objective.loss, parameters, records, mask, training.clip)

    one, other = (seen(jnp.asarray(x)) for x in (codes, changed))
    parts = {"prepare": (one[0], other[0], 1), "loss": (one[1], other[1], 1), "gradient": (one[2], other[2], 0)}
    return [
        part
        for part, (a, b, first) in parts.items()
        if any(
            not np.array_equal(np.asarray(x)[first:], np.asarray(y)[first:])
            for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
        )
    ]


@pytest.mark.parametrize("name", RECIPES)
def test_a_record_changes_nothing_that_is_made_of_another(name: str) -> None:
    assert touched(*training_of(name), RECIPES[name][1]) == []


def _centred(right: Callable[..., Any]) -> Callable[..., Any]:
    def prepare(codes: Any, key: Any) -> Any:
        return jax.tree.map(lambda x: x - x.mean(0).astype(x.dtype), right(codes, key))

    return prepare


def _by_the_batch(right: Callable[..., Any]) -> Callable[..., Any]:
    def loss(parameters: Any, records: Any, tape: Tape) -> Any:
        found = right(parameters, records, tape)
        return found / jnp.sum(found)

    return loss


def test_batch_statistics_are_caught() -> None:
    """The planted bugs: records centred by the mean of their batch, losses scaled by their sum."""
    name = "vae of images, cold"
    training, right = training_of(name)
    centred, scaled = replace(right, prepare=_centred(right.prepare)), replace(right, loss=_by_the_batch(right.loss))
    assert touched(training, centred, IMAGES) == ["prepare", "loss", "gradient"]
    assert touched(training, scaled, IMAGES) == ["loss", "gradient"]
