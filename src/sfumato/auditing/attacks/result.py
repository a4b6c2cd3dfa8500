"""What one attack found: three rates, operating points, a lower bound on epsilon, and what it could have found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sfumato.auditing.attacks.rates import (
    SplitScores,
    auc,
    bound_of_halves,
    difference,
    lower,
    rate_interval,
    tpr_at,
    upper,
)
from sfumato.privacy.guarantee import Guarantee

FPRS = {"0.01": 0.01, "0.001": 0.001}
"""Rates of false positives at which true ones are told."""
_ROC = (-3, 0, 25)
"""Powers of ten of the first and last rate of a curve, and how many there are."""
_VAST = 50.0
"""An epsilon that rules nothing out: its exponential is beyond any one over a rate."""
_NO_RATE = 1e-300
"""In place of a rate of zero, to take the logarithm of."""


@dataclass(frozen=True)
class Power:
    """What an attack does to a generator known to leak; the fields are those of :class:`AttackResult`."""

    real: float
    holdout: float
    auc: float | None
    tpr_at_fpr: Mapping[str, float]
    epsilon_lower_bound: float


@dataclass(frozen=True)
class AttackResult:
    """One attack.

    Attributes:
        attack: its name; ``knowledge``: what the attacker has.
        real: success rate on real rows, which were used; ``holdout``: on holdout rows, which were not;
            ``naive``: without the release, or, for a score, of saying "used" as often without looking.
        interval: of ``real``, 95 %.
        auc: area under the ROC curve of real against holdout rows, or None for an attack that gives no score.
        auc_interval: its 95 % interval.
        tpr_at_fpr: true positive rate at a false positive rate of 0.01 and 0.001.
        roc: (false, true positive rate) pairs from 0.001 to 1, log-spaced; empty for an attack that gives no score.
        ceiling: the largest true positive rate at those two that the claimed guarantee allows, or the largest ``real``
            beside this ``holdout`` (key ``real``); empty without a claim.
        epsilon_lower_bound: no smaller epsilon fits (simultaneous confidence 95 % over all attacks of the audit).
        power: the same attack on a generator known to leak: one that copies the data or, for an attack on a model, one
            fitted without noise to few of the rows.
        seconds: time it took, without its power; distances that several attacks share are charged to the first.
        verdict: VIOLATION, LEAK (nothing was claimed), or no evidence of a leak beyond a stated epsilon.
        difference: of an attack that wins or loses per row, an interval of ``real`` minus ``holdout`` (Newcombe's
            hybrid score interval) that holds together with those of the other such attacks with confidence 95 %; None
            for an attack that scores rows.
        cap: of attribute inference, the share right among real rows, and among holdout ones, whose other columns all
            equal those of a synthetic row (correct attribution probability); None where there is none.
    """

    attack: str
    knowledge: str
    real: float
    holdout: float
    naive: float
    interval: tuple[float, float]
    auc: float | None
    auc_interval: tuple[float, float] | None
    tpr_at_fpr: Mapping[str, float]
    roc: tuple[tuple[float, float], ...]
    ceiling: Mapping[str, float]
    epsilon_lower_bound: float
    power: Power | None
    seconds: float
    verdict: str
    cap: tuple[float | None, float | None] | None = None
    difference: tuple[float, float] | None = None

    @property
    def allowed(self) -> float | None:
        """The largest rate under the claim: at 0.1 % false positives, or on real rows; None without a claim."""
        return self.ceiling.get("0.001", self.ceiling.get("real"))

    def as_power(self) -> Power:
        """As what stands beside the same attack on a release."""
        return Power(self.real, self.holdout, self.auc, self.tpr_at_fpr, self.epsilon_lower_bound)


def ceiling(claimed: Guarantee | None, rates: Mapping[str, float] = FPRS) -> dict[str, float]:
    """``min(1, e^epsilon * rate + delta)`` for each rate among rows that were not used, by name."""
    if claimed is None or not claimed.private:
        return {}
    factor = math.exp(min(claimed.epsilon, _VAST))
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
    attack: str, knowledge: str, choose: SplitScores, test: SplitScores, terms: Terms, seconds: float
) -> AttackResult:
    """The result of an attack that scores rows; higher means "was used"."""
    bound, threshold = bound_of_halves(choose, test, terms.delta, terms.significance)
    inside, outside = (np.concatenate(pair) for pair in zip(choose, test, strict=True))
    area, spread = auc(inside, outside)
    hits = int((test[0] >= threshold).sum())
    return AttackResult(
        attack=attack,
        knowledge=knowledge,
        real=hits / len(test[0]),
        holdout=float((test[1] >= threshold).mean()),
        naive=float((np.concatenate(test) >= threshold).mean()),
        interval=rate_interval(hits, len(test[0])),
        auc=area,
        auc_interval=spread,
        tpr_at_fpr={name: tpr_at(inside, outside, f) for name, f in FPRS.items()},
        roc=tuple((float(f), tpr_at(inside, outside, f)) for f in np.logspace(*_ROC)),
        ceiling=ceiling(terms.claimed),
        epsilon_lower_bound=bound,
        power=None,
        seconds=seconds,
        verdict=verdict(bound, terms.claimed),
    )


def from_rates(
    attack: str, knowledge: str, real: np.ndarray, holdout: np.ndarray, naive: float, terms: Terms, seconds: float
) -> AttackResult:
    """The result of an attack that wins or loses per row: boolean successes on real and on holdout rows.

    The success on a real row may not exceed ``e^epsilon`` times that on a holdout one, plus delta.
    """
    hits, alarms = int(real.sum()), int(holdout.sum())
    tpr = float(lower(hits, len(real), terms.significance / 2)) - terms.delta
    fpr = float(upper(alarms, len(holdout), terms.significance / 2))
    bound = max(0.0, math.log(max(tpr, _NO_RATE) / fpr))
    return AttackResult(
        attack=attack,
        knowledge=knowledge,
        real=float(real.mean()),
        holdout=float(holdout.mean()),
        naive=naive,
        interval=rate_interval(hits, len(real)),
        auc=None,
        auc_interval=None,
        tpr_at_fpr={},
        roc=(),
        ceiling=ceiling(terms.claimed, {"real": float(holdout.mean())}),
        epsilon_lower_bound=bound,
        power=None,
        seconds=seconds,
        verdict=verdict(bound, terms.claimed),
        difference=difference(hits, len(real), alarms, len(holdout), terms.significance),
    )
