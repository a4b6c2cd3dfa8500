"""The plan of a federation: all that the sites agree to before a row is read, as bytes that each of them signs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from sfumato.errors import FederationError, SfumatoError
from sfumato.results.plain import Json, sorted_json
from sfumato.trust.federated.plan_checks import check_capacity, check_facts, usual_capacity
from sfumato.trust.federated.plan_facts import PlanFacts
from sfumato.trust.federated.plan_form import facts_as_json, facts_from_json
from sfumato.trust.federated.plan_words import plan_words
from sfumato.trust.mpc.engine.engine_plan import EnginePlan
from sfumato.trust.mpc.intersection.steps import sealed_store
from sfumato.trust.questions import Selection, SumQuestion
from sfumato.trust.records import ExactRecords
from sfumato.trust.secure_sum.messages import sealed_bytes
from sfumato.trust.secure_sum.terms import SumTerms

_NUMBER_BYTES = 8
"""Of a number of the longest answer, in the wide ring or as it is asked with."""
_OTHERS = 1 << 27
"""Bytes of whatever else is sent: a block of 64 rows of a quarter of a million codes has half as many."""


@dataclass(frozen=True)
class FederationPlan(PlanFacts):
    """What is fitted, by whom, and what may be asked of a site; its attributes are those of ``PlanFacts``.

    FederationError for capacities that no plan can have, for averages that keep another promise than it makes, and for
    categories left to be measured.
    """

    def __post_init__(self) -> None:
        check_facts(self)
        object.__setattr__(self, "capacity", tuple(self.capacity) or usual_capacity(self))
        check_capacity(self)

    @property
    def engine_plan(self) -> EnginePlan:
        """What the engines of the parties compare before anything else is said; FederationError without any."""
        if not self.engine:
            raise FederationError("the plan names no engine")
        return EnginePlan(self.engine, self.digest.hex())

    @property
    def most_bytes(self) -> int:
        """Of a message to a site or from it: a longer one is not read.

        Room is for a question with the numbers of an answer twice, as parameters come, and for what hangs on no plan:
        certificates, and a block of the widest one-hots.
        """
        found = 0 if self.split is None or self.split.persons is not None else 2 * sealed_store(self.split.number)
        return 2 * _NUMBER_BYTES * self.longest + len(self.roster.members) * sealed_bytes(self.terms) + found + _OTHERS

    def to_dict(self) -> dict[str, Json]:
        """All of it as JSON values."""
        return facts_as_json(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Json]) -> FederationPlan:
        """The inverse of ``to_dict``; FederationError for anything that it would not have written."""
        try:
            made = facts_from_json(data, cls)
            known = made.to_dict() == data and all(isinstance(name, str) for name in (made.model, *made.questions))
            known = known and made.terms.sites > 0  # the terms refuse numbers that no sum can keep
        except (KeyError, TypeError, ValueError, AttributeError):
            raise FederationError("a plan that is none, or of another version of sfumato") from None
        except SfumatoError as error:
            raise FederationError(f"a plan that cannot be kept: {error}") from None
        if not known:
            raise FederationError("a plan that is none, or of another version of sfumato")
        return made

    @cached_property
    def data(self) -> bytes:
        """What is signed."""
        return sorted_json(self.to_dict())

    @property
    def digest(self) -> bytes:
        """SHA-256 of it."""
        return hashlib.sha256(self.data).digest()

    @cached_property
    def terms(self) -> SumTerms:
        """What the secure sum is bound to."""
        return SumTerms(self.digest, self.roster, self.rounds, self.attempts, self.longest, self.bits)

    def check(self, question: SumQuestion | Selection) -> None:
        """FederationError for a question that the sites did not agree to."""
        if self.averaging is not None and self.averaging.level == "site":
            raise FederationError("the unit of this plan is a site, and counts and sums protect rows: none is answered")
        if question.kind not in self.questions:
            raise FederationError(
                f"{question.kind!r} is a question outside the plan, which has {', '.join(self.questions)}"
            )

    def check_capacity(self, place: int, records: ExactRecords) -> None:
        """FederationError where the site at ``place`` holds more records than it declared."""
        most = self.capacity[place]
        if max(len(records), records.outside) > most:
            raise FederationError(
                f"site {self.roster.members[place].name} holds more than the {most:,} records that the plan declares"
                " for it: declare a larger capacity in a new plan"
            )

    def words(self) -> list[str]:
        """What each site reads before it signs."""
        return plan_words(self, self.digest.hex())
