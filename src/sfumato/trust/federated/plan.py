"""The plan of a federation: all that the sites agree to before a row is read, as bytes that each of them signs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from sfumato.errors import FederationError, SfumatoError
from sfumato.privacy.guarantee import MOST_DELTA, MOST_EPSILON, Guarantee, check_promise
from sfumato.privacy.party_training import toward_a_party
from sfumato.results.plain import Json, sorted_json
from sfumato.schema import Schema
from sfumato.trust.encrypted_sum.ckks import BY_RING
from sfumato.trust.federated.averaging import SITE_UNIT, Averaging
from sfumato.trust.mpc.encrypted.training import EncryptedTraining
from sfumato.trust.mpc.engine.engine_plan import EngineParty, EnginePlan
from sfumato.trust.mpc.engine.identities import check_keys
from sfumato.trust.mpc.intersection.steps import sealed_store
from sfumato.trust.mpc.outsourced import Outsourced
from sfumato.trust.mpc.split import VerticalSplit
from sfumato.trust.questions import Count, Marginals, Selection, SumQuestion
from sfumato.trust.records import ExactRecords
from sfumato.trust.secure_sum.messages import sealed_bytes
from sfumato.trust.secure_sum.roster import Member, Roster
from sfumato.trust.secure_sum.terms import REACH, SumTerms, ring_bits

Sums = Literal["masked", "encrypted"]
"""How numbers of several sites are added."""
MASKED: Sums = "masked"
NO_SHARED_KEY = (
    "sums under encryption are for simulated sites: CKKS by TenSEAL has no key of several holders, so the one who holds"
    " it and whoever adds would read every site's numbers together; real sites add under masks, leave sums out"
)
"""Why real sites refuse them."""
FORMAT = "sfumato federation plan/1"
HEADROOM = 2.0
"""A site's ledger may be charged up to so many times the promise: an attempt that fails is charged, and made again."""
MOST_ROWS = 1 << 28
"""Records of all sites together: their counts and the noise stay far within a ring of 32 bits."""
_MOST_PRODUCTS = 1 << 26
"""The same where sums of products are asked for, to which each adds up to 2**36 steps: a ring of 64 bits holds them."""
_TRAININGS = frozenset({"descent", "local run"})
MOST_STEPS = 96
"""Of a training, each of which is a secure sum: with those before it, a network takes at most a hundred.

A step over sites costs a message of the size of the network, and at the same promise a larger batch carries less noise
for each record: a hundred large ones were as good as three hundred.
"""
_PORTS = range(1, 1 << 16)  # of machines
_NUMBER_BYTES = 8
"""Of a number of the longest answer, in the wide ring or as it is asked with."""
_OTHERS = 1 << 27
"""Bytes of whatever else is sent: a block of 64 rows of a quarter of a million codes has half as many."""
TRAINED_ROWS = 1 << 16
"""Records that a site of a training may hold where nobody declared how many: each step takes as long as for so many."""


