"""Twenty-four bugs known from published leaks, each a small pipeline, and which of the shipped attacks finds them.

What is tried here are the detectors; mistakes in the shipped code itself, and the tests that hold them, are in
``benchmarks.mutants``.

Five detectors: ``games`` (worst-case audit against the claim), ``replay`` (the same course under frozen answers),
``accounts`` (the events recomputed), ``draws`` (two runs differ, noise is integer), ``sampling`` (batch sizes are
binomial). Every detector also runs on the right build, which must pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
from scipy import stats

from sfumato.auditing.attacks.taped import Taped
from sfumato.auditing.attacks.trace import AnswerTape, trace
from sfumato.auditing.attacks.worst_case import audit_mechanism
from sfumato.encoding.domain import Domain
from sfumato.privacy import accounting
from sfumato.privacy.events import DiscreteGaussian
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.randomness import SYSTEM, SeededEntropy
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.questions import VECTORS, FeatureSum
from sfumato.trust.records import Records
from sfumato.trust.setting import Query

CLAIM = Guarantee(2.0, 1e-6)
CELLS = 20_000
DOMAIN = Domain.of(("age", "job"), (64, 5), ordered=("age",))
ROWS = np.random.default_rng(0).integers(0, 48, (300, 2)) % (64, 5)
ROWS[0] = (63, 4)
NEIGHBOUR = ROWS[1:]


def central(rows: np.ndarray, domain: Domain, epsilon: float = CLAIM.epsilon, entropy: Any = SYSTEM) -> Central:
    """A curator with a budget of its own."""
    run = Ledger.open(None).begin(Guarantee(epsilon, CLAIM.delta), "benchmark")
    return Central(Records.of(rows, domain), Budget(run), entropy=entropy)


def taped(rows: np.ndarray, tape: AnswerTape, domain: Domain = DOMAIN) -> Taped:
    """A noisy and an exact curator on a tape."""
    return Taped(central(rows, domain), central(rows, domain, math.inf), tape)


# games: each cell of a wide table is an independent game about its own target -----------------------------------


def play(
    contribution: float = 1, noise: float = 1, replaced: bool = False, answers: int = 1, seed: int | None = None
) -> Callable[[bool], np.ndarray]:
    """Scores of ``CELLS`` games on integer Gaussian noise scaled to the claim, with what can go wrong."""
    sigma = noise / accounting.mu_for(CLAIM)
    exact = np.full(CELLS, 1_000_000)

    def games(inside: bool) -> np.ndarray:
        from sfumato.privacy.mechanisms.discrete_gaussian import add_discrete_gaussian, draw

        scores = np.zeros(CELLS)
        for _ in range(answers):
            entropy = SYSTEM if seed is None else SeededEntropy(seed)
            scores += add_discrete_gaussian(exact + round(contribution * 1000) * inside, sigma * 1000, entropy) / 1000
            if replaced:
                scores -= add_discrete_gaussian(exact + 1000 * (not inside), sigma * 1000) / 1000
            if seed is not None:
                scores -= draw(CELLS, sigma * 1000, SeededEntropy(seed)) / 1000
        return scores

    return games


def accused(games: Callable[[bool], np.ndarray]) -> bool:
    """Whether the worst-case audit calls the claim violated; a right build is accused once in 10,000 runs."""
    return audit_mechanism(games, CLAIM, 200_000, significance=1e-4).violation


# replay ----------------------------------------------------------------------------------------------------------


def right(rows: np.ndarray, tape: AnswerTape) -> Any:
    """Count, one table, one chosen pair."""
    setting = taped(rows, tape)
    return setting.count(0.1), setting.marginals([Query((0, 1))], [0.2])[0].values


def bounds_from_data(rows: np.ndarray, tape: AnswerTape) -> Any:
    """L1: the axis ends at the largest value seen."""
    top = int(rows[:, 0].max()) + 1
    return taped(rows, tape, Domain.of(("age", "job"), (top, 5))).marginals([Query((0,))], [0.2])[0].values


def categories_from_data(rows: np.ndarray, tape: AnswerTape) -> Any:
    """L2: one code per category seen."""
    seen, codes = np.unique(rows[:, 1] * 64 + rows[:, 0], return_inverse=True)
    return taped(codes[:, None], tape, Domain.of(("both",), (len(seen),))).marginals([Query((0,))], [0.2])[0].values


def rare_suppressed(rows: np.ndarray, tape: AnswerTape) -> Any:
    """L2: categories seen once are left out, by the exact count."""
    kept = np.flatnonzero(np.bincount(rows[:, 0], minlength=64) > 0)
    return kept, taped(rows, tape).marginals([Query((0,))], [0.2])[0].values[kept]


def exact_row_count(rows: np.ndarray, tape: AnswerTape) -> Any:
    """L3: as many synthetic rows as real ones."""
    return len(rows), taped(rows, tape).marginals([Query((0,))], [0.2])[0].values


def quantile_bins(rows: np.ndarray, tape: AnswerTape) -> Any:
    """L4: bin edges are quantiles of the rows."""
    edges = np.quantile(rows[:, 0], np.linspace(0, 1, 9)) + rows[:, 0].mean()
    return edges, taped(rows, tape).count(0.2)


_FEATURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {}
"""Features that know of the rows: what no installed code does, and what bugs like these amount to."""


def _summed(name: str, feature: Callable[[np.ndarray], np.ndarray], bound: float) -> FeatureSum:
    if name not in _FEATURES:
        VECTORS.add(f"planted: {name}", lambda domain, arrays: _FEATURES[name])
    _FEATURES[name] = feature
    return FeatureSum(f"planted: {name}", 1, bound)


def standardised(rows: np.ndarray, tape: AnswerTape) -> Any:
    """L4: a scaler is fitted before the noise."""
    mean = rows[:, 0].mean()
    return taped(rows, tape).feature_sum(_summed("less the mean", lambda r: r[:, :1] - mean, 64.0), 0.2), mean


def mean_for_sum(rows: np.ndarray, tape: AnswerTape) -> Any:
    """L8: a mean is released with the noise that belongs to it, the divisor unprotected."""
    question = _summed("over their number", lambda r: r[:, :1] / len(rows), 64.0 / 299)
    return taped(rows, tape).feature_sum(question, 0.2), 1 / len(rows)


def counted_twice(rows: np.ndarray, tape: AnswerTape) -> Any:
    """L8: a record falls into two cells of a table that is noised for one."""
    return taped(np.concatenate([rows, rows]), tape).marginals([Query((0, 1))], [0.2])[0].values


def unclipped(rows: np.ndarray, tape: AnswerTape) -> Any:
    """L8: the sum of a feature beyond its declared bound."""
    exact = [np.array(float(rows[:, 0].sum()))]
    return tape.answer("sum", 64, exact, [10.0], lambda: exact[0] + np.random.default_rng(0).normal(0, 50))


def batch_normalised(rows: np.ndarray, tape: AnswerTape) -> Any:
    """L10: a record's feature depends on the other records."""
    feature = (rows[:, 0] - rows[:, 0].mean()) / rows[:, 0].std()
    exact = [np.array([np.clip(feature, -1, 1).sum(), np.abs(np.clip(feature, -1, 1)).sum() * 30])]
    return tape.answer("normalised", (), exact, [1.0], lambda: exact[0])


