"""The audit of a recipe: the right build is not accused, and a planted bug is, by the part that is there for it.

Error rates: mechanisms draw fresh noise in each run, so bounds are taken at a level of 1e-6 per part here.
"""

from __future__ import annotations

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from sfumato.auditing import recipe as recipes
from sfumato.auditing.recipe import Recipe, audit_recipe
from sfumato.auditing.recipe_result import RecipeAudit
from sfumato.encoding.domain import Domain
from sfumato.models import MODELS
from sfumato.privacy.gradients import clipped
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.mechanisms.discrete_gaussian import add_discrete_gaussian
from sfumato.privacy.randomness import SYSTEM
from sfumato.progress import Silent
from sfumato.trust import noising

DOMAIN = Domain.of(("a", "b", "c"), (12, 4, 3), ordered=("a",))
ROWS = np.random.default_rng(0).integers(0, DOMAIN.sizes, (600, 3))
CLAIM = Guarantee(1.0, 1e-6)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "_GAMES", {"marginals": 40_000, "gradients": 20_000})
    monkeypatch.setattr(recipes, "_SHADOWS", 20)
    monkeypatch.setattr(recipes, "_ORDINARY", 300)
    monkeypatch.setattr(recipes, "_LEVEL", 1e-6)


def audited(model: str, claim: Guarantee = CLAIM) -> RecipeAudit:
    return audit_recipe(Recipe(MODELS[model, "table"].recipe(), DOMAIN, None, claim), ROWS[:300], ROWS[300:], Silent())


def test_a_right_marginal_model_is_not_accused() -> None:
    found = audited("mst")
    assert not found.violation
    assert 0.5 < found.worst_case.mechanisms["marginals"].tightness <= 1
    assert found.replay.findings == ()
    assert 0 < found.replay.tightest <= 1 + 1e-6
    assert "trains no network" in found.canaries.left_out
    assert len(found.outlier_shadow.targets) == 2


def test_halved_noise_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        noising, "add_discrete_gaussian", lambda counts, sigma, _=SYSTEM: add_discrete_gaussian(counts, sigma / 2)
    )
    found = audited("independent")
    assert found.violation
    assert found.worst_case.violation


def test_a_look_past_the_answers_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: the number of rows itself is kept beside what was answered."""
    curator, seen = Recipe.curator, []

    def counted(self: Recipe, rows: np.ndarray, epsilon: float | None = None):
        seen.append(len(rows))
        return curator(self, rows, epsilon)

    def leaky(self: Recipe, setting):
        return SimpleNamespace(state=lambda count=seen[-1]: count, sample=lambda n, rng: ROWS[:n])

    monkeypatch.setattr(Recipe, "curator", counted)
    monkeypatch.setattr(Recipe, "fit", leaky)
    found = audited("independent")
    assert "went around them" in found.replay.findings[0]
    assert found.violation


@pytest.mark.parametrize("unclipped", [False, True])
def test_canaries_in_a_network(monkeypatch: pytest.MonkeyPatch, unclipped: bool) -> None:
    monkeypatch.setattr(recipes, "_PATIENCE", 0.0)
    if unclipped:
        monkeypatch.setattr(clipped, "clip_weights", lambda squared, losses, mask, clip: jnp.where(mask, 1.0, 0.0))
    found = audited("vae", Guarantee(2.0, 1e-5))
    assert found.canaries.violation == unclipped
    assert found.violation == unclipped
    assert "compiled training" in found.replay.left_out
    assert "would take about" in found.outlier_shadow.left_out
    assert set(found.worst_case.mechanisms) == {"marginals", "gradients"}
