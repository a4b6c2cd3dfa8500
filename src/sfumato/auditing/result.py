"""What an audit found: typed, with its plain form at the edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sfumato.auditing.attacks.result import AttackResult
from sfumato.auditing.recipe_result import RecipeAudit
from sfumato.evaluation.refused_rows import NONE_REFUSED, RefusedRows
from sfumato.printable import printable
from sfumato.privacy.guarantee import Guarantee
from sfumato.results.notebook import table
from sfumato.results.plain import Json, as_dict

Suite = Literal["quick", "full"]
SchemaUsed = Literal["given", "drafted", "the model's"]


@dataclass(frozen=True)
class SelfTest:
    """A test of the attacks themselves.

    Attributes:
        passed: whether they did what they must.
        epsilon_lower_bound: the largest that they showed.
        auc: by attack, of ``null``; empty for ``copy``.
    """

    passed: bool
    epsilon_lower_bound: float
    auc: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class SelfTests:
    """``null``: two halves of holdout rows, must be at chance; ``copy``: a copying generator, must be caught."""

    null: SelfTest
    copy: SelfTest


@dataclass(frozen=True)
class RowsUsed:
    """How many rows took part: real rows as members, holdout rows as controls and as reference, synthetic ones."""

    members: int
    controls: int
    reference: int
    synthetic: int


@dataclass(frozen=True, repr=False)
class AuditReport:
    """What attacks on synthetic rows found; a statistic of real rows without noise: keep it inside.

    Attributes:
        attacks: one result each.
        self_tests: whether the attacks can be believed.
        rows: how many took part.
        claimed: the guarantee that was claimed, if any.
        suite: how thorough it was.
        verdict: over all attacks; ``powerless`` when the copying generator was not caught either.
        seconds: in all.
        schema: where the schema came from.
        columns: names of the columns that were compared.
        recipe: what fitting the recipe again showed; None where it was not asked for.
        left_out: real and holdout rows that no attack used, because the schema refuses a cell of theirs.
    """

    attacks: tuple[AttackResult, ...]
    self_tests: SelfTests
    rows: RowsUsed
    claimed: Guarantee | None
    suite: Suite
    verdict: str
    seconds: float
    schema: SchemaUsed = "given"
    columns: tuple[str, ...] = ()
    recipe: RecipeAudit | None = None
    left_out: RefusedRows = NONE_REFUSED

    @property
    def violation(self) -> bool:
        """Whether an attack shows more than was claimed."""
        return self.verdict.startswith("VIOLATION")

    @property
    def powerless(self) -> bool:
        """Whether not even a generator that is known to leak was caught."""
        return self.verdict.startswith("powerless")

    @property
    def epsilon_lower_bound(self) -> float:
        """The largest of the attacks, simultaneously valid with confidence 95 %."""
        return max(a.epsilon_lower_bound for a in self.attacks)

    def to_dict(self) -> dict[str, Json]:
        """All of it as JSON values; ``attacks`` by name."""
        claim = None if self.claimed is None else {"epsilon": self.claimed.epsilon, "delta": self.claimed.delta}
        return {
            **as_dict(self),
            "claimed": claim,
            "violation": self.violation,
            "epsilon_lower_bound": self.epsilon_lower_bound,
            "attacks": {a.attack: as_dict(a) for a in self.attacks},
        }

    def __str__(self) -> str:
        """The attacks as a table for people."""
        names = ("real", "holdout", "naive", "AUC", "TPR@1%", "TPR@.1%", "allowed", "eps >=", "on copy", "s")
        rows = self.rows
        lines = [
            f"{rows.synthetic:,} synthetic rows, {rows.members:,} real rows and"
            f" {rows.controls + rows.reference:,} holdout rows took part"
        ]
        lines += [f"{'attack':<34}" + "".join(f"{name:>8}" for name in names)]
        lines += [_line(attack) for attack in self.attacks]
        for name, test in (("null", self.self_tests.null), ("copy", self.self_tests.copy)):
            lines.append(f"self-test {name}: {'passed' if test.passed else 'FAILED'}")
        lines += [] if self.recipe is None else str(self.recipe).split("\n")
        lines += [str(self.left_out)] if self.left_out else []
        lines += [self.verdict, "internal: computed from real rows, not covered by any guarantee"]
        return "\n".join(map(printable, lines))

    def __repr__(self) -> str:
        return f"AuditReport({self.verdict}; {len(self.attacks)} attacks, suite {self.suite})"

    def _repr_html_(self) -> str:
        head = ("attack", "real", "holdout", "AUC", "epsilon at least", "on a copy")
        lines = [
            (
                a.attack,
                f"{a.real:.3f}",
                f"{a.holdout:.3f}",
                "" if a.auc is None else f"{a.auc:.3f}",
                f"{a.epsilon_lower_bound:.2f}",
                "" if a.power is None else f"{a.power.epsilon_lower_bound:.2f}",
            )
            for a in self.attacks
        ]
        return table(f"Audit: {self.verdict}", head, lines, "internal: computed from real rows")


def _line(a: AttackResult) -> str:
    """One attack; *allowed* is the largest rate at .1 %, or of a real row, under the claim; - no threshold."""
    rates = [f"{a.real:.3f}", f"{a.holdout:.3f}", f"{a.naive:.3f}"]
    if a.auc is not None and a.holdout == 1:
        rates = ["-", "-", "-"]
    scored = ["" if a.auc is None else f"{a.auc:.3f}"]
    scored += [f"{a.tpr_at_fpr[k]:.3f}" if a.tpr_at_fpr else "" for k in ("0.01", "0.001")]
    allowed = "" if a.allowed is None else f"{a.allowed:.3f}"
    power = "" if a.power is None else f"{a.power.epsilon_lower_bound:.2f}"
    bounds = [f"{a.epsilon_lower_bound:.2f}", power, f"{a.seconds:.1f}"]
    return f"{a.attack[:33]:<34}" + "".join(f"{cell:>8}" for cell in (*rates, *scored, allowed, *bounds))
