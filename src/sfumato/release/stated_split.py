"""What a certificate says of parties that hold different columns of the same persons."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from sfumato.errors import CertificateError
from sfumato.privacy.events import DistributedGaussian, Event
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.party_training import PartyTraining, toward_a_party
from sfumato.release.sections import Section
from sfumato.results.plain import Json
from sfumato.schema import Schema
from sfumato.trust.secure_sum.identity import fingerprint

_PARTIES = 3
"""Shares of tables are of three."""
_CURIOUS = 1
"""Of the three: what the words say of noise and of whom it withstands is said for one."""
_HASH = re.compile(r"[0-9a-f]{64}")
_ALIGNMENTS = ("private intersection", "public list")
"""How persons were found, without a list and with one."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ROUNDING = 1e-9
"""Of a figure that was computed anew."""


class StatedOwner(Section):
    """An owner of columns, by its name and its signing key, in hexadecimal digits."""

    name: str
    key: str


class StatedSealing(Section):
    """A server's key for shares, and its signature under it, in hexadecimal digits."""

    public: str
    signature: str


class StatedOutsourcing(Section):
    """That owners shared their columns to servers, which were the sites.

    Attributes:
        owners: in the order of the columns.
        sealing: the servers' keys for shares, as the plan has them.
        days: that servers keep shares, at most.
    """

    owners: tuple[StatedOwner, ...]
    sealing: tuple[StatedSealing, ...]
    days: int

    def check(self) -> None:
        """CertificateError for names and keys that no owner can have."""
        fit = all(_NAME.fullmatch(o.name) and _HASH.fullmatch(o.key) for o in self.owners)
        if not fit or len(self.sealing) != _PARTIES or self.days < 1:
            raise CertificateError("the certificate's owners have names, keys or numbers that none can have")


class StatedTraining(Section):
    """A training on secret shares.

    Attributes:
        share: of the squared budget.
        steps: how many there were.
        rate: chance of a person to be in a batch.
    """

    share: float
    steps: int
    rate: float


