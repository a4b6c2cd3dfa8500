"""What networks lend to sites that train by themselves: the average becomes their state, and a game goes on with it."""

from __future__ import annotations

from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.models.marginals.population import DOMAIN

from sfumato.models import MODELS
from sfumato.models.networks.training import BATCHES
from sfumato.privacy.dp_sgd import DpSgd
from sfumato.progress import Progress, Silent

KEY = jnp.asarray(np.array([1, 2], np.uint32))


class Trained(Exception):
    def __init__(self, training: DpSgd) -> None:
        self.training = training


class Beginning:
    """A setting that lets a model come as far as its training."""

    domain, remaining = DOMAIN, 1.0

    def mu(self, share: float) -> float:
        return share

    def count(self, mu: float) -> float:
        return 1000.0

    def dp_sgd(self, training: DpSgd, share: float, progress: Progress) -> NoReturn:
        raise Trained(training)


def training_of(name: str) -> DpSgd[Any, Any]:
    recipe: Any = MODELS[name, "table"].recipe()
    with pytest.raises(Trained) as found:
        recipe.gradients_only().fit(Beginning(), target=None, progress=Silent())
    assert found.value.training.batch == 1000 / BATCHES
    return found.value.training


@pytest.mark.parametrize("name", ["vae", "diffusion", "gan"])
def test_an_average_becomes_the_state(name: str) -> None:
    training = training_of(name)
    assert training.local is not None
    moved = jax.tree.map(lambda x: x + 1, training.parameters(training.carry))
    after = training.local.averaged(training.carry, moved, 10, KEY)
    for found, expected in zip(*(jax.tree.leaves(t) for t in (training.parameters(after), moved)), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert jax.tree.structure(after) == jax.tree.structure(training.carry)
    if name != "gan":
        before, average = (jax.tree.leaves(carry[2])[0] for carry in (training.carry, after))
        assert np.all((average > before) & (average < jax.tree.leaves(moved)[0]))


def test_a_generator_plays_on_against_the_average_and_pulls_every_site() -> None:
    training = training_of("gan")
    assert training.local is not None
    assert training.local.pull is not None
    after = training.local.averaged(training.carry, training.carry.discriminator, 10, KEY)
    assert int(after.step) == 10
    one, other = (jax.tree.leaves(state.generator)[0] for state in (training.carry, after))
    assert np.abs(one - other).max() > 0
    pull = training.local.pull(training.carry, KEY)
    assert jax.tree.structure(pull) == jax.tree.structure(training.carry.discriminator)
    assert max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(pull)) > 0
