"""The statement of an account: what each run over a data set promised and spent, as plain mappings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from sfumato.privacy import accounting
from sfumato.privacy.events import Event, to_json
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.spending import Spending
from sfumato.results.plain import Json


@dataclass(frozen=True)
class Begun:
    """A run as the ledger knows it."""

    run: int
    label: str
    state: str
    began: str
    closed: str | None
    guarantee: Guarantee


class PlainGuarantee(TypedDict):
    """A guarantee in plain form."""

    epsilon: float
    delta: float
    unit: str
    neighbours: str


class Spent(TypedDict):
    """What events cost together; inf where no epsilon will do.

    ``epsilon_spent`` is what a filter counts, at the run's or the cap's delta: it holds also when events were chosen
    after seeing earlier answers. ``epsilon_composed`` composes the same events by their loss distributions, as if all
    had been chosen beforehand; it is a little smaller.
    """

    epsilon_spent: float
    epsilon_composed: float


class RunStatement(Spent):
    """One run: what it promised, what it spent, and its events in words and as they are."""

    run: int
    label: str
    state: str
    began: str
    closed: str | None
    guarantee: PlainGuarantee
    in_words: list[str]
    events: list[dict[str, Json]]


class AccountStatement(Spent):
    """The whole account; what stands beside ``runs`` is of all of them together."""

    format: int
    ledger: str
    cap: PlainGuarantee
    runs: list[RunStatement]


def statement(
    layout: int, ledger: str, cap: Guarantee, runs: Sequence[Begun], charges: Sequence[tuple[int, Event, Spending]]
) -> AccountStatement:
    """The cap, the total, and every run with its events.

    Args:
        layout: number of the format of the ledger's file.
        ledger: its id.
        cap: of the ledger.
        runs: all of them.
        charges: run, event, and what it counts as.
    """
    return {
        "format": layout,
        "ledger": ledger,
        "cap": _plain(cap),
        **_spent([event for _, event, _ in charges], [cost for *_, cost in charges], cap.delta),
        "runs": [_run(begun, [(e, c) for run, e, c in charges if run == begun.run]) for begun in runs],
    }


def _run(begun: Begun, charges: Sequence[tuple[Event, Spending]]) -> RunStatement:
    events = [event for event, _ in charges]
    return {
        "run": begun.run,
        "label": begun.label,
        "state": begun.state,
        "began": begun.began,
        "closed": begun.closed,
        "guarantee": _plain(begun.guarantee),
        **_spent(events, [cost for _, cost in charges], begun.guarantee.delta),
        "in_words": accounting.describe(events),
        "events": [to_json(event) for event in events],
    }


def _plain(found: Guarantee) -> PlainGuarantee:
    return {
        "epsilon": found.epsilon,
        "delta": found.delta,
        "unit": found.unit,
        "neighbours": found.neighbours,
    }


def _spent(events: Sequence[Event], costs: Sequence[Spending], delta: float) -> Spent:
    return {
        "epsilon_spent": sum(costs, Spending()).epsilon(delta),
        "epsilon_composed": accounting.epsilon(events, delta),
    }
