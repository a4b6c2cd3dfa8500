"""Which model suits, by public facts only, and why."""

from __future__ import annotations

from dataclasses import dataclass

from sfumato.encoding.domain import Domain
from sfumato.errors import SfumatoError
from sfumato.models.registry import MODELS, names
from sfumato.models.settings import Settings
from sfumato.privacy.guarantee import Guarantee
from sfumato.schema.columns import Content

MOST_FOR_AIM = 40
"""Columns up to which the rounds of ``aim``, each over all pairs, are cheap."""
MOST_JOINT = 1000
"""Columns up to which dependence is learnt: half a million pairs take minutes."""


@dataclass(frozen=True)
class Choice:
    """Which model, why in one sentence, and how it was fitted.

    Attributes:
        name: of the model.
        why: the reason, from public facts.
        settings: of its recipe; None before there is one, and for a model that was saved without them.
    """

    name: str
    why: str
    settings: Settings | None = None


def chosen(asked: str, domain: Domain, target: int | None, guarantee: Guarantee) -> Choice:
    """The model that was asked for by name; for ``auto``, what :func:`choose` says."""
    return choose(domain, target, guarantee) if asked == "auto" else Choice(asked, "asked for by name")


def choose(domain: Domain, target: int | None, guarantee: Guarantee) -> Choice:
    """The model that suits best.

    Args:
        domain: the encoded columns; public.
        target: position of a column of interest.
        guarantee: the promise.
    """
    strength = f"epsilon {guarantee.epsilon:g}" if guarantee.private else "no guarantee"
    if domain.content == "images":
        height, width, channels = domain.image.shape
        of_each = "" if target is None else f" of each {domain.axes[target].name!r}"
        size = f"{height}x{width}x{channels}"
        why = f"at {strength}, means and spreads{of_each} tell most of images of {size}, in a few sums"
        return Choice("class-mixture", why)
    if len(domain) < 2:
        return Choice("independent", "there is no pair of columns whose dependence could be learnt")
    aim = "" if target is None else f", after all with the target {domain.axes[target].name!r}"
    columns = len(domain)
    if columns <= MOST_FOR_AIM:
        return Choice("aim", f"at {strength}, pairs are best chosen one by one among {columns} columns{aim}")
    if columns > MOST_JOINT:
        why = f"{columns} columns have more pairs than are compared, those of {MOST_JOINT} columns"
        return Choice("independent", why)
    why = f"at {strength}, with {columns} columns, pairs are chosen in two rounds, which stays fast"
    return Choice("loglinear", why)


def check_width(name: str, columns: int) -> None:
    """SfumatoError where a table of so many learnt ``columns`` is too wide for the model called ``name``."""
    if name not in ("auto", "independent") and columns > MOST_JOINT:
        raise SfumatoError(
            f"model {name!r} learns how up to {MOST_JOINT:,} columns depend on each other, and the schema has"
            f" {columns:,}: leave columns out ('kind: text'), or take the model 'independent'"
        )


def check_suits(name: str, content: Content) -> None:
    """SfumatoError where no model is called ``name``, or it does not learn such a table."""
    if (name, content) in MODELS or name == "auto":
        return
    if name not in names():
        raise SfumatoError(f"no model is called {name!r}; there are auto, {', '.join(names())}")
    if content == "images":
        raise SfumatoError(
            f"model {name!r} learns tables, and this is a table of images; take {', '.join(names('images'))}"
        )
    raise SfumatoError(f"model {name!r} learns images, and the schema has none; take {', '.join(names('table'))}")
