"""Replay under frozen answers finds pipelines that look past them, and sensitivities that were declared too small."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sfumato.auditing.attacks.taped import Taped
from sfumato.auditing.attacks.trace import AnswerTape, trace
from sfumato.encoding.domain import Domain
from sfumato.models import MODELS
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records
from sfumato.trust.setting import Query

DOMAIN = Domain.of(("a", "b", "c", "d"), (12, 4, 3, 2), ordered=("a",))
ROWS = np.random.default_rng(0).integers(0, DOMAIN.sizes, (400, 4))
NEIGHBOUR = ROWS[1:]


def setting(rows: np.ndarray, tape: AnswerTape, epsilon: float = 2.0) -> Taped:
    def central(e: float) -> Central:
        return Central(Records.of(rows, DOMAIN), Budget(Ledger.open(None).begin(Guarantee(e, 1e-6), "replay")))

    return Taped(central(epsilon), central(math.inf), tape)


@pytest.mark.parametrize("name", ["independent", "mst", "aim", "loglinear"])  # a tape has no answer to a training
def test_models_keep_their_course(name):
    def pipeline(rows: np.ndarray, tape: AnswerTape) -> object:
        return MODELS[name, "table"].recipe().fit(setting(rows, tape), target=3, progress=Silent()).state()

    found = trace(pipeline, ROWS, NEIGHBOUR)
    assert found.findings == ()
    assert found.steps > 0
    assert 0 < found.tightest <= 1 + 1e-6


def _looks_at_rows(rows, tape):
    setting(rows, tape).marginals([Query((0,))], [0.1 if rows[0, 0] > ROWS[0, 0] - 1 else 0.2])


def _asks_more(rows, tape):
    asked = setting(rows, tape)
    for _ in range(len(rows) - 395):
        asked.count(0.1)


def _returns_rows(rows, tape):
    setting(rows, tape).count(0.1)
    return rows.mean()


def _counts_thrice(rows, tape):
    setting(np.repeat(rows, 3, axis=0), tape).marginals([Query((0, 1))], [0.1])


def _bounds_from_rows(rows, tape):
    tape.answer("range", (), [np.array([rows[:, 0].size])], [0.5], lambda: 0)


@pytest.mark.parametrize(
    ("bug", "word"),
    [
        (_looks_at_rows, "control flow"),
        (_asks_more, "control flow"),
        (_returns_rows, "under equal answers"),
        (_counts_thrice, "3.00 of its declared sensitivity"),
        (_bounds_from_rows, "2.00 of its declared"),
    ],
)
def test_planted_bugs_are_found(bug, word):
    neighbour = NEIGHBOUR.copy()
    neighbour[0, 0] = 0 if bug is _looks_at_rows else neighbour[0, 0]
    data = ROWS.copy()
    data[0, 0] = max(1, data[0, 0])
    findings = trace(bug, data, neighbour[: -1 if bug is _asks_more else None]).findings
    assert any(word in line for line in findings), findings
