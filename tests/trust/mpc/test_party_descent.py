"""A training of parties: coins of all, who is drawn, and what a party refuses before it shares a row."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.guarantees.boundless import boundless_run
from tests.trust.parties import HELD, SCHEMA, parts_of, people

import sfumato.models  # noqa: F401 - installs what is made of records
from sfumato.errors import FederationError
from sfumato.privacy.events import DistributedGaussian
from sfumato.privacy.gradients import clipped_sum
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.party_training import PartyTraining
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.transport import InProcess, InThreads
from sfumato.trust.mpc.dealing import sealed_for
from sfumato.trust.mpc.engine.gradient_step import GradientProgram
from sfumato.trust.mpc.engine.run_order import OwnSecret, PublicInput
from sfumato.trust.mpc.engine_site import EngineSite
from sfumato.trust.mpc.party_session import Session
from sfumato.trust.mpc.party_site import PartySite
from sfumato.trust.mpc.secret_descent import ROWS, CoinBatches, SecretDescent
from sfumato.trust.mpc.split import VerticalSplit
from sfumato.trust.questions import Descent, GradientStep
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.one_use import sealed_once
from sfumato.trust.secure_sum.roster import Member, Roster

PERSONS = 40
RATE = math.floor(0.25 * 2**32) / 2**32
TRAINING = PartyTraining(0.2, 6, RATE)
PROMISE = Guarantee(2.0, 1e-6)


class NoEngine:
    """A session of which nothing is asked."""

    def connect(self) -> None:
        """Nobody is waited for."""

    def kill(self) -> None:
        """There is none."""

    def run(self, *_: object) -> Any:
        raise AssertionError("something was shared")


class Trio:
    """Three parties that were set up and have found each other's engines, and the plan that they signed."""

    def __init__(self, session: Callable[[int], Session] = lambda _: NoEngine()) -> None:
        keys = [SiteIdentity.fresh() for _ in HELD]
        members = tuple(Member(f"party-{i}", key.public_key) for i, key in enumerate(keys))
        split = VerticalSplit("who", HELD, "0" * 64, PERSONS, training=TRAINING)
        asked = ("count", "marginals", "descent")
        self.plan = FederationPlan(SCHEMA, "gan", PROMISE, Roster(members), asked, rounds=8, attempts=1, split=split)
        own = self.plan.at_a_site.epsilon
        self.runs = [boundless_run(f"party {i}", own) for i in range(3)]
        self.sites = [
            EngineSite(self.plan, key, records, SiteAccount(run, self.plan.terms, place), partial(session, place))
            for place, (key, records, run) in enumerate(zip(keys, parts_of(people(PERSONS)), self.runs, strict=True))
        ]
        self.rounds = SecureRounds(self.plan, InThreads(self.sites))
        self.rounds.set_up()
        for site in self.sites:
            site.call("engine", b"")

    def begun(self) -> list[bytes]:
        """What each party committed to."""
        return [site.call("descent", descent(self.plan).to_bytes()) for site in self.sites]


def descent(plan: FederationPlan, **other: object) -> Descent:
    noise = TRAINING.noise_multiplier(plan.guarantee)
    asked: dict[str, Any] = {"steps": TRAINING.steps, "rate": TRAINING.rate, "noise_multiplier": noise, "clip": 1.0}
    return Descent("critic of tables for shares", groups=1, capacity=ROWS, **{**asked, **other})


@pytest.fixture(scope="module")
def trio() -> Trio:
    return Trio()


def test_batches_are_poisson_samples_of_coins_and_nobody_is_drawn_too_often() -> None:
    training, persons = PartyTraining(0.1, 40, RATE), 4000
    batches = [CoinBatches(bytes(32), training, persons), CoinBatches(bytes(32), training, persons)]
    drawn = np.array([[np.isin(np.arange(persons), b.next()) for b in batches] for _ in range(training.steps)])
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 1])
    times = drawn[:, 0].sum(axis=0)
    assert times.mean() == pytest.approx(training.steps * RATE, rel=0.02)
    assert times.var() == pytest.approx(training.steps * RATE * (1 - RATE), rel=0.1)
    assert times.max() <= training.most
    other = CoinBatches(b"\1" * 32, training, persons).next()
    assert len(np.intersect1d(other, np.flatnonzero(drawn[0, 0]))) < 0.4 * len(other)


def test_whoever_was_drawn_as_often_as_is_paid_for_is_drawn_no_more() -> None:
    batches = CoinBatches(bytes(32), PartyTraining(0.1, 60, RATE), 50)
    batches._drawn[:25] = PartyTraining(0.1, 60, RATE).most
    assert min(np.concatenate([batches.next() for _ in range(10)])) >= 25


