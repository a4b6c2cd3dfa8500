"""A coordinator that is stopped midway goes on: nothing that was opened is asked or charged again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from tests.fitting.test_federated_fit import PROMISE, SCHEMA, files

import sfumato as sf
from sfumato.encoding.codec import Codec
from sfumato.encoding.domain import Domain
from sfumato.errors import CheckpointError
from sfumato.fitting.agreed import agreed
from sfumato.fitting.connected import ConnectedSites, ConnectedSource
from sfumato.fitting.federated_fit import learn_federated
from sfumato.fitting.fit import OpenRun, begin, kept_on_failure
from sfumato.fitting.plan import Plan
from sfumato.privacy.dp_sgd import DpSgd, Objective
from sfumato.privacy.events import Event, from_json, is_training
from sfumato.privacy.gradients import Constant
from sfumato.privacy.local_training import LocalTraining
from sfumato.privacy.randomness import SYSTEM, Entropy
from sfumato.progress import Silent
from sfumato.tables import Rows
from sfumato.trust.budget import Budget
from sfumato.trust.federated import local_runs
from sfumato.trust.federated.averaged_descent import SPARE_RUNS
from sfumato.trust.federated.averaging import Averaging
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.setting import Federated
from sfumato.trust.federated.site_facts import first_codec
from sfumato.trust.federated.trainer import SPARE
from sfumato.trust.federated.transport import CountingTransport, InProcess
from sfumato.trust.gathering import gather
from sfumato.trust.questions import OBJECTIVES
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.keyed_entropy import KeyedEntropy
from sfumato.trust.secure_sum.prepaid import prepaid_file
from sfumato.trust.secure_sum.roster import Member, Roster

__all__ = ["files"]
STEPS, LOCAL_STEPS = 9, 3
RUNS = STEPS // LOCAL_STEPS
KEYS = tuple(SiteIdentity.fresh() for _ in range(4))


class Stopped(Exception):
    """The coordinator's process ends here."""


class Fixed:
    """No entropy at all: zeros."""

    def take(self, size: int) -> bytes:
        return bytes(size)


class Case:
    """Tries of one fit by a coordinator with a folder, and sites with ledgers, each in objects of its own."""

    averaging: Averaging | None = None

    def __init__(self, paths: list[Path], model: str, guarantee: sf.Guarantee = PROMISE) -> None:
        self.paths, self.keys, self.folder = paths, KEYS, paths[0].parent / "coordinator"
        self.folder.mkdir(exist_ok=True)
        self.plan = Plan(SCHEMA, model, guarantee)

    def run(self) -> Any:
        members = tuple(Member(path.stem, key.public_key) for path, key in zip(self.paths, self.keys, strict=True))
        capacity = (1000,) * len(members)
        shared = agreed(SCHEMA, self.plan.model, self.plan.guarantee, Roster(members), capacity, self.averaging).plan
        with ExitStack() as stack:
            transport = InProcess([stack.enter_context(self.site(shared, place)) for place in range(len(members))])
            answers = self.folder / "answers"
            ledger = self.folder / "coordinator.ledger"
            source = ConnectedSource(shared, lambda _: transport, ledger, answers, 30.0, lambda signed: None)
            sites = source.opened(self.plan)
            opened = begin(self.plan, sites.book, sites.log)
            with kept_on_failure(opened), sites.answering(self.plan, Silent()) as reached:
                learnt = self.learnt(sites, reached, opened)
            opened.finish()
        return learnt

    @contextmanager
    def site(self, plan: FederationPlan, place: int) -> Iterator[FederatedSite]:
        """A site, started again over its ledger, where it has the one run."""
        path = self.paths[place]
        with sf.Ledger.open(path.with_name(f"{path.name}.ledger")) as ledger:
            run = ledger.resume(1) if ledger.summary()["runs"] else ledger.begin(plan.at_a_site, "federation")
            account = SiteAccount(run, plan.terms, place, prepaid_file(ledger.path, run))
            rows = Rows.open(path, SCHEMA.dialect, SCHEMA.picture)
            try:
                records = gather(rows, first_codec(SCHEMA), Silent())
                yield FederatedSite(plan, self.keys[place], records, account, self.entropy(place))
            finally:
                run.release()

    def entropy(self, place: int) -> Entropy:
        return SYSTEM

    def learnt(self, sites: ConnectedSites, transport: CountingTransport, opened: OpenRun) -> Any:
        release, _, stated = learn_federated(self.plan, sites, transport, opened, Silent())
        return release, stated

    def events(self, ledger: Any) -> list[Event]:
        with sf.Ledger.open(ledger, create=False) as opened:
            (run,) = opened.summary()["runs"]
        return [from_json(event) for event in run["events"]]

    @property
    def coordinator(self) -> list[Event]:
        return self.events(self.folder / "coordinator.ledger")

    @property
    def sites(self) -> list[list[Event]]:
        return [self.events(f"{path}.ledger") for path in self.paths]