def early_stop(rows: np.ndarray, tape: AnswerTape) -> Any:
    """L11: rounds end when the un-noised loss is low enough."""
    setting, loss = taped(rows, tape), rows[:, 0].sum()
    answers = []
    while loss > 30:
        answers.append(setting.count(0.05))
        loss -= 30 * 40
    return answers, rows[:, 0].sum() < np.inf and int(rows[:, 0].sum() % 97)


def best_checkpoint(rows: np.ndarray, tape: AnswerTape) -> Any:
    """L11: the checkpoint with the best un-noised score is kept."""
    answers = [taped(rows, tape).count(0.05) for _ in range(5)]
    return answers[int(rows[:, 0].sum()) % 5]


def rounds_from_rows(rows: np.ndarray, tape: AnswerTape) -> Any:
    """L12: as many rounds as there are hundreds of rows, rounded up."""
    setting = taped(rows, tape)
    return [setting.count(0.05) for _ in range(len(rows) - 297)]


def noise_from_rows(rows: np.ndarray, tape: AnswerTape) -> Any:
    """L12: the noise scale follows the data."""
    return taped(rows, tape).count(0.01 * len(rows) / 100)


def diverges(pipeline: Callable[[np.ndarray, AnswerTape], Any]) -> bool:
    """Whether the replay finds anything."""
    return bool(trace(pipeline, ROWS, NEIGHBOUR).findings)


# accounts, draws, sampling ------------------------------------------------------------------------------------------


def underclaimed(events: list[DiscreteGaussian]) -> bool:
    """Whether the events cost more than the claim."""
    return accounting.epsilon(events, CLAIM.delta) > CLAIM.epsilon


