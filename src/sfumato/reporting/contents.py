"""What the report's page shows, typed: a name that the template asks for stands here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sfumato.auditing.attacks.result import AttackResult
from sfumato.auditing.result import AuditReport
from sfumato.evaluation.details import Coefficient, Region, Subgroup
from sfumato.evaluation.meaning import Meaning
from sfumato.evaluation.result import Measure, Utility
from sfumato.printable import printable
from sfumato.release.checked_sites import CheckedSite
from sfumato.release.sections import Composition, Promise, ReleasedBlock
from sfumato.reporting.purposes import Purpose
from sfumato.results.notebook import table
from sfumato.results.plain import Json, as_dict

Build = Literal["internal", "releasable"]


@dataclass(frozen=True)
class Verdict:
    """The first thing a reader sees."""

    headline: str
    lines: tuple[str, ...]
    kind: Literal["good", "warn", "bad"]


@dataclass(frozen=True)
class Risk:
    """A belief before the release, and the largest and the smallest that it may become."""

    prior: float
    most: float
    least: float


@dataclass(frozen=True)
class Charge:
    """What was bought from the ledger, in words, and how many times."""

    words: str
    times: int


@dataclass(frozen=True)
class PublicFact:
    """What was said of a column or a constraint without noise, and by whose word."""

    name: str
    kind: str
    facts: str
    source: str


@dataclass(frozen=True)
class Distance:
    """How far a column or a pair of columns is from the real rows (total variation): synthetic and holdout rows."""

    name: str
    synthetic: float
    holdout: float


@dataclass(frozen=True)
class NamedMeasure:
    """A measure of the utility, its name in words, and what it means."""

    name: str
    meaning: Meaning
    measure: Measure


@dataclass(frozen=True)
class LedgerRun:
    """A run of the data set's ledger."""

    label: str
    began: str
    promised: float
    spent: float


@dataclass(frozen=True)
class LedgerBook:
    """All runs of the data set's ledger, and its cap."""

    runs: tuple[LedgerRun, ...]
    spent: float
    cap_epsilon: float
    cap_delta: float


@dataclass(frozen=True)
class Charts:
    """Inline SVG, or an image; empty where there is nothing to draw."""

    belief: str = ""
    marginals: tuple[str, ...] = ()
    pairs: str = ""
    grid: str = ""
    bounds: str = ""
    roc: str = ""
    learning: str = ""
    errors: str = ""
    subgroups: str = ""
    curve: str = ""
    beside: str = ""


@dataclass(frozen=True, repr=False)
class ReportPage:
    """All that one page shows.

    Attributes:
        title: name of the model's file; ``version``: of sfumato; ``written``: when.
        build: ``internal`` shows statistics of real rows.
        model, why: which model, and why.
        images: whether the rows are images.
        drawn: how many synthetic rows are shown.
        verdict: what to read first; ``purposes``: what the rows may be used for.
        reason: why there is no certificate, or why it does not hold.
        promise, composition, unprotected, limits, pyramid, members, implementation: of the certificate.
        risk: beliefs before and after; ``charges``: of the ledger; ``ledger``: where it stood, in words.
        signature: whether the certificate is signed, in words; ``sites``: where the rows lay, and what they signed.
        columns: the public facts.
        charts: all of them.
        seconds: by what was done; ``commands``: that do it again.
        book: the ledger's runs, in an internal report that was given one.
        utility, audit: of an internal report.
        measures: the measures of ``utility`` by their names in words; ``criteria``: attacks by the criterion of the
            Article 29 Working Party; ``coefficients``, ``subgroups``, ``regions``: of ``utility`` with labels.
        quality: of each column; ``worst``: the pairs of columns that are furthest off.
    """

    title: str
    version: str
    written: str
    build: Build
    model: str
    why: str
    images: bool
    drawn: int
    verdict: Verdict
    purposes: tuple[Purpose, ...]
    reason: str
    signature: str
    columns: tuple[PublicFact, ...]
    charts: Charts
    seconds: Mapping[str, float]
    commands: tuple[str, ...]
    promise: Promise | None = None
    composition: Composition | None = None
    unprotected: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    pyramid: tuple[ReleasedBlock, ...] = ()
    members: Mapping[str, str] = field(default_factory=dict)
    implementation: Mapping[str, str] = field(default_factory=dict)
    risk: tuple[Risk, ...] = ()
    charges: tuple[Charge, ...] = ()
    ledger: str = ""
    book: LedgerBook | None = None
    sites: tuple[CheckedSite, ...] = ()
    utility: Utility | None = None
    audit: AuditReport | None = None
    measures: tuple[NamedMeasure, ...] = ()
    criteria: Mapping[str, AttackResult] = field(default_factory=dict)
    coefficients: tuple[tuple[str, Coefficient], ...] = ()
    subgroups: tuple[tuple[str, Subgroup], ...] = ()
    regions: tuple[tuple[str, Region], ...] = ()
    quality: tuple[Distance, ...] = ()
    worst: tuple[Distance, ...] = ()

    def __repr__(self) -> str:
        return f"ReportPage({self.title}, {self.build}: {self.verdict.headline})"


@dataclass(frozen=True, repr=False)
class Report:
    """A report that was written.

    Attributes:
        path: the HTML file.
        build: ``internal`` or ``releasable``.
        verdict: the first line of the page.
        bytes: size of the file; ``seconds``: time it took.
    """

    path: str
    build: Build
    verdict: str
    bytes: int
    seconds: float

    def to_dict(self) -> dict[str, Json]:
        """All of it as JSON values."""
        return as_dict(self)

    def __str__(self) -> str:
        return f"{self.path}: {self.build} report, {self.bytes:,} bytes. {printable(self.verdict)}"

    def __repr__(self) -> str:
        return f"Report({self.path}, {self.build}: {self.verdict})"

    def _repr_html_(self) -> str:
        return table("Report", (), [(self.path, self.build, f"{self.bytes:,} bytes")], self.verdict)