def stopping(patch: pytest.MonkeyPatch, method: str, nth: int, before: bool) -> dict[str, int]:
    """Stop at the ``nth`` sum of a kind, before it is asked or once it is opened; parts of what is asked, by digest."""
    asked: dict[str, int] = {}
    real = getattr(SecureRounds, method)

    def stops(rounds: SecureRounds, question: Any, *rest: Any) -> Any:
        asked[question.digest] = len(rest[0]) if method == "opened" else 1
        if len(asked) == nth and before:
            raise Stopped
        answer = real(rounds, question, *rest)
        if len(asked) == nth:
            raise Stopped
        return answer

    patch.setattr(SecureRounds, method, stops)
    return asked


@pytest.mark.parametrize("before", [True, False], ids=["before it was asked", "when it was opened"])
def test_tables_that_were_opened_are_not_asked_again(files, monkeypatch, before):
    case = Case(files, "mst")
    with monkeypatch.context() as patch:
        asked = stopping(patch, "opened", 2, before)
        with pytest.raises(Stopped):
            case.run()
    early, paid = case.coordinator, case.sites
    with monkeypatch.context() as patch:
        again = stopping(patch, "opened", 1000, True)
        release, stated = case.run()
    (kept, lost), (first, *_) = asked, again
    assert kept not in again
    assert first == lost
    assert stated.rounds == len(again) + 1
    assert stated.resumed
    assert release.default_rows > 1000
    whole = case.coordinator
    assert len(whole) == asked[kept] + sum(again.values()), "each is charged once"
    assert whole[: len(early)] == early
    for events, before_it in zip(case.sites, paid, strict=True):
        assert events[: len(before_it)] == before_it
        assert len(events) == len(whole) + (0 if before else asked[lost]), "what is answered twice is paid twice"
    assert not (case.folder / "answers").exists()


def _ages(domain: Domain, arrays: Any) -> Objective:
    """Learns the mean age of ten."""
    return Objective(
        like=jax.eval_shape(lambda key: Constant((1,), key), jax.random.key(0)),
        prepare=lambda codes, key: codes[:, :1].astype(jnp.float32) / 10,
        loss=lambda parameters, ages, tape: jnp.sum((parameters(ages.shape[0], tape) - ages) ** 2, axis=1),
    )


OBJECTIVES.add("test: ages", _ages)


class Training(Case):
    """A training of one number, between two counts."""

    def __init__(self, paths: list) -> None:
        super().__init__(paths, "gan", sf.Guarantee(5, 1e-6))

    def learnt(self, sites: ConnectedSites, transport: CountingTransport, opened: OpenRun) -> tuple[float, int]:
        rounds, budget = SecureRounds(sites.agreed.plan, transport), Budget(opened.run, opened.answer_log)
        rounds.set_up()
        setting = Federated(rounds, Codec.from_schema(SCHEMA).domain, budget)
        total = setting.count(setting.mu(0.01))
        start = Constant((1,), jax.random.key(0))

        def update(carry: Constant, gradient: Constant, key: Any) -> Constant:
            return jax.tree.map(lambda value, slope: value - 0.3 * slope, carry, gradient)

        local = LocalTraining(0.05, lambda carry, parameters, steps, key: parameters)
        mean = setting.dp_sgd(
            DpSgd(start, lambda carry: carry, "test: ages", {}, update, STEPS, total / 4, 1.0, total, local),
            0.4,
            Silent(),
        )
        setting.count(setting.mu(0.01))
        return float(mean.value[0]), rounds.opened_rounds


