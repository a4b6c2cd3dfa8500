"""Rows that lie at several sites, as a source of one fit: each with a name, and with a ledger of its own."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sfumato.errors import FederationError
from sfumato.extras import require
from sfumato.federation.defaults import CURIOUS, LOST, MAX_SITES
from sfumato.fitting.dataset_ledger import DatasetLedger, ledger_of
from sfumato.privacy.ledger import Ledger
from sfumato.tables import Table
from sfumato.tables.source import RowSource
from sfumato.trust.federated.averaging import Averaging, averaging_of
from sfumato.trust.federated.plan_facts import MASKED, Sums
from sfumato.trust.secure_sum.roster import is_site_name


class SeveralTables(Protocol):
    """Tables of several institutions, each with a name."""

    @property
    def sources(self) -> tuple[RowSource, ...]:
        """The table of each."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Of the institutions."""
        ...

    @property
    def ledgers(self) -> tuple[Ledger | str | os.PathLike[str] | None, ...]:
        """Of each; None: beside its rows."""
        ...


@dataclass(frozen=True, eq=False)
class FederatedSource:
    """The sites of a simulated federation; made by :func:`federated`.

    Attributes:
        sources: the rows of each site.
        names: of the sites.
        ledgers: of each site; None: beside its rows.
        mappings: paths of the sites' own files; None: the table is one of the schema.
        curious: how many sites may collude with the coordinator.
        lost: how many may be lost in a round.
        capacity: records that each may hold at most; empty: the default of ``FederationPlan``.
        averaging: how networks are trained by averages; None: by one secure sum a step.
        max_sites: sites at which one unit may have rows.
        sums: how they are added.
    """

    sources: tuple[RowSource, ...]
    names: tuple[str, ...]
    ledgers: tuple[Ledger | str | os.PathLike[str] | None, ...]
    mappings: tuple[str | os.PathLike[str] | None, ...]
    curious: int
    lost: int
    capacity: tuple[int, ...] = ()
    averaging: Averaging | None = None
    max_sites: int = 1
    sums: Sums = MASKED


def federated(
    sources: Sequence[RowSource],
    *,
    names: Sequence[str] | None = None,
    ledgers: Sequence[Ledger | str | os.PathLike[str] | None] | None = None,
    mappings: Sequence[str | os.PathLike[str] | None] | None = None,
    curious: int = CURIOUS,
    lost: int = LOST,
    capacity: int | Sequence[int] | None = None,
    local_steps: int | None = None,
    proximal: float = 0.0,
    secure: bool = True,
    max_sites: int = MAX_SITES,
    sums: Sums = MASKED,
) -> FederatedSource:
    """Rows that lie at several sites, simulated in this process: what ``Synthesizer.fit`` takes in place of a table.

    Each site noises its own sums and masks them; what is opened is their total alone. In one process this protects
    nobody from whoever runs it: it shows what a federation of real sites would give, with the same noise.

    Args:
        sources: the rows of each site, 3 to 100 of them: paths or frames.
        names: of the sites; default: the names of their files, or ``site-1`` and so on.
        ledgers: of each site; default: ``PATH.ledger`` beside its rows.
        mappings: of each site the path of its own file (``site.yaml``), which says how its columns, labels, units and
            null marks are those of the schema; None for a table that is written as the schema says; default: all are.
        curious: how many sites may collude with the coordinator without learning more than the promise says. Each
            makes the noise of all others larger: by sqrt(k / (k - curious - lost)) for k sites.
        lost: how many sites may be lost in a round.
        capacity: records that each site may hold at most, one number for all or one for each. It is public, and must
            not be read off the rows: each site declares it, and is refused where it holds more. Padding to it hides how
            many there are: a step of a network takes as long as for so many. Default: millions; 65,536 for models that
            are trained by gradients.
        local_steps: train a network by averages, with few messages: so many steps at each site by itself, then the mean
            of the sites' parameters (FedAvg; McMahan et al. 2017). Each local step carries noise of full strength, so
            that the model has about as many times the noise of one curator as the root of the number of sites. None:
            one secure sum a step, which is as good as one curator.
        proximal: with ``local_steps``, how strongly each step pulls back to the last mean, mu of FedProx (Li et al.
            2020), for sites whose rows differ much; 0 is FedAvg.
        secure: with ``local_steps``, whether what a site changed is opened in a secure sum alone. False sends it in the
            clear: without a guarantee it tells of the site's rows, under one its own noise protects them.
        max_sites: at how many sites one person (the schema's unit) may have rows and still be protected as promised:
            the noise is as many times as wide. 1: whoever is at two sites counts twice. Networks take 1 alone.
        sums: ``"masked"``, or ``"encrypted"``: sites encrypt (CKKS, extra ``[he]``), a server adds what it cannot read,
            and the holder of the one key opens the totals. It is there to be compared: it costs many times as much, and
            the server and that holder together could read every site's numbers. Real sites refuse it.

    Raises:
        MissingExtra: encrypted sums, without TenSEAL.
        FederationError: sites, names, ledgers, mappings and capacities that are not as many, or options of averages
            without them. Too few sites, the same rows or ledger at two of them, numbers that the secure sum or the plan
            cannot keep (see ``Roster`` and ``FederationPlan``), and averages for a model that is no network are refused
            when it is fitted.

    >>> import sfumato as sf
    >>> rows = sf.examples.adult().arrow
    >>> hospitals = [sf.Table(rows.slice(start, 1000)) for start in (0, 1000, 2000)]
    >>> ledgers = [sf.Ledger.open(None) for _ in hospitals]
    >>> synthesizer = sf.Synthesizer(sf.examples.adult_schema(), "independent", sf.Guarantee(1, 1e-9))
    >>> len(synthesizer.fit(sf.federated(hospitals, ledgers=ledgers)).sample(5))
    5
    """
    given = tuple(sources)
    called = tuple(names) if names is not None else named(given)
    kept = tuple(ledgers) if ledgers is not None else (None,) * len(given)
    mapped = tuple(mappings) if mappings is not None else (None,) * len(given)
    most = () if capacity is None else (capacity,) * len(given) if isinstance(capacity, int) else tuple(capacity)
    if not len(given) == len(called) == len(kept) == len(mapped) or len(most) not in (0, len(given)):
        raise FederationError(
            f"{len(given)} sites have {len(called)} names, {len(kept)} ledgers, {len(mapped)} mappings and {len(most)}"
            " capacities: give each its own"
        )
    if sums == "encrypted":
        require("he", "sums under encryption")
    averaging = averaging_of(local_steps, proximal, secure)
    return FederatedSource(given, called, kept, mapped, curious, lost, most, averaging, max_sites, sums)


