"""A party that is lost at any call: nothing wrong is opened, all that left is paid for, and the run goes on anew."""

from __future__ import annotations

import numpy as np
import pytest
from tests.trust.federated.test_setting import run_of
from tests.trust.parties import Parties, people, together

from sfumato.errors import FederationError
from sfumato.trust.budget import Budget
from sfumato.trust.mpc.party_site import PartySite
from sfumato.trust.questions import Query

PEOPLE = people(100)
ASKED = [Query((3,)), Query((0, 2)), Query((2, 4))]
"""Of one party, then of two: dealt between the first and the second."""
MU = 0.1
BEYOND = 20 / MU
"""No noise is so large; a sum whose masks or shares do not cancel is some billion."""


class Losing:
    """A party that is lost at its ``nth`` call of all, before it hears of it or before its answer arrives, and is back.

    Attributes:
        answered: masked vectors that it made, whether or not they arrived.
    """

    def __init__(self, site: PartySite, nth: int, heard: bool) -> None:
        self._site, self._left, self._heard, self.answered = site, nth, heard, 0

    def call(self, method: str, body: bytes) -> bytes:
        self._left -= 1
        if self._left == 0 and not self._heard:
            raise FederationError("gone")
        answer = self._site.call(method, body)
        self.answered += method == "masked"
        if self._left == 0:
            raise FederationError("gone")
        return answer

    def arm(self, nth: int) -> None:
        """Be lost at the ``nth`` call from now on."""
        self._left = nth


CALLS = len(["count", "deal", "dealt"]) + 3 * len(["masked", "consent", "unmask"])


def asked(made: Parties, found: dict[int, np.ndarray]) -> None:
    """Ask what was not opened yet, as a coordinator that goes on does."""
    for i, query in enumerate(ASKED):
        if i not in found:
            found[i] = made.setting.marginals([query], [MU])[0].values


@pytest.mark.parametrize("heard", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("place", range(3))
def test_a_party_that_is_lost_at_any_call(place: int, heard: bool) -> None:
    losing: list[Losing] = []

    def wrap(sites: list[PartySite]) -> list[Losing]:
        losing.extend(Losing(site, 0, heard) for site in sites)
        return losing

    made = Parties(PEOPLE, Budget(run_of(12.0)), wrap=wrap, rounds=5 * CALLS)
    stopped = 0
    for nth in range(1, CALLS + 1):
        made.rounds.set_up()
        losing[place].arm(nth)
        found: dict[int, np.ndarray] = {}
        for _ in range(2):
            try:
                asked(made, found)
            except FederationError:
                stopped += 1
                made.rounds.set_up()
        for i, query in enumerate(ASKED):
            assert np.abs(found[i] - together(PEOPLE).table(query)).max() < BEYOND, (nth, query)
    assert stopped == 3, "a call while columns are dealt stops a run; a sum is tried again"
    for one, run in zip(losing, made.runs, strict=True):
        assert [event.count for event in run.events] == [2] * one.answered
        assert one.answered >= len(made.setting._budget.run.events)
