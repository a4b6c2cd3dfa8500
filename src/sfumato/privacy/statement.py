"""The statement of an account: what each run over a data set promised and spent, as plain mappings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sfumato.privacy import accounting
from sfumato.privacy.events import Event, to_json
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.spending import Spending


@dataclass(frozen=True)
class Begun:
    """A run as the ledger knows it."""

    run: int
    label: str
    state: str
    began: str
    closed: str | None
    guarantee: Guarantee


def statement(cap: Guarantee, runs: Sequence[Begun], charges: Sequence[tuple[int, Event, Spending]]) -> dict[str, Any]:
    """The cap, the total, and every run with its events.

    ``epsilon_spent`` is what a filter counts, at the run's or the cap's delta: it holds also when events were chosen
    after seeing earlier answers. ``epsilon_composed`` composes the same events by their loss distributions, as if all
    had been chosen beforehand; it is a little smaller. Both are inf where no epsilon will do.

    Args:
        cap: of the ledger.
        runs: all of them.
        charges: run, event, and what it counts as.
    """
    return {
        "cap": asdict(cap),
        **_spent([event for _, event, _ in charges], [cost for *_, cost in charges], cap.delta),
        "runs": [_run(begun, [(e, c) for run, e, c in charges if run == begun.run]) for begun in runs],
    }


def _run(begun: Begun, charges: Sequence[tuple[Event, Spending]]) -> dict[str, Any]:
    events = [event for event, _ in charges]
    return {
        **asdict(begun),
        **_spent(events, [cost for _, cost in charges], begun.guarantee.delta),
        "in_words": accounting.describe(events),
        "events": [to_json(event) for event in events],
    }


def _spent(events: Sequence[Event], costs: Sequence[Spending], delta: float) -> dict[str, float]:
    return {
        "epsilon_spent": sum(costs, Spending()).epsilon(delta),
        "epsilon_composed": accounting.epsilon(events, delta),
    }
