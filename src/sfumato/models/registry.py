"""Which models there are: what each one learns, asks and needs, known without importing any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Literal

from sfumato.errors import MissingPackage
from sfumato.extras import require
from sfumato.models.model import Model
from sfumato.models.settings import Settings, with_settings
from sfumato.schema.columns import Content
from sfumato.trust.questions import GROUPED, OBJECTIVES, VECTORS

QuestionKind = Literal["count", "marginals", "select", "distances", "feature_sum", "scatter", "gradients"]
"""A question of a trust setting; ``gradients`` is asked by DP-SGD."""


@dataclass(frozen=True)
class ModelEntry:
    """A model's public description.

    Attributes:
        name: what users call it.
        learns: the content of the tables that it learns.
        asks: every question that its recipe may ask, with its own settings and a setting that compares.
        path: ``module:class`` of the recipe, below ``sfumato.models``.
        extra: the extra of the package that it needs, or None.
    """

    name: str
    learns: Content
    asks: frozenset[QuestionKind]
    path: str
    extra: Literal["networks"] | None = None

    def recipe(self, settings: Settings | None = None) -> Model:
        """The recipe with the ``settings`` of a saved model, or with its own; its module is imported now.

        Raises:
            MissingExtra: the packages of its extra are not installed.
            MissingPackage: they are, but one cannot be imported.
            SettingsError: the settings are not such as the recipe has.
        """
        if self.extra is not None:
            require(self.extra, f"model {self.name!r}")
        module, _, recipe = self.path.partition(":")
        try:
            own: Model = getattr(import_module(f"sfumato.models.{module}"), recipe)()
        except ModuleNotFoundError as error:
            raise MissingPackage(error.name or "a package", f"model {self.name!r}") from None
        return own if settings is None else with_settings(own, settings)


_TABLE_NETWORK = "marginals distances gradients"
_IMAGE_NETWORK = "feature_sum scatter gradients"
"""What networks ask: first what their warm start asks, then gradients."""


def _entry(
    name: str, learns: Content, asks: str, path: str, extra: Literal["networks"] | None = None
) -> tuple[tuple[str, Content], ModelEntry]:
    questions: frozenset[QuestionKind] = frozenset(asks.split())  # pyright: ignore[reportAssignmentType]
    return (name, learns), ModelEntry(name, learns, questions, path, extra)


MODELS: Mapping[tuple[str, Content], ModelEntry] = MappingProxyType(
    dict(
        (
            _entry("independent", "table", "marginals", "marginals.independent:Independent"),
            _entry("mst", "table", "marginals distances", "marginals.mst:Mst"),
            _entry("aim", "table", "marginals select", "marginals.aim:Aim"),
            _entry("loglinear", "table", "marginals distances", "marginals.loglinear:LogLinear"),
            _entry("class-gaussian", "images", "feature_sum scatter", "images.class_gaussian:ClassGaussian"),
            _entry("class-mixture", "images", "feature_sum scatter", "images.class_mixture:ClassMixture"),
            _entry("mean-embedding", "images", "feature_sum", "images.mean_embedding:MeanEmbedding", "networks"),
            _entry("gan", "table", _TABLE_NETWORK, "gan:Gan", "networks"),
            _entry("vae", "table", _TABLE_NETWORK, "vae:Vae", "networks"),
            _entry("diffusion", "table", _TABLE_NETWORK, "diffusion:Diffusion", "networks"),
            _entry("gan", "images", _IMAGE_NETWORK, "gan.images:ImageGan", "networks"),
            _entry("vae", "images", _IMAGE_NETWORK, "vae.images:ImageVae", "networks"),
            _entry("diffusion", "images", _IMAGE_NETWORK, "diffusion.images:ImageDiffusion", "networks"),
        )
    )
)
"""Every model, by its name and by what it learns."""

_VECTORS = {
    "images": "images.projection:image_vectors",
    "random waves by class": "images.mean_embedding:waves_by_class",
}
_GROUPED = {
    "directions of images": "images.projection:image_directions",
    "coordinates by class": "images.moments:coordinates_by_class",
    "coordinates by cluster": "images.moments:coordinates_by_cluster",
}
_OBJECTIVES = {
    "vae of tables": "vae.vae:objective",
    "vae of tables for shares": "vae.shares:objective",
    "vae of images": "vae.images:objective",
    "critic of tables": "gan.gan:objective",
    "critic of tables for shares": "gan.shares:objective",
    "critic of images": "gan.images:objective",
    "masked diffusion of tables": "diffusion.diffusion:objective",
    "masked diffusion of tables for shares": "diffusion.shares:objective",
    "joint diffusion of tables": "diffusion.numbers:objective",
    "diffusion of images": "diffusion.images:objective",
}
"""What models have made of records, by the names that their questions give."""


def _install() -> None:
    for installed, places in ((VECTORS, _VECTORS), (GROUPED, _GROUPED), (OBJECTIVES, _OBJECTIVES)):
        for name, place in places.items():
            installed.add(name, f"sfumato.models.{place}")


_install()


def names(learns: Content | None = None) -> tuple[str, ...]:
    """Names of all models, or of those that learn tables of one content; sorted."""
    return tuple(sorted({name for name, content in MODELS if learns in (None, content)}))
