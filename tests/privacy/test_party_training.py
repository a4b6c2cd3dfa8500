"""What a training of parties costs toward whom: events within what is promised, and draws that nobody exceeds."""

from __future__ import annotations

import math
from typing import Any

import pytest
from scipy import stats

from sfumato.privacy.accounting import mu_for
from sfumato.privacy.events import DistributedGaussian
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.party_training import PartyTraining, most_drawn, toward_a_party
from sfumato.privacy.spending import mu_squared

PROMISE = Guarantee(1.0, 1e-6)
RATE = math.floor(0.05 * 2**32) / 2**32
TRAINING = PartyTraining(0.1, 60, RATE)


@pytest.mark.parametrize(("steps", "rate"), [(96, 0.05), (24, 0.2), (3, 1.0), (1, 0.5)])
def test_nobody_is_drawn_more_often_but_by_a_chance_of_one_in_2_to_the_70(steps: int, rate: float) -> None:
    most = most_drawn(steps, rate)
    assert stats.binom.sf(most, steps, rate) < 2.0**-70
    assert most == 0 or stats.binom.sf(most - 1, steps, rate) >= 2.0**-70


def test_toward_a_party_tables_cost_twice_and_each_sum_that_one_is_in_four_times() -> None:
    noise, scale = TRAINING.noise_multiplier(PROMISE), 1e6
    whole = DistributedGaussian(scale, 2, 2 * math.sqrt(2) * scale / noise, count=TRAINING.most)
    tables = 2 * (1 - TRAINING.share) * mu_for(PROMISE) ** 2
    promised = mu_for(toward_a_party(PROMISE, TRAINING)) ** 2
    assert promised == pytest.approx(tables + mu_squared(whole), rel=1e-6)
    assert toward_a_party(PROMISE, TRAINING).epsilon > toward_a_party(PROMISE, None).epsilon > PROMISE.epsilon


def test_toward_whoever_gets_the_model_it_costs_its_share() -> None:
    noise, scale = TRAINING.noise_multiplier(PROMISE), 1e6
    tail = TRAINING.share * 0.01 * PROMISE.delta
    event = DistributedGaussian(
        scale, 2, math.sqrt(2) * scale / noise, sampling_probability=RATE, count=TRAINING.steps, tail=tail
    )
    assert mu_squared(event) == pytest.approx(TRAINING.share * mu_for(PROMISE) ** 2, rel=2e-3)


@pytest.mark.parametrize(
    "numbers",
    [(0.0, 10, 0.1), (1.5, 10, 0.1), (0.1, 0, 0.1), (0.1, 97, 0.1), (0.1, 10, 0.0), (0.1, 1.0, 0.1), ("a", 1, 0.1)],
)
def test_numbers_that_no_training_has_are_refused(numbers: Any) -> None:
    with pytest.raises(ValueError, match="training"):
        PartyTraining(*numbers)
