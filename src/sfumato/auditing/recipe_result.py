"""What fitting a recipe again showed: typed, part by part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sfumato.printable import printable


@dataclass(frozen=True)
class LeftOut:
    """A ``part`` that does not apply to the recipe, or takes too long, and why."""

    part: str
    left_out: str
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"recipe, {self.part}: left out, {self.left_out}"

    @property
    def violation(self) -> bool:
        """What was not done shows nothing."""
        return False


@dataclass(frozen=True)
class Mechanism:
    """Games against one mechanism; see :class:`sfumato.auditing.attacks.worst_case.MechanismAudit`."""

    claimed_mu: float
    mu_lower_bound: float
    epsilon_from_mu: float
    epsilon_lower_bound: float
    games: int
    tightness: float
    violation: bool


@dataclass(frozen=True)
class WorstCase:
    """Games against the recipe's mechanisms on worst neighbours, by mechanism."""

    mechanisms: Mapping[str, Mechanism]
    violation: bool
    seconds: float = 0.0

    def __str__(self) -> str:
        return "\n".join(
            f"recipe, worst case of {name}: mu at least {m.mu_lower_bound:.4f}, claimed {m.claimed_mu:.4f}"
            for name, m in self.mechanisms.items()
        )


@dataclass(frozen=True)
class Replay:
    """A fit with and without one row under the same answers.

    Attributes:
        steps: questions asked; ``findings``: one line per defect.
        tightest: largest share of a declared sensitivity that was used.
    """

    steps: int
    findings: tuple[str, ...]
    tightest: float
    violation: bool
    seconds: float = 0.0

    def __str__(self) -> str:
        said = "; ".join(map(printable, self.findings)) or "the same course, each answer within its sensitivity"
        return f"recipe, replay of {self.steps} questions: {said} (largest share {self.tightest:.3f})"


@dataclass(frozen=True)
class Canaries:
    """A training with planted records: the bound of one run beside the claim, and how many were let in and left out."""

    epsilon_lower_bound: float
    claimed: float
    inside: int
    outside: int
    violation: bool
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"recipe, canaries: epsilon at least {self.epsilon_lower_bound:.2f}, claimed {self.claimed:g}"


@dataclass(frozen=True)
class ShadowTarget:
    """How well shadow models tell whether one row was in."""

    auc: float | None
    auc_interval: tuple[float, float] | None
    epsilon_lower_bound: float
    verdict: str


@dataclass(frozen=True)
class Shadows:
    """Shadow models against the rows that stand out most."""

    targets: tuple[ShadowTarget, ...]
    violation: bool
    seconds: float = 0.0

    def __str__(self) -> str:
        areas = ", ".join(
            "{:.2f} ({:.2f} to {:.2f})".format(t.auc, *t.auc_interval) for t in self.targets if t.auc_interval
        )
        return f"recipe, shadow models against the rows that stand out most: AUC {areas}"


@dataclass(frozen=True)
class RecipeAudit:
    """The four audits of a recipe; all bounds hold together with confidence 95 %."""

    worst_case: WorstCase
    replay: Replay | LeftOut
    canaries: Canaries | LeftOut
    outlier_shadow: Shadows | LeftOut
    violation: bool

    def __str__(self) -> str:
        parts = (self.worst_case, self.replay, self.canaries, self.outlier_shadow)
        said = "VIOLATION" if self.violation else "no evidence of a violation"
        return "\n".join([*map(str, parts), f"recipe: {said}"])
