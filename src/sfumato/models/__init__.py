"""Generative models: each written once against the questions of a trust setting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from sfumato.extras import require
from sfumato.models.images.class_gaussian import ClassGaussian
from sfumato.models.images.class_mixture import ClassMixture
from sfumato.models.marginals.aim import Aim
from sfumato.models.marginals.independent import Independent
from sfumato.models.marginals.loglinear import LogLinear
from sfumato.models.marginals.mst import Mst
from sfumato.models.model import FittedModel as FittedModel
from sfumato.models.model import ImpossibleCondition as ImpossibleCondition
from sfumato.models.model import Model
from sfumato.models.model import RecordLoss as RecordLoss


class _Models(Mapping[str, Model]):
    """Recipes by name; those that need JAX are imported when they are asked for, from a path below this package."""

    def __init__(self, models: tuple[Model, ...], neural: dict[str, str]) -> None:
        self._models = {m.name: m for m in models}
        self._neural = neural

    def __getitem__(self, name: str) -> Model:
        if name in self._neural:
            require("networks", f"model {name!r}")
            module, _, recipe = self._neural[name].rpartition(".")
            return getattr(import_module(f"sfumato.models.{module}"), recipe)()
        return self._models[name]

    def __contains__(self, name: object) -> bool:
        return name in self._models or name in self._neural  # a name is no reason to import a model

    def __iter__(self) -> Iterator[str]:
        return iter((*self._models, *self._neural))

    def __len__(self) -> int:
        return len(self._models) + len(self._neural)


MODELS: Mapping[str, Model] = _Models(
    (Independent(), Mst(), Aim(), LogLinear(), ClassGaussian(), ClassMixture()),
    {
        "gan": "gan.Gan",
        "vae": "vae.Vae",
        "diffusion": "diffusion.Diffusion",
        "mean-embedding": "images.mean_embedding.MeanEmbedding",
    },
)
