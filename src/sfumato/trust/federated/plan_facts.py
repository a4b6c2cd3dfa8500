"""What a plan of a federation states, and what follows from that without more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sfumato.privacy.guarantee import MOST_DELTA, MOST_EPSILON, Guarantee
from sfumato.privacy.party_training import toward_a_party
from sfumato.schema import Schema
from sfumato.trust.encrypted_sum.ckks import BY_RING
from sfumato.trust.federated.averaging import Averaging
from sfumato.trust.mpc.encrypted.training import EncryptedTraining
from sfumato.trust.mpc.engine.engine_plan import EngineParty
from sfumato.trust.mpc.outsourced import Outsourced
from sfumato.trust.mpc.split import VerticalSplit
from sfumato.trust.questions import Count, Marginals, SumQuestion
from sfumato.trust.secure_sum.roster import Roster
from sfumato.trust.secure_sum.terms import REACH, ring_bits

Sums = Literal["masked", "encrypted"]
"""How numbers of several sites are added."""
MASKED: Sums = "masked"
HEADROOM = 2.0
"""A site's ledger may be charged up to so many times the promise: an attempt that fails is charged, and made again."""
MOST_STEPS = 96
"""Of a training, each of which is a secure sum: with those before it, a network takes at most a hundred.

A step over sites costs a message of the size of the network, and at the same promise a larger batch carries less noise
for each record: a hundred large ones were as good as three hundred.
"""


@dataclass(frozen=True)
class PlanFacts:
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

    @property
    def outsourced(self) -> Outsourced | None:
        """Who owns the rows, where the sites are servers that own none; None in any other plan."""
        return None if self.split is None else self.split.outsourced

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

    def moved_by(self, question: SumQuestion) -> int:
        """The most that one unit moves the counts of ``question`` by: its rows, or what parties count of each of them.

        Whose cell lies outside the facts is counted by each holder of columns by itself.
        """
        outside = isinstance(question, Count | Marginals) and question.outside
        return self.max_rows * (len(self.split.columns) if outside and self.split is not None else 1)

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
