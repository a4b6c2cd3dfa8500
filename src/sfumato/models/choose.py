"""Which model suits, by public facts only, and why."""

from __future__ import annotations

from sfumato.encoding.domain import Domain
from sfumato.privacy.guarantee import Guarantee

MOST_FOR_AIM = 40
"""Columns up to which the rounds of ``aim``, each over all pairs, are cheap."""


def choose(domain: Domain, target: int | None, guarantee: Guarantee) -> tuple[str, str]:
    """(name of the model, the reason in one sentence).

    Args:
        domain: the encoded columns; public.
        target: position of a column of interest.
        guarantee: the promise.
    """
    if len(domain) < 2:
        return "independent", "there is no pair of columns whose dependence could be learnt"
    strength = f"epsilon {guarantee.epsilon:g}" if guarantee.private else "no guarantee"
    aim = "" if target is None else f", those with the target {domain.axes[target].name!r} at twice the weight"
    if len(domain) <= MOST_FOR_AIM:
        return "aim", f"at {strength}, pairs are best chosen one by one among {len(domain)} columns{aim}"
    return "loglinear", f"at {strength}, with {len(domain)} columns, pairs are chosen in two rounds, which stays fast"
