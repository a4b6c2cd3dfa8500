"""Who was missing from a round is noted: at which stage, how often, and when the site was there again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.guarantees.boundless import boundless_run
from tests.models.marginals.population import DOMAIN, people
from tests.trust.federation import Federation, LostAt, unevenly

from sfumato.errors import FederationError
from sfumato.trust.budget import Budget
from sfumato.trust.federated.attendance import Absence, Attendance
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.transport import Endpoint
from sfumato.trust.secure_sum.messages import HEAD_BYTES


class MissingAt:
    """A site that does not answer its ``nth`` call of ``method``, and is there again for all others."""

    def __init__(self, site: Endpoint, method: str, *nth: int) -> None:
        self._site, self._method, self._nth, self._calls = site, method, nth, 0

    def call(self, method: str, body: bytes) -> bytes:
        self._calls += method == self._method
        if method == self._method and self._calls in self._nth:
            raise FederationError("gone")
        return self._site.call(method, body)


class Garbled:
    """A site whose vectors no coordinator can read."""

    def __init__(self, site: Endpoint) -> None:
        self._site = site

    def call(self, method: str, body: bytes) -> bytes:
        answer = self._site.call(method, body)
        return answer[:HEAD_BYTES] if method == "masked" else answer


def counting(rounds: int, wrap: Callable[[Endpoint], Endpoint] = lambda site: site) -> tuple[Absence, ...]:
    """Absences of five sites, of which one may be lost, after so many counts; the second site is ``wrap``ped."""

    def wrapped(sites: list[FederatedSite]) -> list[Endpoint]:
        return [sites[0], wrap(sites[1]), *sites[2:]]

    made = Federation(unevenly(people(300), 5), DOMAIN, Budget(boundless_run("test")), lost=1, rounds=8, wrap=wrapped)
    for _ in range(rounds):
        made.setting.count(0.1)
    return made.rounds.attendance.absences


def test_nobody_is_missing_where_all_answer() -> None:
    assert counting(2) == ()


@pytest.mark.parametrize(("method", "stage"), [("masked", "vector"), ("consent", "consent"), ("unmask", "unmasking")])
def test_a_site_that_is_lost_stays_missing_from_its_stage_on(method: str, stage: str) -> None:
    assert counting(3, wrap=lambda site: LostAt(site, method, 2)) == (Absence(1, 1, 2, stage, None),)


def test_a_site_that_is_back_is_noted_as_such() -> None:
    assert counting(4, wrap=lambda site: MissingAt(site, "masked", 2)) == (Absence(1, 1, 2, "vector", 3),)
    assert counting(4, wrap=lambda site: MissingAt(site, "masked", 1, 3)) == (Absence(1, 2, 1, "vector", 4),)
    assert counting(3, wrap=lambda site: MissingAt(site, "consent", 1)) == (Absence(1, 1, 1, "consent", 2),)


def test_a_vector_that_cannot_be_read_is_one_that_is_missing() -> None:
    assert counting(1, wrap=Garbled) == (Absence(1, 1, 1, "vector", None),)


def test_a_change_in_the_clear_ends_an_absence_and_a_consent_does_not() -> None:
    seen = Attendance()
    seen.saw(1, "change", (0, 1), (0,))
    seen.saw(2, "consent", (0, 1), (0, 1))
    assert seen.absences == (Absence(1, 1, 1, "change", None),)
    seen.saw(2, "change", (0, 1), (0, 1))
    assert seen.absences == (Absence(1, 1, 1, "change", 2),)


def test_who_was_missing_is_noted_also_where_nothing_is_opened() -> None:
    """Two of five are gone where one may be; the second attempt at the same round opens."""
    gone = [MissingAt, MissingAt, lambda site, *_: site, lambda site, *_: site, lambda site, *_: site]

    def wrapped(sites: list[FederatedSite]) -> list[Endpoint]:
        return [make(site, "masked", 1) for make, site in zip(gone, sites, strict=True)]

    made = Federation(unevenly(people(300), 5), DOMAIN, Budget(boundless_run("test")), lost=1, rounds=8, wrap=wrapped)
    made.setting.count(0.1)
    assert made.rounds.attendance.absences == (Absence(0, 1, 1, "vector", 1), Absence(1, 1, 1, "vector", 1))
