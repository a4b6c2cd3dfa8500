"""The protocol of a generative model: fitted by asking a setting, sampled without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.progress import Progress
from sfumato.results.plain import Json
from sfumato.trust.setting import Setting

SavedFacts: TypeAlias = Mapping[str, Json]
"""What a saved model says of itself beside its arrays, as read from JSON."""
SavedArrays: TypeAlias = Mapping[str, np.ndarray]
"""The arrays of a saved model by name."""
SavedState: TypeAlias = tuple[dict[str, Json], dict[str, np.ndarray]]
"""All that a fitted model is saved as: facts that JSON can hold, and arrays by name."""


@runtime_checkable
class FittedModel(Protocol):
    """What was learnt: post-processing of noised answers, nothing of the rows."""

    @property
    def domain(self) -> Domain:
        """Columns and codes that are sampled."""
        ...

    @property
    def total(self) -> float:
        """Noisy estimate of the number of records."""
        ...

    def sample(self, n: int, rng: np.random.Generator, given: Mapping[int, np.ndarray] | None = None) -> np.ndarray:
        """Draw ``n`` encoded records, (n, d) in the domain's code type.

        ``given`` maps a column's position to a boolean mask over its codes: only allowed codes appear. Raises
        ``ImpossibleCondition`` when the model gives the condition probability zero.
        """
        ...

    def state(self) -> SavedState:
        """(JSON-able facts, named arrays): all that :meth:`Model.restore` needs."""
        ...


@runtime_checkable
class RecordLoss(Protocol):
    """A fitted model that says how well it explains a record: what a white-box attacker computes from its weights."""

    def record_loss(self, codes: np.ndarray) -> np.ndarray:
        """(n,) finite losses of records (n, d), lower for what is better explained; -log p or a bound of it, in nats.

        Deterministic: where the loss is an average over random numbers, every record gets the same fixed ones.
        """
        ...


@runtime_checkable
class Model(Protocol):
    """A recipe: how the budget is spent and what is made of the answers."""

    name: str

    def fit(self, setting: Setting, *, target: int | None, progress: Progress) -> FittedModel:
        """Ask ``setting`` and learn; ``target`` is the position of a declared column of interest."""
        ...

    def restore(self, domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> FittedModel:
        """Rebuild a fitted model from :meth:`FittedModel.state`; ValueError on anything malformed."""
        ...

    def overfitting(self) -> Model:
        """The same recipe with settings under which it overfits a few records, if there is no noise.

        What an attack on such a fit shows is the attack's power.
        """
        ...


@runtime_checkable
class GradientModel(Model, Protocol):
    """A recipe that asks for gradients of records (DP-SGD)."""

    @property
    def gradients(self) -> float:
        """Share of the budget for them."""
        ...

    def gradients_only(self) -> GradientModel:
        """The same recipe with all of its budget for gradients: no warm start."""
        ...


@runtime_checkable
class Latent(Protocol):
    """A fitted model with a latent space."""

    @property
    def latent(self) -> int:
        """Dimension of the space."""
        ...

    def encode(self, codes: np.ndarray) -> np.ndarray:
        """Latent points (n, latent) of records (n, d) that the caller owns."""
        ...

    def decode(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One record per latent point, (n, latent) -> (n, d)."""
        ...


def total_of(facts: SavedFacts) -> float:
    """The noisy number of records of a saved model; ValueError where it is no number."""
    total = facts.get("total")
    if not isinstance(total, int | float):
        raise ValueError("the saved number of records is no number")
    return float(total)


class ImpossibleCondition(ValueError):  # noqa: N818
    """A condition at sampling that the model gives probability zero."""
