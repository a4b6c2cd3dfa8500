"""What a fit leaves behind: codec, fitted model and certificate; sampled, saved and loaded without any private row."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from sfumato.encoding.codec import Codec
from sfumato.encoding.column import Value
from sfumato.errors import ArtifactError, ConditionError, SfumatoError
from sfumato.models import MODELS
from sfumato.models.choose import Choice
from sfumato.models.model import FittedModel, ImpossibleCondition, Latent, Model
from sfumato.models.settings import SettingsError, plain_settings
from sfumato.privacy.guarantee import Guarantee
from sfumato.release.artifact import Artifact
from sfumato.release.certificate import Certificate, NoCertificate, certificate_of
from sfumato.results.plain import Json
from sfumato.schema import Schema
from sfumato.tables import Rows, Table
from sfumato.tables.source import RowSource

_BLOCK = 1 << 18
"""Rows drawn at a time."""
MOST_RECORDS = 1 << 40
"""Records that a model may say it is of: more than there are rows about people anywhere."""
MOST_BY_DEFAULT = 10**8
"""Rows drawn where nobody says how many: minutes; of a larger table somebody must want all."""
MODEL_FIELDS = frozenset({"name", "why", "settings", "promised", "facts"})
"""What a saved model says of itself; ``settings`` lack where it was saved before they were kept."""

Several: TypeAlias = tuple[Value, Value] | list[Value] | AbstractSet[Value]
"""A range with ends, None for no end; or alternatives."""

Given: TypeAlias = Mapping[str, Value | Several]
"""Conditions that rows are drawn under, by column."""


@dataclass(frozen=True)
class Release:
    """A fitted model with all that is needed to use it; holds nothing of the rows but noised answers.

    Attributes:
        schema: the public facts.
        codec: values to codes and back.
        fitted: the model.
        choice: which model, and why this one.
        guarantee: what was promised.
        stored_certificate: the certificate, or what stands in its place, as it is saved.
        sites: the plan of the sites where the rows lay, with their signatures, as it is saved; None where none signed.
    """

    schema: Schema
    codec: Codec
    fitted: FittedModel
    choice: Choice
    guarantee: Guarantee
    stored_certificate: Mapping[str, Json]
    sites: Mapping[str, Json] | None = None

    def sample(self, n: int | None, given: Given | None, seed: int | None) -> Table:
        """Draw ``n`` rows (default: the model's noisy total) that obey the conditions and the constraints."""
        return Table(pa.concat_tables(self.blocks(n, given, seed)))

    def blocks(self, n: int | None, given: Given | None, seed: int | None) -> Iterator[pa.Table]:
        """The rows of :meth:`sample`, block by block, so that memory does not grow with them."""
        if n is not None and n < 1:
            raise SfumatoError(f"the number of rows must be at least 1, got {n}")
        rng = np.random.default_rng(seed)
        if n is None and self.default_rows > MOST_BY_DEFAULT:
            raise SfumatoError(
                f"the model is of {self.default_rows:,} rows, more than the {MOST_BY_DEFAULT:,} that are drawn by"
                " default; say how many: sample(n) in Python, -n on the command line"
            )
        n = self.default_rows if n is None else n
        conditions = {column: condition(value) for column, value in (given or {}).items()}
        masks = self.codec.given(conditions)
        for after in range(0, n, _BLOCK):
            try:
                codes = self.fitted.sample(min(_BLOCK, n - after), rng, masks)
            except ImpossibleCondition:
                raise ConditionError(f"no row of the model meets the conditions on {', '.join(conditions)}") from None
            yield self.codec.decode(codes, rng, conditions, after)

    def encode(self, source: RowSource) -> np.ndarray:
        """Latent points (n, k) of rows that the caller owns."""
        latent = self._latent()
        codes = [self.codec.encode(batch) for batch in Rows.open(source, self.codec.schema.dialect).cells()]
        return latent.encode(np.concatenate(codes))

    def decode(self, points: np.ndarray, seed: int | None) -> Table:
        """One row per latent point."""
        latent = self._latent()
        points = np.asarray(points, np.float64)
        if points.ndim != 2 or points.shape[1] != latent.latent or not np.isfinite(points).all():
            raise SfumatoError(
                f"latent points of this model are finite numbers of shape (n, {latent.latent}), got {points.shape}"
            )
        rng = np.random.default_rng(seed)
        return Table(self.codec.decode(latent.decode(points, rng), rng))

    def interpolate(self, a: np.ndarray, b: np.ndarray, steps: int, seed: int | None) -> Table:
        """Rows on the straight line between two latent points (k,)."""
        if steps < 2:
            raise SfumatoError(f"the way between two points has at least 2 steps, got {steps}")
        if np.ndim(a) != 1 or np.shape(a) != np.shape(b):
            raise SfumatoError(f"two latent points are of one shape (k,), got {np.shape(a)} and {np.shape(b)}")
        return self.decode(np.linspace(a, b, steps), seed)

    def _latent(self) -> Latent:
        if not isinstance(self.fitted, Latent):
            raise SfumatoError(f"model {self.choice.name!r} has no latent space; vae and diffusion have one")
        return self.fitted

    @property
    def certificate(self) -> Certificate | NoCertificate:
        """The certificate, or why there is none; CertificateError where what is saved is neither.

        It is read here and not with the model, which can be sampled whatever its certificate is.
        """
        return certificate_of(self.stored_certificate)

    @property
    def default_rows(self) -> int:
        """The model's noisy total as a whole number of at least 1; never the number of private rows."""
        return max(1, round(self.fitted.total))

    @property
    def recipe(self) -> Model:
        """The recipe that the model was fitted by; with this version's settings where it was saved without its own.

        Raises:
            SettingsError: it has other settings in this version.
        """
        return MODELS[self.choice.name, self.codec.domain.content].recipe(self.choice.settings)

    def artifact(self) -> Artifact:
        """The saved form."""
        facts, arrays = self.fitted.state()
        model = {**stated(self.choice, self.guarantee), "facts": facts}
        codec = json.loads(self.codec.to_json())
        return Artifact(self.schema.dump(), codec, model, arrays, self.stored_certificate, self.sites)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Release:
        """Read a saved model; ArtifactError when it is damaged, edited, hostile or of another version."""
        artifact = Artifact.load(path)
        try:
            if not artifact.model.keys() <= MODEL_FIELDS:
                raise ValueError
            promise = artifact.model["promised"]
            epsilon = float("inf") if promise["epsilon"] is None else promise["epsilon"]
            guarantee = Guarantee(epsilon, promise["delta"], promise["unit"])
            codec = Codec.from_json(json.dumps(artifact.codec))
            name = artifact.model["name"]
            settings = plain_settings(artifact.model["settings"]) if "settings" in artifact.model else None
            recipe = MODELS[name, codec.domain.content].recipe()
            fitted = recipe.restore(codec.domain, artifact.model["facts"], dict(artifact.arrays))
            if not 1 <= fitted.total <= MOST_RECORDS:
                raise ArtifactError(f"{os.fspath(path)}: says to be of more than {MOST_RECORDS:,} records, or of none")
            schema = Schema.parse(artifact.schema, f"{os.fspath(path)}:schema.yaml")
            choice = Choice(name, str(artifact.model["why"]), settings)
            return cls(schema, codec, fitted, choice, guarantee, artifact.certificate, artifact.sites)
        except SettingsError as e:
            raise ArtifactError(f"{os.fspath(path)}: {e}") from None
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError) as e:
            raise ArtifactError(
                f"{os.fspath(path)}: holds no model this version can use ({type(e).__name__})"
            ) from None


def stated(choice: Choice, guarantee: Guarantee) -> dict[str, Json]:
    """What a saved model says of itself but for what was learnt; no settings where they are not known."""
    settings = {} if choice.settings is None else {"settings": dict(choice.settings)}
    return {"name": choice.name, "why": choice.why, **settings, "promised": promised(guarantee)}


def promised(guarantee: Guarantee) -> dict[str, Json]:
    """The promise as a saved model states it; epsilon is None where there is none."""
    return {
        "epsilon": guarantee.epsilon if guarantee.private else None,
        "delta": guarantee.delta,
        "unit": guarantee.unit,
    }


def condition(value: Value | Several) -> Value:
    """A condition as a codec reads it: ``(30, 40)`` is a range with ends, a list or set are alternatives."""
    if isinstance(value, tuple) and len(value) == 2:
        low, high = ("" if end is None else end for end in value)
        return f"{low}..{high}"
    return "|".join(map(str, value)) if isinstance(value, list | AbstractSet) else value