def test_what_a_recipe_draws_follows_from_coins_that_no_coordinator_knows() -> None:
    """One person less moves all others in the batch: whoever knew what is drawn at each place would see it."""
    one, same, other = (CoinBatches(bytes([seed]) * 32, TRAINING, 50) for seed in (1, 1, 2))
    keys = []
    for batches in (one, same, other, one):
        batches.next()
        keys.append(tuple(batches.key.tolist()))
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_each_part_of_a_batch_is_rounded_by_itself_and_counts_in_what_a_record_moves() -> None:
    trio = Trio()
    split = trio.plan.split
    assert split is not None
    many = replace(trio.plan, split=replace(split, number=1000))
    few, more = (SecretDescent(descent(plan), plan) for plan in (trio.plan, many))
    parts = more.drawn // ROWS
    assert (few.drawn // ROWS, parts) == (1, 2)
    apart = more.event.sensitivity - few.event.sensitivity
    assert apart == pytest.approx(2 * math.sqrt(few.numbers) * (parts - 1))


def test_coins_are_the_same_for_all_and_hidden_from_whoever_carries_them(trio: Trio) -> None:
    committed = trio.begun()
    sealed = {p: site.call("reveal", b"".join(committed)) for p, site in enumerate(trio.sites)}
    for place, site in enumerate(trio.sites):
        site.call("toss", sealed_for(sealed, place))
    coins = {site._training._batches._coins for site in trio.sites}  # type: ignore[union-attr]
    assert len(coins) == 1
    seeds = [site._training._seed for site in trio.sites]  # type: ignore[union-attr]
    carried = b"".join((*committed, *sealed.values()))
    assert not any(seed in carried for seed in (*seeds, *coins))


def test_a_coordinator_that_would_choose_the_coins_is_refused(trio: Trio) -> None:
    """It puts its own commitment in the place of a party's, or hands on a seed that nobody committed to."""
    committed = trio.begun()
    with pytest.raises(FederationError, match="committed to another seed"):
        trio.sites[0].call("reveal", b"".join((committed[1], *committed[1:])))
    sealed = {p: site.call("reveal", b"".join(committed)) for p, site in enumerate(trio.sites)}
    forged = {**sealed, 1: bytes(len(sealed[1]))}
    with pytest.raises(FederationError, match="cannot be opened"):
        trio.sites[0].call("toss", sealed_for(forged, 0))


def test_a_party_that_changes_its_seed_after_it_saw_others_is_found(trio: Trio) -> None:
    committed = trio.begun()
    training = trio.sites[1]._training
    assert training is not None
    training._seed, true = bytes(32), training._seed
    with pytest.raises(FederationError, match="committed to another seed"):
        training.reveal(b"".join(committed))
    training._seed = true
    training.reveal(b"".join(committed))
    training._seed = bytes(32)
    place, others = 1, (0, 2)
    sealed = {p: trio.sites[p].call("reveal", b"".join(committed)) for p in others}
    sealed[place] = b"".join(sealed_once(training._key(place, p), training._seed, b"".join(committed)) for p in others)
    with pytest.raises(FederationError, match="another seed than it had committed to"):
        trio.sites[0].call("toss", sealed_for(sealed, 0))


def test_a_party_pays_for_all_steps_as_toward_another_before_the_first(trio: Trio) -> None:
    before = [len(run.events) for run in trio.runs]
    trio.begun()
    secret = SecretDescent(descent(trio.plan), trio.plan)
    for run, paid in zip(trio.runs, before, strict=True):
        (event,) = run.events[paid:]
        assert isinstance(event, DistributedGaussian)
        assert event.sampling_probability == 1
        assert event.count == TRAINING.most
        assert event.sensitivity == 2 * secret.event.sensitivity
        assert event.noise_multiplier * 2 >= TRAINING.noise_multiplier(PROMISE)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"steps": 7}, "other steps or batches"),
        ({"rate": 0.5}, "other steps or batches"),
        ({"noise_multiplier": 0.01}, "less noise"),
        ({"clip": 4.5}, "clipped above"),
        ({"clip": 1e-5}, "clipped above"),
    ],
)
def test_a_training_that_is_not_that_of_the_plan_is_refused(trio: Trio, other: dict[str, object], said: str) -> None:
    before = trio.runs[0].events
    with pytest.raises(FederationError, match=said):
        trio.sites[0].call("descent", descent(trio.plan, **other).to_bytes())
    assert trio.runs[0].events == before


def test_a_recipe_that_looks_into_records_is_refused(trio: Trio) -> None:
    usual = replace(descent(trio.plan), recipe="critic of tables")
    with pytest.raises(FederationError, match="made for shares"):
        trio.sites[0].call("descent", usual.to_bytes())