def paid(share: float, times: int = 1) -> list[DiscreteGaussian]:
    """``times`` tables at a share of the squared budget."""
    sigma = accounting.discrete_gaussian_sigma(accounting.mu_for(CLAIM) * math.sqrt(share))
    return [DiscreteGaussian(sigma)] * times


def unnoised_or_repeated(release: Callable[[], np.ndarray]) -> bool:
    """Whether two runs agree, or an answer to counts is no integer."""
    one, two = release(), release()
    return bool((one == two).all()) or not np.array_equal(one, np.rint(one))


def table(entropy: Callable[[], Any]) -> Callable[[], np.ndarray]:
    """A noisy table by noise from ``entropy``."""
    return lambda: central(ROWS, DOMAIN, entropy=entropy()).marginals([Query((0, 1))], [0.2])[0].values


def float_table() -> np.ndarray:
    """Textbook floating-point noise on counts."""
    counts = np.bincount(ROWS[:, 0], minlength=64)
    return counts + np.random.default_rng().laplace(0, 1, 64)


def not_poisson(sizes: np.ndarray, n: int, q: float) -> bool:
    """Whether batch sizes are no binomial draws: a chi-square test of their variance at 1e-4, two-sided."""
    statistic = ((sizes - n * q) ** 2).sum() / (n * q * (1 - q))
    return bool(min(stats.chi2.cdf(statistic, len(sizes)), stats.chi2.sf(statistic, len(sizes))) < 5e-5)


def poisson(n: int, q: float) -> np.ndarray:
    """Sizes of Poisson-sampled batches."""
    return np.random.default_rng().binomial(n, q, 500)


SQRT2 = math.sqrt(2)
RIGHT: dict[str, Callable[[], bool]] = {
    "games": lambda: accused(play()),
    "replay": lambda: diverges(right),
    "accounts": lambda: underclaimed(paid(0.25, 4)),
    "draws": lambda: unnoised_or_repeated(table(lambda: SYSTEM)),
    "sampling": lambda: not_poisson(poisson(1000, 0.1), 1000, 0.1),
}
BUGS: dict[str, Callable[[], bool]] = {
    "L1 bounds from data": lambda: diverges(bounds_from_data),
    "L2 categories from data": lambda: diverges(categories_from_data),
    "L2 rare categories left out by exact count": lambda: diverges(rare_suppressed),
    "L3 exact number of rows": lambda: diverges(exact_row_count),
    "L4 quantile bins of raw rows": lambda: diverges(quantile_bins),
    "L4 scaler fitted on raw rows": lambda: diverges(standardised),
    "L5 fixed seed": lambda: unnoised_or_repeated(table(lambda: SeededEntropy(0))),
    "L5 fixed seed, seen by the attacker": lambda: accused(play(seed=7)),
    "L6 floating-point noise on counts": lambda: unnoised_or_repeated(float_table),
    "L7 shuffled batches": lambda: not_poisson(np.full(500, 100), 1000, 0.1),
    "L7 truncated Poisson batches": lambda: not_poisson(np.minimum(poisson(1000, 0.1), 100), 1000, 0.1),
    "L8 halved noise": lambda: accused(play(noise=0.5)),
    "L8 sensitivity off by the root of two": lambda: accused(play(contribution=SQRT2)),
    "L8 a record counted twice": lambda: diverges(counted_twice),
    "L8 mean for sum": lambda: diverges(mean_for_sum),
    "L8 no clipping": lambda: diverges(unclipped),
    "L9 replace-one noised as add/remove": lambda: accused(play(replaced=True)),
    "L10 batch normalisation": lambda: diverges(batch_normalised),
    "L11 un-noised early stop": lambda: diverges(early_stop),
    "L11 best checkpoint by un-noised score": lambda: diverges(best_checkpoint),
    "L12 rounds from rows": lambda: diverges(rounds_from_rows),
    "L12 noise scale from rows": lambda: diverges(noise_from_rows),
    "L13 budget spent twice": lambda: underclaimed(paid(0.5, 4)),
    "L13 answers repeated, charged once": lambda: accused(play(answers=2)),
}


def measure() -> dict[str, Any]:
    """Bugs caught and missed, alarms on the right build, seconds."""
    began = perf_counter()
    missed = [name for name, caught in BUGS.items() if not caught()]
    alarms = [name for name, alarm in RIGHT.items() if alarm()]
    return {
        "bugs": len(BUGS),
        "caught": len(BUGS) - len(missed),
        "missed": missed,
        "alarms_on_the_right_build": alarms,
        "seconds": round(perf_counter() - began, 1),
    }
