"""Candidates as questions of whole numbers: units, weights, bounds, and what a comparison is charged as."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sfumato.encoding.domain import Axis, Domain
from sfumato.errors import FederationError, QuestionError
from sfumato.privacy import gdp
from sfumato.privacy.events import NoisyMax
from sfumato.privacy.mechanisms import noisy_max
from sfumato.trust.mpc.comparing import (
    distances_of,
    furthest_noise,
    selected_event,
    selection_of,
    toward_a_party,
    whole_weights,
)
from sfumato.trust.mpc.engine.selection import MOST_SCORE
from sfumato.trust.questions import Query, Selection, from_bytes
from sfumato.trust.setting import Candidate

DOMAIN = Domain(tuple(Axis(name, size) for name, size in (("a", 4), ("b", 3), ("c", 2))))
QUERIES = [Query((0, 1)), Query((1, 2)), Query((0, 2), (np.array([0, 0, 1, 1]), np.array([0, 1])))]


def candidates(weights=(1.0, 2.0, 1.0), bias=3.3) -> list[Candidate]:
    return [Candidate(q, np.full(q.shape(DOMAIN), 10.37), w, bias) for q, w in zip(QUERIES, weights, strict=True)]


@pytest.mark.parametrize(
    ("weights", "whole"),
    [([1, 2, 1], [1, 2, 1]), ([0.5], [1]), ([1, 1.5], [2, 3]), ([3, 1], [3, 1]), ([1, math.pi], [16, 50])],
)
def test_weights_are_whole_in_the_widest_unit_that_is_exact(weights, whole):
    assert whole_weights(weights).tolist() == whole


@pytest.mark.parametrize("weights", [[0.0, 1.0], [-1.0], [math.nan], [math.inf]])
def test_weights_that_are_not_positive_are_refused(weights):
    with pytest.raises(ValueError, match="are positive"):
        whole_weights(weights)


def test_a_question_comes_back_from_its_bytes_and_says_what_it_asks():
    question = selection_of(candidates(), 1000, 1, noisy_max.scale(0.1), DOMAIN)
    again = from_bytes(question.to_bytes())
    assert again == question
    assert isinstance(again, Selection)
    again.check(DOMAIN)
    assert str(question) == (
        "which is furthest from a public estimate, of 3 tables of counts: column 0 x column 1; column 1 x column 2;"
        " column 0 in 2 groups x column 2 in 2 groups"
    )
    assert from_bytes(question.distances.to_bytes()) == question.distances


def test_estimates_are_rounded_to_a_thousandth_where_scores_have_room():
    question = selection_of(candidates(), 1000, 1, noisy_max.scale(0.1), DOMAIN)
    assert question.distances.fraction == 10
    assert question.distances.estimates[0] == round(10.37 * 1024)
    assert question.biases[0] == round(3.3 * 1024)
    assert question.weights.tolist() == [1, 2, 1]
    assert question.moved_by(1) == 2 * 1024


@pytest.mark.parametrize(("persons", "epsilon"), [(10**6, 0.01), (10**8, 0.1), (50_000, 0.001)])
def test_units_are_coarser_where_scores_or_noise_are_large_and_always_fit(persons, epsilon):
    scale = noisy_max.scale(epsilon)
    question = selection_of(candidates(), persons, 1, scale, DOMAIN)
    noise = 3 * furthest_noise(question, 1, scale, 2)
    assert question.furthest(persons, DOMAIN) + noise <= MOST_SCORE
    assert question.distances.fraction < 10


def test_scores_that_can_not_be_compared_in_any_unit_are_refused():
    with pytest.raises(FederationError, match="could pass 2\\^30, and are not compared"):
        selection_of(candidates((1.0, 2000.0, 1.0)), 10**6, 1, noisy_max.scale(0.1), DOMAIN)


def test_distances_fit_a_ring_of_32_bits():
    question = distances_of(candidates((1.0,) * 3), 10**6, 5e4, DOMAIN)
    assert (question.furthest(10**6, DOMAIN) + (32 * 5 * 10**4 << question.fraction)) < 2**31
    assert question.sizes(DOMAIN) == (1, 1, 1)
    assert question.answer(np.array([1 << question.fraction] * 3), question.price([1.0] * 3, 1), DOMAIN)[0] == 1.0


@pytest.mark.parametrize("epsilon", [0.001, 0.1, 2.0])
def test_a_selection_costs_toward_a_party_what_tables_of_its_cost_do(epsilon):
    """A person with other cells moves scores by twice as much: once twice the epsilon, which is more than it twice."""
    event = selected_event(epsilon, 2)
    mu = gdp.exponential_mu(epsilon)
    there = toward_a_party(event)
    assert there == NoisyMax(2 * event.epsilon, 2)
    assert gdp.pure_mu(there.epsilon) == pytest.approx(math.sqrt(2) * mu, rel=1e-9)
    assert gdp.pure_mu(event.epsilon) < mu
    assert gdp.pure_mu(there.epsilon) > math.sqrt(2) * gdp.pure_mu(event.epsilon)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"weights": np.array([1, 0, 1])}, "whole numbers from 1"),
        ({"weights": np.array([1, 1])}, "a weight and a bias each"),
        ({"biases": np.array([1])}, "a weight and a bias each"),
        ({"biases": np.array([1, 2**31, 1])}, "larger than any distance"),
    ],
)
def test_what_is_no_selection_is_refused(changed, said):
    question = selection_of(candidates(), 1000, 1, 0.0, DOMAIN)
    fields = {"distances": question.distances, "weights": question.weights, "biases": question.biases, **changed}
    with pytest.raises(QuestionError, match=said):
        Selection(**fields).check(DOMAIN)


def test_estimates_that_do_not_fit_their_tables_are_refused():
    question = selection_of(candidates(), 1000, 1, 0.0, DOMAIN).distances
    for changed, said in (
        (question.estimates[1:], "an estimate of each of their cells"),
        (np.append(question.estimates[1:], 2**31), "larger than any count"),
    ):
        with pytest.raises(QuestionError, match=said):
            type(question)(question.tables, changed, question.fraction).check(DOMAIN)
    with pytest.raises(QuestionError, match="0 to 10 bits"):
        type(question)(question.tables, question.estimates, 11).check(DOMAIN)
