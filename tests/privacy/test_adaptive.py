"""A cap holds against choices made after seeing answers; a filter of lists does not."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from benchmarks.edges import adaptive
from benchmarks.edges.loss import GRID, sampled, worst_delta

from sfumato.errors import Overdraft
from sfumato.privacy import gdp, pld
from sfumato.privacy.events import PoissonSampledGaussian
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.spending import DELTA_SHARE, Spending, limit


@pytest.mark.parametrize("kind", [(1.0, 3.0, 1), (0.01, 0.7, 60), (0.2, 3.0, 20)])
def test_losses_of_one_release_agree_with_dp_accounting(kind: tuple[float, float, int]) -> None:
    event = PoissonSampledGaussian(*kind)
    both = [adaptive.loss(event, removed) for removed in (True, False)]
    for epsilon in (0.5, 1.0, 2.0):
        theirs = pld.delta([event], epsilon, 1e-10)
        assert max(law.delta(epsilon) for law in both) == pytest.approx(theirs, rel=2e-2, abs=1e-10)
        assert max(worst_delta([[law]], epsilon) for law in both) == pytest.approx(theirs, rel=2e-2, abs=1e-10)


def test_seven_choices_pass_a_filter_of_lists_and_exceed_the_cap() -> None:
    """The planted filter: each way through the tree, composed as a list, keeps the cap; their choice does not."""
    rounds = adaptive.seven_choices()
    assert all(adaptive.passes_as_a_list(list(path)) for path in itertools.product(*rounds))
    assert adaptive.true_delta(rounds, adaptive.CAP.epsilon) > 1.9 * adaptive.CAP.delta
    for path in itertools.product(*rounds):
        run = Ledger.open(None, adaptive.CAP).begin(adaptive.CAP, "attack")
        run.charge(replace(path[0], tail=0.1 * adaptive.CAP.delta))
        with pytest.raises(Overdraft):
            run.charge(replace(path[1], tail=0.1 * adaptive.CAP.delta))


def test_what_the_ledger_lets_pass_keeps_the_cap_whatever_is_chosen_when() -> None:
    kinds = ((1.0, 1), (0.05, 50), (0.01, 20))
    rounds = adaptive.affordable([[adaptive.event(*kind, 0.5) for kind in kinds]] * 2)
    assert 0.5 * adaptive.CAP.delta < adaptive.true_delta(rounds, adaptive.CAP.epsilon) <= adaptive.CAP.delta


def test_delta_that_is_left_may_not_buy_mu_after_an_answer() -> None:
    """Planted: one limit on the sum of what mu and delta cost. Spend a little mu; where it told much, the rest as mu,
    elsewhere the rest as delta. Both ways keep the limit, and together they exceed it by half and more."""
    cap, first = Guarantee(1.0, 1e-6), 0.3
    whole = gdp.mu(cap.epsilon, cap.delta)
    start = sampled(1.0, 1 / (whole * first**0.5), 1, True)
    rest = sampled(1.0, 1 / (whole * (1 - first) ** 0.5), 1, True)
    leak = cap.delta - gdp.delta(cap.epsilon, whole * first**0.5)
    leaked = replace(rest, finite=(1 - leak) * (GRID == 0), infinite=leak)
    for second in (rest, leaked):
        assert worst_delta([[start], [second]], cap.epsilon) <= cap.delta * (1 + 1e-3)
    assert worst_delta([[start], [rest, leaked]], cap.epsilon) > 1.5 * cap.delta
    assert not Spending(delta=leak).within(cap)
    most = limit(cap)
    assert most.delta == pytest.approx(DELTA_SHARE * cap.delta)
    assert most.delta + gdp.delta(cap.epsilon, most.mu) <= cap.delta * (1 + 1e-9)
