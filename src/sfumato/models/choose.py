"""Which model suits, by public facts only, and why."""

from __future__ import annotations

from sfumato.encoding.domain import Domain
from sfumato.privacy.guarantee import Guarantee


def choose(domain: Domain, target: int | None, guarantee: Guarantee) -> tuple[str, str]:
    """(name of the model, the reason in one sentence).

    Args:
        domain: the encoded columns; public.
        target: position of a column of interest.
        guarantee: the promise.
    """
    if len(domain) < 2:
        return "independent", "there is no pair of columns whose dependence could be learnt"
    aim = f"and every pair with {domain.axes[target].name!r}" if target is not None else "chosen by noisy distances"
    strength = f"epsilon {guarantee.epsilon:g}" if guarantee.private else "no guarantee"
    return "loglinear", (
        f"a log-linear chain over pairs {aim} was the best or near it at {strength} on every table measured "
        "(docs: how to choose a model)"
    )
