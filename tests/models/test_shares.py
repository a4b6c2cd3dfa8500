"""Networks in the form for secret shares: the same losses by codes and by one-hots, saved, restored and sampled."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.privacy.gradients.naive import naive_sum, quick

from sfumato.encoding.domain import Domain
from sfumato.models import MODELS, settings_of
from sfumato.models.diffusion import Diffusion
from sfumato.models.gan import Gan
from sfumato.models.settings import SettingsError
from sfumato.models.vae import Vae
from sfumato.privacy.gradients import OneHots, Tape, clipped_sum
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.questions import OBJECTIVES
from sfumato.trust.records import Records

DOMAIN = Domain.of(["a", "b", "c"], [4, 3, 5])
OWNERS = (slice(0, 4), slice(4, 7), slice(7, 12))
"""Each column at another party."""
NAMES = ("vae of tables for shares", "critic of tables for shares", "masked diffusion of tables for shares")
CODES = np.stack([np.random.default_rng(0).integers(0, s, 6) for s in DOMAIN.sizes], axis=1)
HOT = np.concatenate([np.eye(s, dtype=np.float32)[c] for s, c in zip(DOMAIN.sizes, CODES.T, strict=True)], axis=1)


def made(name: str):
    """The objective, parameters that are no zeros, and the key of a batch."""
    objective = OBJECTIVES.make(name, DOMAIN, {"weight": np.array(0.5)} if name.startswith("vae") else {})
    rng = np.random.default_rng(1)
    network = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape) * 0.05, x.dtype), objective.like)
    return objective, network, jax.random.key(2)


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_is_the_same_of_codes_of_one_hots_and_of_what_owners_made_of_theirs(name: str) -> None:
    objective, network, key = made(name)
    view = objective.secret
    coins = view.coins(key, len(CODES))
    parts = []
    for own in OWNERS:
        mine = np.zeros_like(HOT)
        mine[:, own] = HOT[:, own]
        parts.append(view.part(network, mine, coins))
    mask = jnp.asarray([True, True, False, True, True, True])
    found = [
        quick(lambda n, r=records: (objective.loss(n, r, Tape()), clipped_sum(objective.loss, n, r, mask, 0.3)))(
            network
        )
        for records in (
            objective.prepare(jnp.asarray(CODES), key),
            view.records(OneHots(jnp.asarray(HOT), 3), coins),
            view.records(OneHots(jnp.asarray(HOT), 3, sum(parts)), coins),
        )
    ]
    for other in found[1:]:
        for one, two in zip(jax.tree.leaves(found[0]), jax.tree.leaves(other), strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_clipped_sums_are_the_naive_ones(name: str) -> None:
    objective, network, key = made(name)
    records, mask = objective.prepare(jnp.asarray(CODES), key), jnp.asarray([True, True, False, True, True, True])
    wanted = naive_sum(objective.loss, network, records, mask, 0.3)
    found = quick(lambda n: clipped_sum(objective.loss, n, records, mask, 0.3, 3))(network)
    for f, w in zip(jax.tree.leaves(found), wanted, strict=True):
        np.testing.assert_allclose(f, w, atol=2e-4 * max(np.abs(v).max() for v in wanted))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_looked_up_by_what_a_record_holds(name: str) -> None:
    objective, network, key = made(name)
    coins = objective.secret.coins(key, len(CODES))

    def clipped(hot):
        records = objective.secret.records(OneHots(hot, 3), coins)
        return clipped_sum(objective.loss, network, records, jnp.ones(len(CODES), bool), 1.0)

    text = str(jax.jit(clipped).lower(jnp.asarray(HOT)).compiler_ir("stablehlo"))
    assert not {
        word for word in ("gather", "scatter", "dynamic_", "sort", "exponential") if f"stablehlo.{word}" in text
    }


@pytest.mark.parametrize("recipe", [Vae, Gan, Diffusion])
def test_a_recipe_in_this_form_is_fitted_by_a_curator_saved_and_drawn_from(recipe) -> None:
    with pytest.raises(SettingsError, match="usual or shares"):
        recipe(form="other")
    form = recipe(1.0, steps=1, form="shares")
    assert form == MODELS[form.name, "table"].recipe(settings_of(form))
    codes = np.tile(CODES, (50, 1)).astype(DOMAIN.code_dtype())
    run = Ledger.open().begin(Guarantee(20.0, 1e-5), "shares")
    model = form.fit(Central(Records.of(codes, DOMAIN), Budget(run)), target=None, progress=Silent())
    again = replace(form, form="usual").restore(DOMAIN, *model.state())
    drawn = [m.sample(20, np.random.default_rng(3)) for m in (model, again)]
    np.testing.assert_array_equal(*drawn)
    assert np.isfinite(again.record_loss(codes[:5])).all()


def test_outputs_are_chances() -> None:
    """A decoder that says one code for certain draws it, whatever the size of its outputs."""
    from sfumato.models.networks.layout import Layout
    from sfumato.models.networks.shares import logits

    layout = Layout(DOMAIN)
    drawn = layout.draw(np.asarray(logits(jnp.asarray(np.tile(HOT[:1], (200, 1))))), np.random.default_rng(0), None)
    assert (drawn == CODES[0]).mean() > 0.98
