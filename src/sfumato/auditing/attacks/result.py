"""What one attack found: three rates, operating points, a lower bound on epsilon, and what it could have found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sfumato.auditing.attacks.rates import Scores, auc, epsilon_lower_bound, interval, lower, tpr_at, upper
from sfumato.privacy.guarantee import Guarantee

FPRS = {"0.01": 0.01, "0.001": 0.001}


@dataclass(frozen=True)
class AttackResult:
    """One attack.

    Attributes:
        attack: its name; ``knowledge``: what the attacker has.
        train: success rate on rows that were used; ``control``: on rows that were not; ``naive``: without the release,
            or, for a score, of saying "used" as often without looking.
        interval: of ``train``, 95 %.
        auc: area under the ROC curve of used against unused rows, or None for an attack that gives no score.
        auc_interval: its 95 % interval.
        tpr_at_fpr: true positive rate at a false positive rate of 0.01 and 0.001.
        roc: (false, true positive rate) pairs from 0.001 to 1, log-spaced; empty for an attack that gives no score.
        ceiling: the largest true positive rate at those two that the claimed guarantee allows, or the largest ``train``
            beside this ``control`` (key ``train``); empty without a claim.
        epsilon_lower_bound: no smaller epsilon fits (simultaneous confidence 95 % over all attacks of the audit).
        power: the same attack's ``epsilon_lower_bound``, ``tpr_at_fpr`` and rates on a generator known to leak: one
            that copies the data or, for an attack on a model, one fitted without noise to few of the rows.
        seconds: time it took, without its power; distances that several attacks share are charged to the first.
        verdict: VIOLATION, LEAK (nothing was claimed), or no evidence of a leak beyond a stated epsilon.
        cap: of attribute inference, the share right among used rows, and among unused ones, whose other columns all
            equal those of a synthetic row (correct attribution probability); None where there is none.
    """

    attack: str
    knowledge: str
    train: float
    control: float
    naive: float
    interval: tuple[float, float]
    auc: float | None
    auc_interval: tuple[float, float] | None
    tpr_at_fpr: dict[str, float]
    roc: tuple[tuple[float, float], ...]
    ceiling: dict[str, float]
    epsilon_lower_bound: float
    power: dict[str, Any] | None
    seconds: float
    verdict: str
    cap: tuple[float | None, float | None] | None = None

    def to_json(self) -> dict[str, Any]:
        """A plain mapping."""
        return asdict(self)


def ceiling(claimed: Guarantee | None, rates: Mapping[str, float] = FPRS) -> dict[str, float]:
    """``min(1, e^epsilon * rate + delta)`` for each rate among rows that were not used, by name."""
    if claimed is None or not claimed.private:
        return {}
    factor = math.exp(min(claimed.epsilon, 50.0))
    return {name: min(1.0, factor * rate + claimed.delta) for name, rate in rates.items()}


def verdict(bound: float, claimed: Guarantee | None) -> str:
    """What may be said of a lower bound on epsilon beside a claim."""
    if claimed is None or not claimed.private:
        if bound > 0:
            return f"LEAK: epsilon is at least {bound:.2f}, and nothing was claimed"
        return "no evidence of a leak beyond epsilon = 0"
    if bound > claimed.epsilon:
        return f"VIOLATION: epsilon is at least {bound:.2f}, claimed was {claimed.epsilon:g}"
    return f"no evidence of a leak beyond the claimed epsilon = {claimed.epsilon:g}"


@dataclass(frozen=True)
class Terms:
    """What all attacks of one audit share: the claim, the confidence left to each, and the randomness."""

    claimed: Guarantee | None
    significance: float
    seed: int

    @property
    def delta(self) -> float:
        """The claimed delta, 0 without a claim."""
        return self.claimed.delta if self.claimed is not None and self.claimed.private else 0.0

    def rng(self) -> np.random.Generator:
        """A fresh generator, the same for every attack."""
        return np.random.default_rng(self.seed)


def from_scores(
    attack: str, knowledge: str, choose: Scores, test: Scores, terms: Terms, seconds: float
) -> AttackResult:
    """The result of an attack that scores rows; higher means "was used"."""
    bound, threshold = epsilon_lower_bound(choose, test, terms.delta, terms.significance)
    inside, outside = (np.concatenate(pair) for pair in zip(choose, test, strict=True))
    area, spread = auc(inside, outside)
    hits = int((test[0] >= threshold).sum())
    return AttackResult(
        attack=attack,
        knowledge=knowledge,
        train=hits / len(test[0]),
        control=float((test[1] >= threshold).mean()),
        naive=float((np.concatenate(test) >= threshold).mean()),
        interval=interval(hits, len(test[0])),
        auc=area,
        auc_interval=spread,
        tpr_at_fpr={name: tpr_at(inside, outside, f) for name, f in FPRS.items()},
        roc=tuple((float(f), tpr_at(inside, outside, f)) for f in np.logspace(-3, 0, 25)),
        ceiling=ceiling(terms.claimed),
        epsilon_lower_bound=bound,
        power=None,
        seconds=seconds,
        verdict=verdict(bound, terms.claimed),
    )


def from_rates(
    attack: str, knowledge: str, train: np.ndarray, control: np.ndarray, naive: float, terms: Terms, seconds: float
) -> AttackResult:
    """The result of an attack that wins or loses per row: boolean successes on used and on unused rows.

    The success on a used row may not exceed ``e^epsilon`` times that on an unused one, plus delta.
    """
    hits, alarms = int(train.sum()), int(control.sum())
    tpr = float(lower(hits, len(train), terms.significance / 2)) - terms.delta
    fpr = float(upper(alarms, len(control), terms.significance / 2))
    bound = max(0.0, math.log(max(tpr, 1e-300) / fpr))
    return AttackResult(
        attack=attack,
        knowledge=knowledge,
        train=float(train.mean()),
        control=float(control.mean()),
        naive=naive,
        interval=interval(hits, len(train)),
        auc=None,
        auc_interval=None,
        tpr_at_fpr={},
        roc=(),
        ceiling=ceiling(terms.claimed, {"train": float(control.mean())}),
        epsilon_lower_bound=bound,
        power=None,
        seconds=seconds,
        verdict=verdict(bound, terms.claimed),
    )