def test_a_training_goes_on_after_its_last_step(files, monkeypatch):
    case = Training(files)
    with monkeypatch.context() as patch:
        asked = stopping(patch, "opened_step", 4, before=False)  # of which three steps were kept
        with pytest.raises(Stopped):
            case.run()
    first = case.coordinator
    assert sum(map(is_training, first)) == 1
    kept = [path.with_name(f"{path.name}.ledger.prepaid-1") for path in files]
    assert all(path.exists() for path in kept)
    kept[0].unlink()  # that site pays for the rest again
    with monkeypatch.context() as patch:
        again = stopping(patch, "opened_step", 1000, before=True)
        mean, rounds = case.run()
    assert len(asked) == 4
    assert len(again) == STEPS - 3
    assert rounds == STEPS + 2
    assert 0.3 < mean < 0.6
    assert case.coordinator[: len(first)] == first
    assert len(case.coordinator) == len(first) + 1
    paid = [[event.count for event in events if is_training(event)] for events in case.sites]  # type: ignore[union-attr]
    assert paid == [[STEPS + SPARE, STEPS - 3 + SPARE], *[[STEPS + SPARE]] * 3]
    assert [len(events) - len(case.coordinator) for events in case.sites] == [1, 0, 0, 0]


class Averages(Training):
    """The same training by averages; what its sites draw is fixed, so that two of its runs can be compared."""

    averaging = Averaging(LOCAL_STEPS)

    def entropy(self, place: int) -> Entropy:
        return KeyedEntropy(bytes([place]) * 32)


def test_averages_go_on_after_the_last_to_the_model_that_they_would_have_been(files, tmp_path, monkeypatch):
    monkeypatch.setattr(local_runs, "SYSTEM", Fixed())
    (tmp_path / "whole").mkdir()
    whole = Averages([Path(shutil.copy(path, tmp_path / "whole")) for path in files])
    expected, rounds = whole.run()
    assert rounds == RUNS + 2
    case = Averages(files)
    with monkeypatch.context() as patch:
        asked = stopping(patch, "added_changes", RUNS, before=True)
        with pytest.raises(Stopped):
            case.run()
    assert len(asked) == RUNS
    first = case.coordinator
    files[0].with_name(f"{files[0].name}.ledger.prepaid-1").unlink()  # that site pays for the rest again
    with monkeypatch.context() as patch:
        again = stopping(patch, "added_changes", RUNS, before=True)
        assert case.run() == (expected, rounds)
    assert len(again) == 1
    assert case.coordinator[: len(first)] == first
    assert case.coordinator == whole.coordinator, "no local step is charged twice"
    paid = [[event.count for event in events if is_training(event)] for events in case.sites]  # type: ignore[union-attr]
    every, last = (RUNS + SPARE_RUNS) * LOCAL_STEPS, (1 + SPARE_RUNS) * LOCAL_STEPS
    assert paid == [[every, last], *[[every]] * 3]


def test_an_average_that_was_lost_is_made_again_of_runs_that_are_paid_for(files, monkeypatch):
    case = Averages(files)
    with monkeypatch.context() as patch:
        stopping(patch, "added_changes", 2, before=False)
        with pytest.raises(Stopped):
            case.run()
    paid = case.sites
    with monkeypatch.context() as patch:
        again = stopping(patch, "added_changes", STEPS, before=True)
        _, rounds = case.run()
    assert len(again) == RUNS - 1
    assert rounds == RUNS + 2
    assert [len(events) - len(before) for events, before in zip(case.sites, paid, strict=True)] == [1] * 4, "a count"


def test_answers_of_another_plan_are_not_taken(files, monkeypatch):
    case = Case(files, "independent")
    with monkeypatch.context() as patch:
        stopping(patch, "opened", 1, before=False)
        with pytest.raises(Stopped):
            case.run()
    case.paths, case.keys = files[:3], KEYS[:3]
    with pytest.raises(CheckpointError, match="sites that agreed on another plan"):
        case.run()
    case.paths, case.keys = files, KEYS
    assert case.run()[1].resumed
