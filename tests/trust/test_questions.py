"""Questions as values: what every model asks goes to bytes and back, and nothing else is read as a question."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.models.images.population import DOMAIN as IMAGES
from tests.models.images.population import digits

from sfumato.encoding.domain import Domain
from sfumato.errors import QuestionError, TooMuchNoise
from sfumato.models import MODELS
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.randomness import SeededEntropy
from sfumato.progress import Silent
from sfumato.schema.columns import Content
from sfumato.trust import summing
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.questions import (
    VECTORS,
    Answer,
    Count,
    FeatureSum,
    GradientStep,
    Marginals,
    Query,
    Question,
    Scatter,
    SumQuestion,
    from_bytes,
    packing,
)
from sfumato.trust.records import Records

TABLE = Domain.of(["age", "b", "c"], [3, 40, 2], ["b"])
CODES = np.random.default_rng(0).integers(0, TABLE.sizes, (400, 3)).astype(np.uint8)
PAIR = Marginals((Query((0, 2)), Query((0, 1), (np.array([0, 1, 1]), np.arange(40) // 8))))
EACH: list[SumQuestion[Any]] = [
    Count(),
    Count(outside=True),
    PAIR,
    replace(PAIR, outside=True),
    FeatureSum("images", 65, 1.0),
    Scatter("directions of images", 64, 1, 1.0, {"centre": np.linspace(0, 1, 64)}),
]


class Trained(Exception):
    """Gradients are asked for: no sum is asked after them."""


def _again(question: Question) -> Any:
    """What its bytes say."""
    again = from_bytes(question.to_bytes())
    assert type(again) is type(question)
    assert again == question
    return again


class Recording(Central):
    """A curator who holds each question against what its bytes say."""

    def __init__(self, records: Any, budget: Budget, asked: list[Question]) -> None:
        super().__init__(records, budget)
        self.asked = asked

    def ask(self, question: SumQuestion[Answer], mu: Sequence[float]) -> Answer:
        again = _again(question)
        assert np.array_equal(summing.exact(again, self._records), summing.exact(question, self._records))
        before = len(self._budget.run.events)
        answer = super().ask(question, mu)
        assert self._budget.run.events[before:] == again.events(mu, 1)
        self.asked.append(question)
        return answer

    def dp_sgd(self, training: Any, share: float, progress: Any) -> Any:
        from sfumato.privacy.groups import rooms
        from sfumato.trust.steps import BatchSums, Planned, descent_of

        into = rooms(training.rate, training.total)
        descent = descent_of(training, 1.5, training.rate, into)
        planned, again = (Planned(d, self.domain) for d in (descent, _again(descent)))
        parameters = np.asarray(planned.objective.flat(training.parameters(training.carry)))
        step = GradientStep(descent.digest, 0, parameters, bytes(range(32)))
        one, other = (
            BatchSums(plan, self._records, into, SeededEntropy(1)).answer(asked)
            for plan, asked in ((planned, step), (again, _again(step)))
        )
        assert np.array_equal(one, other)
        assert one.any()
        assert again.event() == planned.event()
        self.asked += [descent, step]
        raise Trained

    def coarsened(self, recode: Sequence[np.ndarray]) -> Recording:
        return Recording(self._records.coarsened(recode), self._budget, self.asked)


@pytest.mark.parametrize(("name", "content"), MODELS)
def test_what_a_model_asks_is_the_same_from_bytes_and_costs_what_they_say(name: str, content: Content) -> None:
    codes, domain = (digits()[:300], IMAGES) if content == "images" else (CODES, TABLE)
    recipe: Any = MODELS[name, content].recipe()
    if MODELS[name, content].extra:
        recipe = replace(recipe, **{k: 2 for k in ("steps", "warm_steps", "frequencies") if hasattr(recipe, k)})
    run, asked = Ledger.open().begin(Guarantee(8.0, 1e-5), "asked"), []
    setting: Any = Recording(Records.of(codes, domain), Budget(run), asked)
    with suppress(Trained):
        recipe.fit(setting, target=None, progress=Silent())
    kinds = {type(question) for question in asked}
    assert (GradientStep in kinds) == ("gradients" in MODELS[name, content].asks)


@pytest.mark.parametrize("question", EACH, ids=str)
def test_a_question_is_equal_to_what_its_bytes_say_and_to_nothing_else(question: Question) -> None:
    again = from_bytes(question.to_bytes())
    assert again == question
    assert hash(again) == hash(question)
    assert again.to_bytes() == question.to_bytes()
    assert len({*EACH, again}) == len(EACH)


def test_equal_questions_are_equal_however_their_arrays_lie() -> None:
    centre = np.linspace(0, 1, 64)
    one = Scatter("directions of images", 64, 1, 1.0, {"centre": centre})
    other = Scatter("directions of images", 64, 1, 1.0, {"centre": np.repeat(centre, 2)[::2].astype(">f8")})
    assert one == other
    centre[0] = 5.0  # what was asked stays what was asked
    assert one == other
    with pytest.raises(ValueError, match="read-only"):
        one.arrays["centre"][0] = 1.0
    narrow = Marginals((Query((0,), (np.array([0, 1, 1], np.uint8),)),))
    assert narrow == Marginals((Query((0,), (np.array([0, 1, 1], np.int64),)),))
    assert narrow != Marginals((Query((0,), (np.array([0, 1, 2]),)),))


def test_a_question_says_what_it_is_in_plain_words() -> None:
    assert str(Count()) == "the number of records"
    assert PAIR.words(TABLE.names) == "2 tables of counts: 'age' x 'c'; 'age' in 2 groups x 'b' in 5 groups"
    assert str(Marginals((Query((1,)),))) == "the table of counts of column 1"
    assert str(Marginals((Query((0,)),) * 9)).endswith("column 0; and 5 more")
    assert str(Marginals((Query((1,)),), outside=True)) == (
        "the number of rows with a cell that the schema does not allow, and the table of counts of column 1"
    )
    assert str(EACH[4]) == (
        "the sum over all records of 65 numbers that the installed feature 'images' makes of each, clipped to length 1"
    )
    assert "of each of 1 groups" in str(EACH[5])
    assert "given centre (64)" in str(EACH[5])


def test_the_price_of_a_question_follows_from_it_and_from_the_unit() -> None:
    (one,), (three,) = (Count().events([0.5], rows) for rows in (1, 3))
    assert (one.sensitivity, three.sensitivity) == (1, 3)  # type: ignore[union-attr]
    assert three.sigma == pytest.approx(3 * one.sigma, rel=0.01)  # type: ignore[union-attr]
    (vectors,) = EACH[4].events([0.5], 3)
    assert vectors.noise_multiplier == pytest.approx(2.0)  # type: ignore[union-attr]
    assert EACH[4].price([0.5], 3).scales[0] == pytest.approx(3 * EACH[4].price([0.5], 1).scales[0])
    assert EACH[4].price([math.inf], 1).events == ()
    for costs in ([], [0.1, 0.1], [0.0], [-1.0], [math.nan]):
        with pytest.raises(QuestionError, match="cost"):
            Count().price(costs, 1)
    for cost in (1e-300, 5e-324):
        for question in (Count(), EACH[4]):
            with pytest.raises(TooMuchNoise):
                question.price([cost], 1)


def test_a_view_of_coarser_codes_is_the_same_question_of_the_finer_ones() -> None:
    records = Records.of(CODES, TABLE)
    recode = [np.array([0, 1, 0]), np.arange(40) // 4, np.array([0, 0])]
    asked = Marginals((Query((0, 1)), Query((0, 1), (np.array([1, 0]), np.arange(10) // 5))))
    coarse = summing.exact(asked, records.coarsened(recode))
    assert np.array_equal(coarse, summing.exact(asked.through(recode), records))
    assert replace(asked, outside=True).through(recode).outside


def test_rows_outside_are_counted_with_tables_as_one_more_part() -> None:
    records = Records.of(CODES, TABLE)
    records.outside = 9
    asked = replace(PAIR, outside=True)
    whole = summing.exact(asked, records)
    assert np.array_equal(whole[1:], summing.exact(PAIR, records))
    assert asked.sizes(TABLE) == (1, *PAIR.sizes(TABLE))
    assert len(asked.events([0.5, 0.1, 0.1], 1)) == 3
    outside, *tables = asked.answer(whole, asked.price([math.inf] * 3, 1), TABLE)
    assert (float(outside.values), outside.query) == (9.0, Query(()))
    assert [t.query for t in tables] == list(PAIR.queries)


# Refusals --------------------------------------------------------------------------------------------------------


def header_of(data: bytes) -> tuple[dict[str, Any], bytes]:
    start = len(packing.MAGIC) + 4
    size = int.from_bytes(data[start - 4 : start], "little")
    return json.loads(data[start : start + size]), data[start + size :]


def forged(header: Any, body: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    return packing.MAGIC + len(text).to_bytes(4, "little") + text + body


def changed(question: Question, change: Callable[[dict[str, Any]], Any]) -> bytes:
    header, body = header_of(question.to_bytes())
    change(header)
    return forged(header, body)


def twice(question: Question, key: bytes) -> bytes:
    """With one of its fields given twice."""
    header, body = header_of(question.to_bytes())
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    at = text.index(key)
    field = text[at : at + text[at:].index(b",") + 1]
    return forged(text[:at] + field + text[at:], body)


IMAGE_SUM, DIRECTIONS = EACH[4], EACH[5]
REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "no question"),
    "another version": (b"sfumato question 2\n" + bytes(40), "no question"),
    "an unknown kind": (changed(Count(), lambda h: h.update(kind="median")), "no question is called 'median'"),
    "trailing bytes": (Count().to_bytes() + b"x", "ends 1 bytes before"),
    "an array cut short": (DIRECTIONS.to_bytes()[:-1], "longer than what was sent"),
    "a key given twice": (twice(IMAGE_SUM, b'"bound":'), "one form"),
    "a field too many": (changed(Count(), lambda h: h["fields"].update(more=1)), "one form"),
    "spaces": (forged(json.dumps(header_of(Count().to_bytes())[0]).encode(), b""), "one form"),
    "a field of another type, of tables": (changed(PAIR, lambda h: h["fields"].update(outside=2)), "true or false"),
    "a field of another type": (changed(Count(), lambda h: h["fields"].update(outside=0)), "true or false"),
    "a whole number for a real one": (changed(IMAGE_SUM, lambda h: h["fields"].update(bound=1)), "finite number"),
    "a bound that is NaN": (changed(IMAGE_SUM, lambda h: h["fields"].update(bound=math.nan)), "cannot be read"),
    "a bound beyond floats": (
        forged(b'{"arrays":[],"fields":{"bound":1e999,"dimension":1,"feature":"images"},"kind":"feature sum"}', b""),
        "finite number",
    ),
    "a bound of zero": (changed(IMAGE_SUM, lambda h: h["fields"].update(bound=0.0)), "bound of a vector"),
    "a negative bound": (changed(IMAGE_SUM, lambda h: h["fields"].update(bound=-1.0)), "bound of a vector"),
    "an absurd dimension": (changed(IMAGE_SUM, lambda h: h["fields"].update(dimension=1 << 40)), "between 1 and"),
    "absurdly many groups": (changed(DIRECTIONS, lambda h: h["fields"].update(groups=1 << 40)), "at most"),
    "an absurd shape": (
        changed(DIRECTIONS, lambda h: h["arrays"][0].update(shape=[1 << 27, 1 << 27])),
        "longer than what was sent",
    ),
    "a negative shape": (changed(DIRECTIONS, lambda h: h["arrays"][0].update(shape=[-1])), "absurd shape"),
    "an object array": (changed(DIRECTIONS, lambda h: h["arrays"][0].update(type="|O8")), "name, a shape and a type"),
    "big-endian numbers": (changed(DIRECTIONS, lambda h: h["arrays"][0].update(type=">f8")), "a name, a shape"),
    "an array that is NaN": (DIRECTIONS.to_bytes()[:-8] + np.array(np.nan).tobytes(), "not finite"),
    "a nest without end": (forged(b"[" * 50_000, b""), "cannot be read"),
    "a number of many digits": (forged(b'{"fields":' + b"9" * 20_000 + b"}", b""), "cannot be read"),
    "a header beyond the end": (packing.MAGIC + b"\xff\xff\xff\xff", "longer than it may be"),
    "tables that do not fit": (changed(PAIR, lambda h: h["arrays"].reverse()), "."),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_question_is_refused_and_says_why(case: str) -> None:
    data, why = REFUSED[case]
    with pytest.raises(QuestionError, match=why):
        from_bytes(data)


UNFIT: dict[str, tuple[Question, Domain, str]] = {
    "a feature that is not installed": (FeatureSum("mine", 3, 1.0), TABLE, "'mine' is not installed here"),
    "a feature of images, asked of a table": (IMAGE_SUM, TABLE, "no image column"),
    "another dimension than the feature's": (FeatureSum("images", 64, 1.0), IMAGES, "vectors of"),
    "arrays that are not asked for": (FeatureSum("images", 65, 1.0, {"x": np.zeros(1)}), IMAGES, "must be none"),
    "arrays of another shape": (
        Scatter("directions of images", 64, 1, 1.0, {"centre": np.zeros(3)}),
        IMAGES,
        "must be",
    ),
    "a column that is not there": (Marginals((Query((0, 3)),)), TABLE, "among the 3"),
    "a column before the first": (Marginals((Query((-1,)),)), TABLE, "among the 3"),
    "a column twice": (Marginals((Query((1, 1)),)), TABLE, "ascending"),
    "no column": (Marginals((Query(()),)), TABLE, "ascending"),
    "groups for other codes": (Marginals((Query((0,), (np.arange(4),)),)), TABLE, "one for each of its codes"),
    "groups below zero": (Marginals((Query((0,), (np.array([-1, 0, 1]),)),)), TABLE, "from 0 on"),
    "absurdly many cells": (Marginals((Query((0,), (np.array([0, 1, 2**30]),)),)), TABLE, "cells in all"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_question_that_does_not_fit_is_refused_before_it_is_charged(case: str) -> None:
    question, domain, why = UNFIT[case]
    again: Any = from_bytes(question.to_bytes())
    with pytest.raises(QuestionError, match=why):
        again.check(domain)
    run = Ledger.open().begin(Guarantee(1.0, 1e-5), "refused")
    codes = np.zeros((5, len(domain)), np.uint8)
    parts = len(again.queries) if isinstance(again, Marginals) else 1
    with pytest.raises(QuestionError, match=why):
        Central(Records.of(codes, domain), Budget(run)).ask(again, [0.1] * parts)
    assert run.events == ()


def test_a_vector_that_would_be_spread_out_after_it_was_clipped_is_refused() -> None:
    """One number, clipped to the bound and added to each of a thousand, is a vector 31 times as long."""
    VECTORS.add("test: one number", lambda domain, arrays: lambda codes: np.ones((len(codes), 1)))
    with pytest.raises(QuestionError, match="vectors of"):
        FeatureSum("test: one number", 1000, 1.0).check(TABLE)
    with pytest.raises(TypeError, match="vectors of"):
        summing.exact(FeatureSum("test: one number", 1000, 1.0), Records.of(CODES, TABLE))


def test_a_name_is_installed_once() -> None:
    with pytest.raises(ValueError, match="installed already"):
        VECTORS.add("images", lambda domain, arrays: lambda codes: codes)


def test_damaged_questions_end_in_the_one_error() -> None:
    rng = random.Random(0)
    for question in EACH * 60:
        data = bytearray(question.to_bytes())
        for _ in range(rng.choice((1, 1, 2, 20))):
            at = rng.randrange(min(len(data), 300))
            match rng.randrange(4):
                case 0:
                    data[at] = rng.randrange(256)
                case 1:
                    del data[at : at + rng.randrange(1, 9)]
                case 2:
                    data[at:at] = rng.randbytes(rng.randrange(1, 9))
                case _:
                    data[at : at + 1] = rng.choice((b"9", b"-", b"]", b"}", b'"', b"\\", b"e9", b"null", b"NaN"))
        with suppress(QuestionError):
            again = from_bytes(bytes(data))
            assert again.to_bytes() == bytes(data)
            again.check(TABLE)
            again.check(IMAGES)
