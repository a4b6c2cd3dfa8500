"""The audit of one synthetic table or set of images: every attack beside what it does to a generator known to leak."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_limits

from sfumato.auditing.attacks.attribute_inference import attribute_inference, secret_columns
from sfumato.auditing.attacks.game import Game, Population
from sfumato.auditing.attacks.linkability import linkability
from sfumato.auditing.attacks.membership import Attacks, on_model, on_rows, play
from sfumato.auditing.attacks.reconstruction import linear_reconstruction, secret_bit
from sfumato.auditing.attacks.result import AttackResult, Terms, from_rates, verdict
from sfumato.auditing.attacks.singling_out import singling_out
from sfumato.auditing.attacks.white_box import WhiteBox
from sfumato.auditing.result import AuditReport, RowsUsed, SelfTest, SelfTests, Suite
from sfumato.encoding.domain import Domain
from sfumato.errors import TooFewRows
from sfumato.privacy.guarantee import Guarantee
from sfumato.progress import Progress, Silent

_IMAGES = 5
"""Times fewer rows where one row has as many columns as an image."""
_LEVEL = 0.05
"""Of all bounds together: half for membership, half for attacks on single rows, where there are any."""
_SECRETS = 3
"""Columns that are guessed."""
_FEWEST = 40
"""Rows of a table: with fewer, nothing can be told from chance."""


@dataclass(frozen=True)
class Most:
    """How many rows take part at most.

    Attributes:
        candidates: real rows; controls and reference rows, each.
        synthetic: synthetic rows.
    """

    candidates: int
    synthetic: int


MOST: Mapping[Suite, Most] = {"quick": Most(5000, 50_000), "full": Most(20_000, 100_000)}
"""For each suite."""


@threadpool_limits.wrap(limits=1)  # several threads of small jobs mostly wait for each other
def run_attacks(
    real: np.ndarray,
    holdout: np.ndarray,
    synthetic: np.ndarray,
    domain: Domain,
    claimed: Guarantee | None = None,
    suite: Suite = "quick",
    *,
    seed: int = 0,
    most: Most | None = None,
    white_box: WhiteBox | None = None,
    progress: Progress | None = None,
) -> AuditReport:
    """Attack ``synthetic`` (k, d), made from ``real`` (n, d), with ``holdout`` (m, d): unused rows of the population.

    Half of the holdout rows are controls, half the attacker's reference. The bounds on epsilon hold simultaneously with
    confidence 95 % when real and holdout rows are exchangeable. ``quick`` runs the membership attacks, ``full`` adds
    more candidates and, for tables, attribute inference, linear reconstruction, singling out and linkability; ``most``
    says how many rows take part, if not as many as the suite has. With a ``white_box`` the model that made the rows is
    attacked too. Deterministic for a ``seed``. Raises ``TooFewRows``.
    Not private: the result is a statistic of real rows.
    """
    for name, table in (("real", real), ("holdout", holdout), ("synthetic", synthetic)):
        if len(table) < _FEWEST:
            raise TooFewRows(f"the {name} table has {len(table)} rows; at least {_FEWEST} are needed to audit")
    began = perf_counter()
    rng = np.random.default_rng(seed)
    images = domain.content == "images"
    most, fewer = most or MOST[suite], _IMAGES if images else 1
    population = _population(real, holdout, domain, most.candidates // fewer, rng)
    released = synthetic[rng.permutation(len(synthetic))[: most.synthetic // fewer]]
    copy = real[rng.integers(len(real), size=len(released))]
    other = _art29(population) if suite == "full" and not images else {}
    level = _LEVEL / 2 if other else _LEVEL
    seen = progress or Silent()
    model = {} if white_box is None else on_model(white_box.model)
    results = _membership(population, released, copy, white_box, model, Terms(claimed, level, seed), seen)
    terms = Terms(claimed, level / max(1, len(other)), seed)
    if other:
        seen.stage("attacks on single rows", len(other))
    for name, attack in other.items():
        results.append(_with_power(attack(name, released, terms), attack(name, copy, terms)))
        seen.step()
    tests = _self_tests(population, results, white_box, model, Terms(claimed, _LEVEL, seed), seen)
    return AuditReport(
        attacks=tuple(results),
        self_tests=tests,
        rows=RowsUsed(len(population.members), len(population.controls), len(population.reference), len(released)),
        claimed=claimed,
        suite=suite,
        verdict=_overall(results, tests, claimed),
        seconds=perf_counter() - began,
    )


def _membership(
    population: Population,
    released: np.ndarray,
    copy: np.ndarray,
    white_box: WhiteBox | None,
    model: Attacks,
    terms: Terms,
    seen: Progress,
) -> list[AttackResult]:
    """Membership attacks on the release, each with its power: on a copy, or on an overfitted model."""
    folds, rows = population.folds(), on_rows(population.domain)
    seen.stage("membership attacks", 2 * len(rows) + 2 * len(model))
    powers = play([Game(fold, copy) for fold in folds], terms, rows, seen)
    if white_box is None:
        results = play([Game(fold, released) for fold in folds], terms, rows, seen)
    else:
        results = play([Game(fold, released, white_box.model) for fold in folds], terms, {**rows, **model}, seen)
        few = replace(population, members=white_box.few).folds()
        powers += play([Game(fold, copy, white_box.overfitted) for fold in few], terms, model, seen)
    return [_with_power(a, b) for a, b in zip(results, powers, strict=True)]


def _population(
    real: np.ndarray, holdout: np.ndarray, domain: Domain, limit: int, rng: np.random.Generator
) -> Population:
    shuffled = holdout[rng.permutation(len(holdout))]
    half = len(shuffled) // 2
    members = real[rng.permutation(len(real))[:limit]]
    return Population(members, shuffled[:half][:limit], shuffled[half:][:limit], domain)


def _art29(population: Population) -> dict[str, Callable[[str, np.ndarray, Terms], AttackResult]]:
    """The attacks on single rows that win or lose: the three criteria of WP216, and reconstruction."""
    attacks: dict[str, Callable[[str, np.ndarray, Terms], AttackResult]] = {"singling_out": _Timed(population)}
    if len(population.domain) > 1:
        attacks["linkability"] = _Timed(population)
        for column in secret_columns(population, _SECRETS):
            attacks[f"attribute_inference:{population.domain.names[column]}"] = _Timed(population, column)
    if len(population.domain) > 2:
        column, bit = secret_bit(population)
        attacks[f"linear_reconstruction:{population.domain.names[column]}"] = _Timed(population, column, bit)
    return attacks


@dataclass(frozen=True)
class _Timed:
    population: Population
    column: int = -1
    bit: int = -1

    def __call__(self, name: str, synthetic: np.ndarray, terms: Terms) -> AttackResult:
        began = perf_counter()
        won, naive, knowledge, cap = self._run(name.split(":")[0], synthetic, terms.rng())
        return replace(from_rates(name, knowledge, *won, naive, terms, perf_counter() - began), cap=cap)

    def _run(
        self, kind: str, synthetic: np.ndarray, rng: np.random.Generator
    ) -> tuple[tuple[np.ndarray, np.ndarray], float, str, tuple[float | None, float | None] | None]:
        """Wins over members and controls, the naive rate, what the attacker has, and CAP where it is defined."""
        p = self.population
        if kind == "singling_out":
            *won, naive = singling_out(p.members, p.controls, synthetic, p.domain, rng)
            return (won[0], won[1]), naive, "the synthetic rows", None
        if kind == "linkability":
            *won, naive = linkability(p, synthetic, rng)
            return (won[0], won[1]), naive, "the synthetic rows, two halves of the columns apart", None
        knowledge = "the synthetic rows, all columns of a person but one"
        if kind == "attribute_inference":
            found = attribute_inference(p, synthetic, self.column)
            return (found.members, found.controls), found.naive, knowledge, found.cap
        share = float((p.reference[:, self.column] == self.bit).mean())
        won = linear_reconstruction(p, synthetic, self.column, self.bit)
        return won, max(share, 1 - share), knowledge, None


def _with_power(result: AttackResult, copy: AttackResult) -> AttackResult:
    return replace(result, power=copy.as_power())


def _self_tests(
    population: Population,
    results: list[AttackResult],
    white_box: WhiteBox | None,
    model: Attacks,
    terms: Terms,
    seen: Progress,
) -> SelfTests:
    """``null``: controls play members of a release made of reference rows; ``copy``: the best of the powers."""
    members, controls, reference = np.array_split(population.controls, 3)
    unused = Population(members, controls, reference, population.domain)
    attacks = {**on_rows(population.domain), **model}
    seen.stage("self-test", len(attacks))
    held = None if white_box is None else white_box.model
    found = play([Game(fold, population.reference, held) for fold in unused.folds()], terms, attacks, seen)
    null = max(r.epsilon_lower_bound for r in found)
    copy = max(r.power.epsilon_lower_bound for r in results if r.power)
    return SelfTests(SelfTest(null == 0, null, {r.attack: r.auc for r in found}), SelfTest(copy > 0, copy))


def _overall(results: list[AttackResult], tests: SelfTests, claimed: Guarantee | None) -> str:
    bound = max(r.epsilon_lower_bound for r in results)
    if not tests.copy.passed and bound == 0:
        return "powerless: these attacks do not catch a copying generator of these data either"
    said = verdict(bound, claimed)
    if bound > 0 and not tests.null.passed:
        said += " (read with doubt: the same attacks tell holdout rows from holdout rows, see the self-test null)"
    return said