def books_of(source: SeveralTables, private: bool) -> tuple[DatasetLedger, ...]:
    """The ledger of each, ``private`` where there is a guarantee to pay for; no row is read.

    FederationError where two sites have the same rows, or one ledger: copies cannot be told from other rows.

    *Formal guarantee.* Whoever has rows at two sites counts twice, so that the same rows are given twice makes the
    promise half for everybody in them.
    """
    tables = zip(source.sources, source.ledgers, strict=True)
    books = tuple(ledger_of(table, ledger, private) for table, ledger in tables)
    for what, mend, keys in (
        ("rows", "whoever is in them would count twice; name each site's own", list(map(_key, source.sources))),
        (
            "ledger",
            "each keeps its own; name one for each",
            [None if book.ledger is None else _ledger_key(book.ledger) for book in books],
        ),
    ):
        first: dict[Hashable, str] = {}
        for name, key in zip(source.names, keys, strict=True):
            if key is not None and first.setdefault(key, name) != name:
                raise FederationError(f"sites {first[key]} and {name} have the same {what}: {mend}")
    return books


def _ledger_key(ledger: Ledger | Path) -> Hashable:
    place = ledger.path if isinstance(ledger, Ledger) else ledger
    return id(ledger) if place is None else _key(place)


def _key(source: RowSource) -> Hashable:
    """What tells rows or a file from others: a file by its place on the disk, whatever path or link leads to it."""
    if isinstance(source, Table):
        return id(source.arrow)
    if not isinstance(source, str | os.PathLike):
        return id(source)
    try:
        found = os.stat(source)
    except OSError:
        return os.path.realpath(source)
    return found.st_dev, found.st_ino


def named(sources: Sequence[RowSource]) -> tuple[str, ...]:
    """The stems of files where all differ and may name a site; numbers otherwise."""
    stems = [Path(os.fspath(s)).stem if isinstance(s, str | os.PathLike) else "" for s in sources]
    if all(map(is_site_name, stems)) and len(set(stems)) == len(stems):
        return tuple(stems)
    return tuple(f"site-{i + 1}" for i in range(len(sources)))
