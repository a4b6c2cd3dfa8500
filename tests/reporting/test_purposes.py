"""What the report says that rows may be used for follows from what was found."""

from __future__ import annotations

from types import SimpleNamespace

from sfumato.evaluation.result import Learning, Measure, Overall, Scores, TrainedOn
from sfumato.reporting.purposes import purposes


def said(epsilon, score, broken, *, violation=False, powerless=False, memorised=False):
    learning = Learning("paid", "binary", {}, {"linear": Scores({}, {}, TrainedOn(90, 100))})
    found = SimpleNamespace(
        overall=Overall(score, 0, 1, 3),
        measures={"tstr_auc_linear": Measure(0, 0, 0, 0, score)},
        learning=learning,
        memorisation=SimpleNamespace(flag=memorised),
    )
    return purposes(epsilon, SimpleNamespace(violation=violation, powerless=powerless), found, broken)


def answers(*given, **more):
    return [p.answer for p in said(*given, **more)]


def test_each_answer_follows_from_a_figure():
    assert answers(1.0, 0.9, 0.0) == ["yes", "yes", "yes", "yes"]
    assert answers(1.0, 0.6, 0.2) == ["yes", "with care", "with care", "with care"]
    assert answers(1.0, 0.1, 0.0, violation=True) == ["no", "yes", "no", "no"]
    assert answers(None, 0.9, 0.0)[0] == "no"
    assert [p.answer for p in purposes(1.0, None, None, None)] == ["yes", "yes", "not known", "not known"]


def test_a_score_of_nought_is_a_no_and_not_unknown():
    assert answers(1.0, 0.0, 0.0)[2:] == ["no", "no"]


def test_a_certificate_alone_is_no_yes_where_it_hardly_limits_or_rows_were_learnt_by_heart():
    assert answers(11.0, 0.9, 0.0)[0] == answers(1.0, 0.9, 0.0, memorised=True)[0] == "with care"
    assert "near certainty" in said(11.0, 0.9, 0.0)[0].reason


def test_attacks_that_could_not_have_shown_anything_are_no_reason():
    assert "too weak" in said(1.0, 0.9, 0.0, powerless=True)[0].reason
    assert "no attack showed more" in said(1.0, 0.9, 0.0)[0].reason


def test_what_a_model_is_worth_says_on_how_many_rows_it_was_trained():
    assert "trained on 90 synthetic or 100 real rows" in said(1.0, 0.9, 0.0)[3].reason
