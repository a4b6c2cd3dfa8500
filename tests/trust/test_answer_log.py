"""Answers kept and given again: nothing is asked twice, nothing is free, and nothing else than was asked."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save
from tests.trust.features import feature_sum, scatter

from sfumato.encoding.domain import Domain
from sfumato.errors import CheckpointError, Overdraft
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.trust.answer_log import AnswerLog
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records
from sfumato.trust.setting import Candidate, Query

DOMAIN = Domain.of(["a", "b"], [3, 2])
GUARANTEE = Guarantee(epsilon=1, delta=1e-6)
ROWS = np.random.default_rng(0).integers(0, 2, (500, 2)).astype(np.uint8)
PAIR = Query((0, 1))
HALVES = feature_sum(lambda codes: codes / 2.0, 2, 1.0)
HALVES_BY_B = scatter(lambda codes: (codes / 2.0, codes[:, 1]), 2, 2, 1.0)


def everything(setting):
    """One answer to each kind of question, as arrays."""
    guesses = [Candidate(Query((i,)), np.zeros(DOMAIN.sizes[i])) for i in range(2)]
    mu = setting.mu(0.1)
    return [
        np.array(setting.count(mu)),
        np.array(setting.outside(mu)()),
        *(m.values for m in setting.marginals([PAIR, Query((1,))], [mu, mu])),
        np.array(setting.select(guesses, 0.1)),
        setting.distances(guesses, mu),
        setting.feature_sum(HALVES, mu),
        setting.scatter(HALVES_BY_B, mu),
    ]


@pytest.fixture
def run():
    return Ledger.open().begin(GUARANTEE, "test")


def setting(run, answer_log):
    return Central(Records.of(ROWS, DOMAIN), Budget(run, answer_log=answer_log))


def test_every_answer_is_given_again_as_it_was_at_no_charge(run, tmp_path):
    first = setting(run, AnswerLog.begin(tmp_path / "kept", {}, run.id))
    answers, events, left = everything(first), run.events, first.remaining
    again = setting(run, AnswerLog.find(tmp_path / "kept", {}))
    for one, other in zip(answers, everything(again), strict=True):
        np.testing.assert_array_equal(one, other)
    assert run.events == events
    assert again.remaining == pytest.approx(left)
    again.count(again.mu(0.1))
    assert len(run.events) == len(events) + 1


@pytest.mark.parametrize("lost", range(7))
def test_an_answer_that_was_paid_for_and_lost_is_drawn_again_once(run, tmp_path, monkeypatch, lost):
    kept, kinds = tmp_path / "kept", iter(range(100))

    def keep(*answer):
        if next(kinds) == lost:
            raise KeyboardInterrupt
        right(answer_log, *answer)

    right, answer_log = AnswerLog.keep, AnswerLog.begin(kept, {}, run.id)
    monkeypatch.setattr(answer_log, "keep", keep)
    with pytest.raises(KeyboardInterrupt):
        everything(setting(run, answer_log))
    paid = run.events
    everything(setting(run, AnswerLog.find(kept, {})))
    assert run.events[: len(paid)] == paid
    unbroken = Ledger.open().begin(GUARANTEE, "unbroken")
    everything(setting(unbroken, None))
    assert run.events == unbroken.events


def test_answers_that_were_given_are_not_drawn_again_for_their_charges(run, tmp_path):
    """Planted bug: a answer_log that forgets."""
    answer_log = AnswerLog.begin(tmp_path / "kept", {}, run.id)
    everything(setting(run, answer_log))
    with pytest.raises(CheckpointError, match="answers that its checkpoint lacks"):
        everything(setting(run, AnswerLog(tmp_path / "kept", answer_log._facts, run.id, [])))


def test_other_questions_and_other_facts_are_refused(run, tmp_path):
    first = setting(run, AnswerLog.begin(tmp_path / "kept", {"epsilon": 1}, run.id))
    first.marginals([Query((0,))], [first.mu(0.1)])
    with pytest.raises(CheckpointError, match="another schema, model"):
        AnswerLog.find(tmp_path / "kept", {"epsilon": 2})
    for question in (lambda s: s.count(s.mu(0.1)), lambda s: s.marginals([Query((1,))], [s.mu(0.1)])):
        with pytest.raises(CheckpointError, match="asked other questions"):
            question(setting(run, AnswerLog.find(tmp_path / "kept", {"epsilon": 1})))


def test_a_run_that_did_not_pay_is_refused(run, tmp_path):
    everything(setting(run, AnswerLog.begin(tmp_path / "kept", {}, run.id)))
    other = Ledger.open().begin(GUARANTEE, "other")
    with pytest.raises(CheckpointError, match="not the one that the checkpoint was kept by"):
        setting(other, AnswerLog.find(tmp_path / "kept", {}))


def test_an_older_copy_is_refused(run, tmp_path):
    kept = tmp_path / "kept"
    first = setting(run, AnswerLog.begin(kept, {}, run.id))
    first.count(first.mu(0.1))
    older = (kept / "answers.safetensors").read_bytes()
    for _ in range(2):
        first.count(first.mu(0.1))
    (kept / "answers.safetensors").write_bytes(older)
    again = setting(run, AnswerLog.find(kept, {}))
    again.count(again.mu(0.1))
    with pytest.raises(CheckpointError, match="older copy"):
        again.count(again.mu(0.1))


def test_what_was_refused_is_not_kept(run, tmp_path):
    first = setting(run, AnswerLog.begin(tmp_path / "kept", {}, run.id))
    with pytest.raises(Overdraft):
        first.count(100.0)
    found = AnswerLog.find(tmp_path / "kept", {})
    assert found
    assert found.charges == 0


def test_a_folder_without_answers_begins_anew_and_forgets_an_older_training(run, tmp_path):
    assert AnswerLog.find(tmp_path / "kept", {}) is None
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "training.safetensors").write_bytes(save({"0": np.zeros(1)}, {"mark": "{}"}))  # of another fit
    answer_log = AnswerLog.begin(tmp_path / "kept", {}, run.id)
    assert not answer_log.training.exists()
    (tmp_path / "kept" / "mine.txt").touch()
    (tmp_path / "kept" / ".training.safetensors.0a1b.part").touch()
    answer_log.remove()
    assert [p.name for p in (tmp_path / "kept").iterdir()] == ["mine.txt"]