@dataclass(frozen=True)
class FederationPlan:
    """What is fitted, by whom, and what may be asked of a site.

    Attributes:
        schema: the public schema of all sites.
        model: name of the model, or ``"auto"``.
        guarantee: what is promised toward whoever gets the model.
        roster: the sites, and how many may be curious or lost.
        questions: kinds of questions that a site answers.
        rounds, attempts: openings of the run, and tries at each.
        longest: numbers of the longest answer.
        bits: of the ring.
        capacity: records that each site may hold at most, as it declares in public, by place; empty: the default, as
            many as all may hold together, shared evenly, and at most ``TRAINED_ROWS`` each where a training is asked;
            of parties, the persons on their list.
        averaging: how networks are trained by averages; None: by one secure sum a step.
        max_sites: sites at which one unit may have rows: it counts as often.
        server: hash of how the coordinator is reached and who lets sites in; empty in one process.
        split: which site holds which columns of the same persons, as parties do; None: each has all columns of its own.
        engine: of such parties, how each reaches the others' engines for secret shares; empty where they have none.
        sums: how numbers of several sites are added: under masks, or, by simulated sites, encrypted.
        encrypted: of such parties, a training on their shares without a promise; None: they count, with one.

    FederationError for capacities that no plan can have, for averages that keep another promise than it makes, and for
    categories left to be measured.
    """

    schema: Schema
    model: str
    guarantee: Guarantee
    roster: Roster
    questions: tuple[str, ...]
    rounds: int = 256
    attempts: int = 2
    longest: int = 1 << 22
    bits: int = 32
    capacity: tuple[int, ...] = ()
    averaging: Averaging | None = None
    max_sites: int = 1
    server: str = ""
    split: VerticalSplit | None = None
    engine: tuple[EngineParty, ...] = ()
    sums: Sums = MASKED
    encrypted: EncryptedTraining | None = None

    def __post_init__(self) -> None:
        if self.averaging is not None:
            self.averaging.check(self.guarantee)
        self._check_sums()
        check_measurable(self.schema)
        if self.split is not None:
            self.split.check(self.schema, self.roster)
            if self.guarantee.private and self.toward_a_site.epsilon > MOST_EPSILON:
                raise FederationError(
                    f"toward another party the promise would be epsilon {self.toward_a_site.epsilon:.3g}, and at most"
                    f" {MOST_EPSILON:g} is accounted: promise less"
                )
        self._check_unit()
        self._check_engine()
        self._check_encrypted()
        k = len(self.roster.members)
        if type(self.max_sites) is not int or not 1 <= self.max_sites <= k:
            raise FederationError(f"max_sites: {self.max_sites!r}; write a whole number from 1 to {k}, the sites")
        most = _MOST_PRODUCTS if "scatter" in self.questions else MOST_ROWS
        each = min(most // k, TRAINED_ROWS) if _TRAININGS & set(self.questions) else most // k
        each = each if self.split is None else self.split.number
        object.__setattr__(self, "capacity", tuple(self.capacity) or (each,) * k)
        if len(self.capacity) != k or not all(type(n) is int and n >= 1 for n in self.capacity):
            raise FederationError(f"capacity: write a whole number of records from 1 on for each of the {k} sites")
        if self.most_rows > most:
            raise FederationError(
                f"capacity: the sites declare {self.most_rows:,} records together; at most {most:,} can be added up for"
                " this model: declare fewer"
            )

    def _check_sums(self) -> None:
        """FederationError unless numbers can be added as it says."""
        if self.sums not in get_args(Sums):
            raise FederationError(f"sums: {self.sums!r}; write one of {', '.join(get_args(Sums))}")
        if self.sums == MASKED:
            return
        if self.server:
            raise FederationError(NO_SHARED_KEY)
        if self.split is not None:
            raise FederationError("parties count on shares, which are added under masks: leave encrypted sums out")
        if self.averaging is not None and not self.averaging.secure:
            raise FederationError("secure=False sends changes in the clear: nothing of it is encrypted, leave one out")

    def holds(self, largest: float, sigma: float) -> bool:
        """Whether its sums are right where they are at most ``largest`` in size, with noise of scale ``sigma``.

        FederationError where no ring holds them; see ``terms.ring_bits``.
        """
        bits = ring_bits(largest, sigma)
        fits = self.sums == MASKED or largest + REACH * sigma <= BY_RING[self.bits].largest
        return bits <= self.bits and fits

    @property
    def room(self) -> str:
        """What holds its sums, in words."""
        if self.sums == MASKED:
            return f"a ring of {self.bits} bits"
        return f"an encrypted sum, which is exact up to {BY_RING[self.bits].total_bits} bits,"

    def _check_unit(self) -> None:
        """FederationError unless the promise is per unit of the schema, by which a site bounds its rows."""
        unit = self.schema.unit.column if self.schema.unit.kind == "id" else "row"
        whole = self.averaging is not None and self.averaging.level == "site"
        if self.guarantee.private and self.guarantee.unit != (SITE_UNIT if whole else unit):
            raise FederationError(
                f"the plan promises per {self.guarantee.unit}, and what is counted is each {unit}: nobody bounds the"
                f" rows of a {self.guarantee.unit}"
            )

    def _check_engine(self) -> None:
        """FederationError unless the engines are those of the parties, and no two of them are one."""
        if not self.engine:
            return
        if self.split is None or [one.name for one in self.engine] != [m.name for m in self.roster.members]:
            raise FederationError("a plan names the engine of each of three parties, in their order, or of none")
        if not all(type(one.host) is type(one.certificate) is str and one.port in _PORTS for one in self.engine):
            raise FederationError("an engine is reached at a host and a port from 1 to 65535")
        check_keys(EnginePlan(self.engine))

    def _check_encrypted(self) -> None:
        """FederationError where a training without a promise stands beside one, or beside sums that it would open."""
        if self.encrypted is None:
            return
        if self.split is None or self.guarantee.private or self.questions:
            raise FederationError(
                "a training on shares is of three parties, makes no promise (epsilon inf), and opens no sum"
            )
        if self.split.persons is None or self.split.outsourced is not None:
            raise FederationError(
                "a training on shares is of persons of a public list, by the parties that have the rows: give persons,"
                " and no servers"
            )
        self.encrypted.check([member.name for member in self.roster.members])

    @property
    def outsourced(self) -> Outsourced | None:
        """Who owns the rows, where the sites are servers that own none; None in any other plan."""
        return None if self.split is None else self.split.outsourced

    @property
    def engine_plan(self) -> EnginePlan:
        """What the engines of the parties compare before anything else is said; FederationError without any."""
        if not self.engine:
            raise FederationError("the plan names no engine")
        return EnginePlan(self.engine, self.digest.hex())

    @property
    def compares(self) -> bool:
        """Whether parties compare by it, for which each has an engine."""
        return bool(self.engine) and bool({"selection", "distances"} & set(self.questions))

    @property
    def max_rows(self) -> int:
        """Rows that one unit may hold at all sites together."""
        unit = self.schema.unit
        return self.max_sites * (unit.max_rows if unit.kind == "id" else 1)

    @property
    def most_rows(self) -> int:
        """Records that all sites may hold together."""
        return sum(self.capacity)

    @property
    def most_bytes(self) -> int:
        """Of a message to a site or from it: a longer one is not read.

        Room is for a question with the numbers of an answer twice, as parameters come, and for what hangs on no plan:
        certificates, and a block of the widest one-hots.
        """
        found = 0 if self.split is None or self.split.persons is not None else 2 * sealed_store(self.split.number)
        return 2 * _NUMBER_BYTES * self.longest + len(self.roster.members) * sealed_bytes(self.terms) + found + _OTHERS

    def moved_by(self, question: SumQuestion) -> int:
        """The most that one unit moves the counts of ``question`` by: its rows, or what parties count of each of them.

        Whose cell lies outside the facts is counted by each holder of columns by itself.
        """
        outside = isinstance(question, Count | Marginals) and question.outside
        return self.max_rows * (len(self.split.columns) if outside and self.split is not None else 1)

    @property
    def toward_a_site(self) -> Guarantee:
        """What an opened sum promises toward a site of the plan: the promise, but toward a party of a split.

        Such a one knows who is on the list of persons: hidden from it is what their cells say.
        """
        return self.guarantee if self.split is None else toward_a_party(self.guarantee, self.split.training)

    @property
    def at_a_site(self) -> Guarantee:
        """The most that a site's own ledger is charged with, attempts that failed included: what can be promised."""
        promise = self.toward_a_site
        if not promise.private:
            return promise
        epsilon = max(promise.epsilon, min(HEADROOM * promise.epsilon, MOST_EPSILON))
        delta = max(promise.delta, min(HEADROOM * promise.delta, MOST_DELTA))
        return Guarantee(epsilon, delta, promise.unit, promise.neighbours)

    def to_dict(self) -> dict[str, Json]:
        """All of it as JSON values."""
        return {
            "format": FORMAT,
            "schema": self.schema.dump(),
            "model": self.model,
            "guarantee": {**asdict(self.guarantee), **({} if self.guarantee.private else {"epsilon": None})},
            "sites": [{"name": m.name, "key": m.public_key.hex()} for m in self.roster.members],
            "curious": self.roster.curious,
            "lost": self.roster.lost,
            "threshold": self.roster.threshold,
            "questions": list(self.questions),
            "rounds": self.rounds,
            "attempts": self.attempts,
            "longest": self.longest,
            "bits": self.bits,
            "capacity": list(self.capacity),
            "max_sites": self.max_sites,
            "server": self.server,
            **({} if self.averaging is None else {"averaging": asdict(self.averaging)}),
            **({} if self.split is None else {"split": self.split.to_dict()}),
            **({"engine": [asdict(one) for one in self.engine]} if self.engine else {}),
            **({} if self.sums == MASKED else {"sums": self.sums}),
            **({} if self.encrypted is None else {"encrypted": self.encrypted.to_dict()}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Json]) -> FederationPlan:
        """The inverse of ``to_dict``; FederationError for anything that it would not have written."""
        try:
            made = cls._read(data)
            known = made.to_dict() == data and all(isinstance(name, str) for name in (made.model, *made.questions))
            known = known and made.terms.sites > 0  # the terms refuse numbers that no sum can keep
        except (KeyError, TypeError, ValueError, AttributeError):
            raise FederationError("a plan that is none, or of another version of sfumato") from None
        except SfumatoError as error:
            raise FederationError(f"a plan that cannot be kept: {error}") from None
        if not known:
            raise FederationError("a plan that is none, or of another version of sfumato")
        return made

    @classmethod
    def _read(cls, data: Mapping[str, Any]) -> FederationPlan:
        if "sums" in data:  # of a file: no simulated site reads one
            raise FederationError(NO_SHARED_KEY)
        members = tuple(Member(site["name"], bytes.fromhex(site["key"])) for site in data["sites"])
        stated = data["guarantee"]
        guarantee = Guarantee(**{**stated, "epsilon": math.inf if stated["epsilon"] is None else stated["epsilon"]})
        check_promise(guarantee)
        return cls(
            schema=Schema.parse(data["schema"]),
            model=data["model"],
            guarantee=guarantee,
            roster=Roster(members, data["curious"], data["lost"]),
            questions=tuple(data["questions"]),
            rounds=data["rounds"],
            attempts=data["attempts"],
            longest=data["longest"],
            bits=data["bits"],
            capacity=tuple(data["capacity"]),
            max_sites=data["max_sites"],
            server=data["server"],
            averaging=Averaging(**data["averaging"]) if "averaging" in data else None,
            split=VerticalSplit.from_dict(data["split"]) if "split" in data else None,
            engine=tuple(EngineParty(**one) for one in data.get("engine", ())),
            encrypted=EncryptedTraining.from_dict(data["encrypted"]) if "encrypted" in data else None,
        )

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
        if self.encrypted is not None and self.split is not None:
            return self._words_of_a_training(self.encrypted, self.split)
        promise, own = self.guarantee, self.at_a_site
        if promise.private:
            said = f"Promise toward whoever gets the model: epsilon {promise.epsilon:g}, delta {promise.delta:g} per"
            said += (
                f" {promise.unit}. Your own ledger may be charged up to epsilon {own.epsilon:g}, delta {own.delta:g}."
            )
        else:
            said = "NO PROMISE: sums are opened without noise; what comes out is not private."
        split = self.split
        return [
            f"Plan {self.digest.hex()}: compare this number with the other sites, by telephone.",
            said,
            *([] if split is None else self._toward_a_party()),
            f"Columns: {', '.join(self.schema.names)}.",
            self._asked(),
            *(self._several() if split is None else []),
            *self._searched(),
            *(self._capacities() if split is None else split.words(self.roster)),
            *self._trained(),
            *self._compared(),
            *self.roster.words(),
        ]

    def _words_of_a_training(self, encrypted: EncryptedTraining, split: VerticalSplit) -> list[str]:
        """What each party reads of a training on shares."""
        return [
            f"Plan {self.digest.hex()}: compare this number with the other parties, by telephone.",
            *encrypted.words(),
            f"Columns: {', '.join(self.schema.names)}.",
            *split.words(self.roster, f"what {encrypted.receiver} obtains"),
            *(f"{member.name}: {member.fingerprint}" for member in self.roster.members),
        ]

    def _asked(self) -> str:
        """What is asked, and of whom."""
        asked = f"answers {', '.join(self.questions)}, in at most {self.rounds} rounds of {self.attempts} attempts"
        who = f"Each server {asked}" if self.outsourced else f"Your site {asked}; its rows never leave it"
        return f"Model: {self.model}. {who}."

    def _toward_a_party(self) -> list[str]:
        """What is promised toward the other parties, who know more than whoever gets the model."""
        if not self.guarantee.private:
            return []
        other = self.toward_a_site
        return [
            f"Promise toward another party, of what a person's cells say and not of who the persons are: epsilon"
            f" {other.epsilon:.3g}, delta {other.delta:g}."
        ]

    def _compared(self) -> list[str]:
        """Where the engines are, by which parties compare."""
        if not self.engine:
            return []
        at = [f"Party {party.name} listens at {party.host}:{party.port} for the engine." for party in self.engine]
        said = "Tables are compared with public estimates on secret shares, by SecretFlow SPU: of a selection its index"
        return [*at, f"{said} is opened to all, of distances noised sums. It trusts that no two of you work together."]

    def _several(self) -> list[str]:
        """Whose rows may lie at several sites."""
        if self.max_sites == 1:
            return ["Whoever has rows at several sites is protected less, by their number: none is meant to."]
        return [f"Whoever has rows at up to {self.max_sites} sites is protected as promised: the noise is made for it."]

    def _searched(self) -> list[str]:
        """What is found before anything is learnt."""
        named = ", ".join(self.schema.measured())
        said = f"Bounds of {named} are found first, from noised tables that count against the promise, and told to all."
        return [said] if named else []

    def _trained(self) -> list[str]:
        """How networks are trained."""
        if self.averaging is not None:
            return [self.averaging.words()]
        if self.split is not None and self.split.training is not None:
            return [self.split.training.words()]
        said = f"A network is trained in at most {MOST_STEPS} steps, each of which is one secure sum: where its model"
        return [f"{said} would take more, a step draws more rows."] if "descent" in self.questions else []

    def _capacities(self) -> list[str]:
        """How many records each site says that it holds at most; of a training, what follows from it."""
        each = zip(self.roster.members, self.capacity, strict=True)
        declared = ", ".join(f"{member.name} {most:,}" for member, most in each)
        said = f"Records that each site holds at most, as it declares to everybody: {declared}. One that holds more"
        return [f"{said} does not take part; how many it holds is told to nobody."]


def check_measurable(schema: Schema) -> None:
    """FederationError where categories are left to be measured; bounds may be."""
    for column in schema.columns:
        if column.measured and column.values_fact == "categories":
            raise FederationError(
                f"column {column.name!r}: its categories are left to be measured, and no sum over sites finds labels"
                " that nobody declared: declare all that may occur ('outside: other' takes in the rest)"
            )