def test_steps_come_in_order_and_after_the_coins() -> None:
    trio = Trio()
    committed = trio.begun()
    training = trio.sites[0]._training
    assert training is not None
    numbers, digest = training.secret.numbers, training.secret.descent.digest
    first = GradientStep(digest, 0, np.zeros(numbers, np.float32), bytes(32))
    with pytest.raises(FederationError, match="coins were not tossed"):
        training.check(first)
    sealed = {p: site.call("reveal", b"".join(committed)) for p, site in enumerate(trio.sites)}
    trio.sites[0].call("toss", sealed_for(sealed, 0))
    with pytest.raises(FederationError, match="not the next step"):
        training.check(replace(first, step=1))
    huge = np.full(numbers, 1e5, np.float32)
    with pytest.raises(FederationError, match="arithmetic on shares is wrong"):
        training.check(replace(first, parameters=huge))
    training._next = 1  # also later: parameters are the coordinator's choice in each step
    with pytest.raises(FederationError, match="arithmetic on shares is wrong"):
        training.check(replace(first, step=1, parameters=huge))


def test_without_an_engine_a_party_trains_nothing() -> None:
    trio = Trio()
    trio.sites[2].close()
    with pytest.raises(FederationError, match="has no engine"):
        trio.sites[2].call("descent", descent(trio.plan).to_bytes())
    plain = [
        PartySite(trio.plan, site._identity, records, SiteAccount(run, trio.plan.terms, place))
        for place, (site, records, run) in enumerate(zip(trio.sites, parts_of(people(PERSONS)), trio.runs, strict=True))
    ]
    rounds = SecureRounds(trio.plan, InProcess(plain))
    rounds.set_up()
    before = [run.events for run in trio.runs]
    with pytest.raises(FederationError, match="has no engine"):
        rounds.begin_secret_descent(descent(trio.plan).to_bytes())
    assert [run.events for run in trio.runs] == before


class PlainEngine:
    """The sessions of three parties with an engine that computes in the open: all give before any gets a part."""

    def __init__(self) -> None:
        self.given: dict[int, Any] = {}
        self.barrier, self.parts = threading.Barrier(3, self.compute, 60), np.zeros((3, 0), np.uint64)
        self.function: Any = None

    def compute(self) -> None:
        first = self.given[0]
        arrays = []
        for place, argument in enumerate(first):
            if isinstance(argument, PublicInput):
                arrays.append(argument.array)
            else:
                (own,) = (a[place].array for a in self.given.values() if isinstance(a[place], OwnSecret))
                arrays.append(own)
        whole = np.rint(np.float64(self.function(*arrays)) * 2**18).astype(np.int64)
        masks = np.random.default_rng().integers(0, 2**63, (2, whole.size)).astype(np.uint64)
        self.parts = np.stack([*masks, whole.view(np.uint64) - masks[0] - masks[1]])

    def run(self, rank: int, arguments: Any) -> list[np.ndarray]:
        self.given[rank] = arguments
        self.barrier.wait()
        return [self.parts[rank]]


class PlainSession:
    """Of one party."""

    def __init__(self, engine: PlainEngine, rank: int) -> None:
        self.engine, self.rank = engine, rank

    def connect(self) -> None:
        """All are there."""

    def kill(self) -> None:
        """Nothing is left open."""

    def run(self, program: Any, arguments: Any, results: Any, subject: bytes) -> list[np.ndarray]:
        return self.engine.run(self.rank, arguments)


def test_a_step_opens_the_sum_over_the_batch_with_the_noise_of_all_three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a party left its share out the spread would be by a fifth too small."""
    engine = PlainEngine()
    trio = Trio(partial(PlainSession, engine))
    asked, rounds = descent(trio.plan), trio.rounds
    rounds.begin_secret_descent(asked.to_bytes())
    secret = SecretDescent(asked, trio.plan)
    rng = np.random.default_rng(0)
    parameters = rng.normal(0, 0.3, secret.numbers).astype(np.float32)
    engine.function = jax.jit(secret.program.function)
    training = trio.sites[0]._training
    assert training is not None
    assert training._batches is not None
    batches = CoinBatches(training._batches._coins, TRAINING, PERSONS)
    drawn, keys, public = batches.next(), [], GradientProgram.public

    def seen(self: GradientProgram, network: Any, key: jax.Array) -> list[np.ndarray]:
        keys.append(tuple(key.tolist()))
        return public(self, network, key)

    monkeypatch.setattr(GradientProgram, "public", seen)
    step = GradientStep(asked.digest, 0, parameters, bytes(32))
    opened = rounds.opened_step(step, secret.numbers)
    assert set(keys) - {(0, 0)} == {tuple(jax.random.fold_in(batches.key, 0).tolist())}  # simulated rows have zeros
    network = secret.program.objective.tree(jnp.asarray(parameters))
    objective = secret.program.objective
    records = objective.prepare(jnp.asarray(people(PERSONS)[drawn]), jax.random.PRNGKey(0))
    plain = clipped_sum(objective.loss, network, records, jnp.ones(len(drawn), bool), 1.0)
    apart = opened / 2**18 - np.asarray(objective.flat(plain))
    wide = secret.noise.deviation(3) / 2**18
    assert np.std(apart) == pytest.approx(wide, rel=0.08)
    assert abs(np.mean(apart)) < 5 * wide / math.sqrt(secret.numbers)
    with pytest.raises(FederationError, match="not the next step"):
        rounds.opened_step(step, secret.numbers)
