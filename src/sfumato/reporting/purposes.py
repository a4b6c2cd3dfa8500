"""What the rows may be used for, as far as a report can say: one line and one reason for each purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sfumato.auditing.result import AuditReport
    from sfumato.evaluation.result import Learning, Utility

Usable = Literal["yes", "with care", "no", "not known"]

_GOOD, _FAIR = 0.8, 0.5
"""Scores between independent columns (0) and holdout rows (1) from which a use is sound, or needs care."""
_BROKEN = 0.01
"""Share of rows that break the schema above which software meets rows that it never would."""
_WEAK = 10.0
"""An epsilon beyond which an attacker may turn even odds into near certainty: 99.995 %."""


@dataclass(frozen=True)
class Purpose:
    """One use of the rows.

    Attributes:
        question: what for.
        answer: what the report can say to it.
        reason: in one sentence, with the figure.
    """

    question: str
    answer: Usable
    reason: str


def purposes(
    epsilon: float | None, audit: AuditReport | None, found: Utility | None, broken: float | None
) -> tuple[Purpose, ...]:
    """The four uses that people ask about.

    ``epsilon``: of the certificate, None where none holds; ``broken``: share of synthetic rows that break the schema.
    """
    return (_publish(epsilon, audit, found), _develop(epsilon is not None, broken), _teach(found), _train(found))


def _publish(epsilon: float | None, audit: AuditReport | None, found: Utility | None) -> Purpose:
    question = "publish the rows, or pass them on"
    if epsilon is None:
        return Purpose(question, "no", "no guarantee holds: treat them like the real rows.")
    if audit is not None and audit.violation:
        return Purpose(question, "no", "an attack shows more than the guarantee allows.")
    if found is not None and found.memorisation.flag:
        return Purpose(question, "with care", "they resemble the real rows more than chance gives: find out why first.")
    if epsilon > _WEAK:
        weak = f"the certificate holds, but at epsilon {epsilon:g} even odds may become near certainty about a person."
        return Purpose(question, "with care", weak)
    return Purpose(
        question,
        "yes",
        f"the certificate holds, and {_tried(audit)}; whether its epsilon is small enough is yours to say.",
    )


def _tried(audit: AuditReport | None) -> str:
    if audit is None:
        return "attacks were not tried here"
    if audit.powerless:
        return "the attacks are too weak on these rows to show anything"
    return "no attack showed more than it allows"


def _develop(certified: bool, broken: float | None) -> Purpose:
    question = "develop and test software against them"
    where = "" if certified else " Inside only."
    if broken is None:
        return Purpose(question, "yes", f"they have the columns, types and rules of the schema.{where}")
    answer: Usable = "yes" if broken <= _BROKEN else "with care"
    return Purpose(question, answer, f"{broken:.1%} of the rows break a rule of the schema.{where}")


def _teach(found: Utility | None) -> Purpose:
    question = "teach, explore, draw charts"
    if found is None or found.overall is None:
        return Purpose(question, "not known", "the internal report compares them with real rows.")
    return Purpose(
        question, _by(found.overall.score), f"overall they score {found.overall} between useless (0) and real (1)."
    )


def _train(found: Utility | None) -> Purpose:
    question = "train a model for use on real people"
    every = [] if found is None else [m.score for k, m in found.measures.items() if k.startswith("tstr")]
    scores = [score for score in every if score is not None]
    if not scores:
        return Purpose(question, "not known", "that needs a target and real rows to test on: see the internal report.")
    best = max(scores)
    rows = "" if found is None or found.learning is None else f", {_trained(found.learning)},"
    kept = f"the best learner{rows} keeps {best:.0%} of what real rows teach it; test it on real rows."
    return Purpose(question, _by(best), kept)


def _trained(learning: Learning) -> str:
    """On how many rows at most."""
    return str(max((scores.trained for scores in learning.learners.values()), key=lambda t: t.synthetic + t.real))


def _by(score: float) -> Usable:
    return "yes" if score >= _GOOD else "with care" if score >= _FAIR else "no"
