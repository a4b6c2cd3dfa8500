"""What models say of themselves, held against what they do."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.models.images.population import DOMAIN as IMAGES
from tests.models.images.population import begin, curator, digits

from sfumato.encoding.domain import Domain
from sfumato.models import MODELS, GradientModel, Model, names
from sfumato.models.marginals.aim import Aim
from sfumato.progress import Silent
from sfumato.schema.columns import Content

TABLE = Domain.of(["a", "b", "c"], [3, 4, 2])
QUESTIONS = {
    "count": "count", "marginals": "marginals", "select": "select", "distances": "distances",
    "feature_sum": "feature_sum", "scatter": "scatter", "dp_sgd": "gradients",
}  # fmt: skip
KEYS = list(MODELS)


class Trained(Exception):
    """Gradients are asked for: nothing is asked after them."""


def constructing() -> bool:
    """Whether some model's constructor goes on."""
    return any(
        frame.function in ("__init__", "__post_init__") and "sfumato/models/" in frame.filename.replace("\\", "/")
        for frame in inspect.stack(0)
    )


class Listening:
    """A setting that notes what is asked of it, and refuses a question that a constructor asks."""

    def __init__(self, setting: Any, asked: set[str]) -> None:
        self._setting, self._asked = setting, asked

    def __getattr__(self, name: str) -> Any:
        if name in QUESTIONS:
            assert not constructing(), "a constructor spends nothing: ask in a function with a name"
            self._asked.add(QUESTIONS[name])
        if name == "dp_sgd":
            raise Trained
        if name == "coarsened":
            return lambda recode: Listening(self._setting.coarsened(recode), self._asked)
        return getattr(self._setting, name)


def shortened(recipe: Any) -> Any:
    """The recipe with few steps; what it asks does not follow from them."""
    return replace(recipe, **{k: 2 for k in ("steps", "warm_steps", "frequencies") if hasattr(recipe, k)})


def rows(content: Content) -> tuple[np.ndarray, Domain]:
    if content == "images":
        return digits(), IMAGES
    return np.random.default_rng(0).integers(0, TABLE.sizes, (400, 3)).astype(np.uint8), TABLE


@pytest.mark.parametrize(("name", "content"), KEYS)
def test_a_model_asks_what_it_says_and_no_constructor_asks(
    name: str, content: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, asked = MODELS[name, content], set()
    codes, domain = rows(content)
    recipe: Any = entry.recipe()
    model = sys.modules[type(recipe).__module__]
    if hasattr(model, "train_on_public"):  # has no setting to ask, and takes most of the time
        monkeypatch.setattr(model, "train_on_public", lambda _loss, _prepare, network, *_, **__: network)
    setting: Any = Listening(curator(codes, begin(3.0), domain), asked)
    with suppress(Trained):
        (shortened(recipe) if entry.extra else recipe).fit(setting, target=None, progress=Silent())
    assert asked == entry.asks


@pytest.mark.parametrize(("name", "content"), KEYS)
def test_entries_are_what_they_are_registered_as(name: str, content: Content) -> None:
    entry = MODELS[name, content]
    recipe = entry.recipe()
    assert isinstance(recipe, Model)
    assert (entry.name, entry.learns, recipe.name) == (name, content, name)
    assert isinstance(recipe, GradientModel) == ("gradients" in entry.asks)
    if isinstance(recipe, GradientModel):
        assert recipe.gradients_only().gradients == 1.0
        assert type(recipe.gradients_only()) is type(recipe.overfitting()) is type(recipe)


@pytest.mark.parametrize(("name", "content"), [k for k in KEYS if MODELS[k].extra is None])
def test_the_twin_of_a_model_without_networks_is_itself(name: str, content: Content) -> None:
    """But for how many draws it makes of what was answered, which asks nothing."""
    recipe = MODELS[name, content].recipe()
    twin = recipe.overfitting()
    if isinstance(twin, Aim) and isinstance(recipe, Aim):
        twin = replace(twin, draws=recipe.draws)
    assert twin == recipe


def test_names_of_each_content_are_those_of_all_together() -> None:
    assert names() == tuple(sorted({*names("table"), *names("images")}))
    assert {"gan", "vae", "diffusion"} == set(names("table")) & set(names("images"))


def test_what_needs_no_network_fits_and_samples_with_no_jax_to_import() -> None:
    """The registry knows all models; only those that are asked for are imported."""
    code = f"""
import sys
sys.modules.update(dict.fromkeys(("jax", "equinox", "optax", "jax_privacy")))
import numpy as np
from sfumato.encoding.domain import Domain
from sfumato.errors import MissingExtra
from sfumato.models import MODELS
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.trust.central import Central
from sfumato.trust.budget import Budget
from sfumato.trust.records import Records
rng = np.random.default_rng(0)
domain = Domain.of(["a", "b", "c"], {list(TABLE.sizes)})
records = Records.of(rng.integers(0, domain.sizes, (400, 3)).astype(np.uint8), domain)
for (name, content), entry in MODELS.items():
    if entry.extra:
        try:
            entry.recipe()
        except MissingExtra as error:
            assert f"model {{name!r}}" in str(error)
        else:
            raise AssertionError(name)
    elif content == "table":
        run = Ledger.open(None, Guarantee(9, 1e-5)).begin(Guarantee(1, 1e-6), "test")
        fitted = entry.recipe().fit(Central(records, Budget(run)), target=1, progress=Silent())
        print(name, len(fitted.sample(50, rng)))
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert sorted(done.stdout.split()[::2]) == sorted(n for n in names("table") if MODELS[n, "table"].extra is None)


def test_a_guarantee_of_nothing_is_no_reason_to_ask_for_more() -> None:
    codes, domain = rows("table")
    asked: set[str] = set()
    setting: Any = Listening(curator(codes, begin(math.inf), domain), asked)
    MODELS["aim", "table"].recipe().fit(setting, target=None, progress=Silent())
    assert asked <= MODELS["aim", "table"].asks