class StatedSplit(Section):
    """Who held which columns.

    Attributes:
        alignment: how the rows of a person were found at all parties.
        key: the column by which all parties knew a person.
        columns: of each party, in the order of the sites.
        persons: SHA-256 of the list of persons, which was declared public; None: these were found by intersection.
        number: of persons on the list, or the most that a party could bring.
        toward_a_party: epsilon of the promise toward another party, at the same delta.
        outsourced: who owned the columns, where the sites were servers; None: the sites held them.
        training: on secret shares; None: nothing was learnt by gradients.
    """

    alignment: str
    key: str
    columns: tuple[tuple[str, ...], ...]
    persons: str | None
    number: int
    toward_a_party: float
    outsourced: StatedOutsourcing | None = None
    training: StatedTraining | None = None

    def planned(self) -> dict[str, Json]:
        """What the plan of the parties says of the split, as JSON values."""
        stated = self.to_dict()
        del stated["toward_a_party"]
        if self.outsourced is None:
            del stated["outsourced"]
        if self.training is None:
            del stated["training"]
        return stated

    def check(self, sites: int, curious: int, lost: int) -> None:
        """CertificateError unless the numbers can be those of three parties."""
        if self.outsourced is not None:
            self.outsourced.check()
        holders = _PARTIES if self.outsourced is None else len(self.outsourced.owners)
        of_three = (sites, len(self.columns), curious, lost) == (_PARTIES, holders, _CURIOUS, 0)
        known = _HASH.fullmatch(self.persons) if self.persons is not None else self.outsourced is None
        if not of_three or self.number < 1 or not known or self.alignment != _ALIGNMENTS[self.persons is not None]:
            raise CertificateError("the certificate's parties have numbers that none can have")

    def check_against(self, schema: Schema, promise: Guarantee) -> None:
        """CertificateError unless each column of ``schema`` lay at one party, and the second epsilon follows."""
        held = [name for names in self.columns for name in names]
        if sorted([self.key, *held]) != sorted(schema.names):
            raise CertificateError("the certificate's parties held other columns than the schema has")
        training = self._training()
        if not math.isclose(self.toward_a_party, toward_a_party(promise, training).epsilon, rel_tol=_ROUNDING):
            raise CertificateError("the certificate states another promise toward a party than follows from its own")

    def check_events(self, events: Sequence[Event], promise: Guarantee) -> None:
        """CertificateError where gradients were noised for another training than is stated, or for less."""
        training = self._training()
        for event in (e for e in events if isinstance(e, DistributedGaussian)):
            taken = event.count, event.sampling_probability
            if training is None or taken != (training.steps, training.rate):
                raise CertificateError("the events hold gradients that are not those of the certificate's training")
            if event.noise_multiplier < training.noise_multiplier(promise):
                raise CertificateError("the events hold less noise than the certificate's training has")

    def _training(self) -> PartyTraining | None:
        """CertificateError where its numbers are those of none."""
        try:
            stated = self.training
            return None if stated is None else PartyTraining(stated.share, stated.steps, stated.rate)
        except ValueError:
            raise CertificateError("the certificate's parties took steps that no training has") from None

    def limits(self, names: Sequence[str]) -> list[str]:
        """Where the promise ends among parties, in plain words."""
        holders = names if self.outsourced is None else [owner.name for owner in self.outsourced.owners]
        held = "; ".join(f"{n} held {', '.join(columns)}" for n, columns in zip(holders, self.columns, strict=True))
        who = "Three parties" if self.outsourced is None else "The owners"
        return [
            f"{who} held different columns of the same persons: {held}. They knew each other's persons by {self.key}.",
            *([] if self.outsourced is None else self._shared(self.outsourced)),
            *(self._of_intersection() if self.persons is None else self._of_list()),
            "Toward another party the promise speaks of what a person's cells say, not of who the persons are, and its "
            f"epsilon is {self.toward_a_party:.3g}, for that party knows more: a person whose cells are others is in "
            "two other cells of each table.",
            "This holds where the three follow the protocol, at most one of them is curious, and no two of them "
            "collude. Any two together can read all columns of everybody. A party that does not follow the protocol "
            "can make tables wrong, and learn more from what is opened than is promised.",
            *(self._of_training() if self.training is not None else []),
            "The noise is made so that the shares of two parties are enough: it is 1.22 times as wide as that of one "
            "curator.",
        ]

    def _of_list(self) -> list[str]:
        return [
            f"The persons are the {self.number:,} of a list that was declared public: that somebody is on it is "
            "protected from nobody."
        ]

    def _of_intersection(self) -> list[str]:
        return [
            "The persons are those of whom all three had a row, found by private set intersection among up to "
            f"{self.number:,} keys of each. Each party learnt who they are, and so how many, exactly: to the parties "
            "that is a release without noise, to which each agreed. Toward whoever gets the model the promise holds "
            "for that too: their number was opened with noise alone, and no message hung on it.",
            "After two runs over tables that changed in between, each party has seen who came and who went. A party "
            "that did not follow the protocol could bring keys of persons whom it has no row of, and learn which of "
            "them both others know.",
        ]

    def _shared(self, outsourced: StatedOutsourcing) -> list[str]:
        """Of owners who did not compute."""
        owned = ", ".join(f"{o.name} ({fingerprint(bytes.fromhex(o.key))})" for o in outsourced.owners)
        return [
            "The sites of this certificate were servers with no rows of their own. The owners shared their columns to "
            "them, and charged their own ledgers with the whole plan before. What is said of a party below holds of a "
            f"server, and of an owner. Keys of the owners: {owned}.",
            f"Servers promised to delete what they were sent at the end, and to take nothing older than "
            f"{outsourced.days} days; that they did, nobody else can see.",
        ]

    def _of_training(self) -> list[str]:
        assert self.training is not None
        return [
            f"A network was trained in {self.training.steps} steps on secret shares. Each took a batch that coins of"
            " all three parties drew: the parties knew who was in it, and whoever got the model did not. Toward that"
            " one the promise counts on it; toward a party, also one that got the model, it does not, and counts each"
            " step as if everybody were in it who may be, with a gradient that is another.",
            "Gradients were clipped in the fixed point of an engine for secret shares, SecretFlow SPU. That its"
            " inverse roots are as right as was tried, and that no number of a row leaves its ring, was tried on"
            " simulated rows, and is not proven.",
        ]
