"""What the report says that rows may be used for follows from what was found."""

from __future__ import annotations

from types import SimpleNamespace

from sfumato.evaluation.result import Measure, Overall
from sfumato.reporting.purposes import purposes


def answers(certified, violation, score, broken):
    measures = {"tstr_auc_linear": Measure(0, 0, 0, 0, score)}
    found = SimpleNamespace(overall=Overall(score, 0, 1, 3), measures=measures)
    return [p.answer for p in purposes(certified, SimpleNamespace(violation=violation), found, broken)]


def test_each_answer_follows_from_a_figure():
    assert answers(True, False, 0.9, 0.0) == ["yes", "yes", "yes", "yes"]
    assert answers(True, False, 0.6, 0.2) == ["yes", "with care", "with care", "with care"]
    assert answers(True, True, 0.1, 0.0) == ["no", "yes", "no", "no"]
    assert answers(False, False, 0.9, 0.0)[0] == "no"
    assert [p.answer for p in purposes(True, None, None, None)] == ["yes", "yes", "not known", "not known"]
