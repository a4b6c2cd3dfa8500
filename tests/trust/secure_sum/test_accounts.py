"""A site's own account: charged before anything leaves, never given back, refused past the cap whatever is asked."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.trust.secure_sum.simulated import SUBJECT, Simulated, identities, roster_of

from sfumato.errors import FederationError, LedgerError, Overdraft
from sfumato.privacy.events import DistributedDiscreteGaussian, DistributedGaussian
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger, Run
from sfumato.privacy.randomness import Entropy
from sfumato.privacy.spending import limit, mu_squared
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.sum_coordinator import SumCoordinator
from sfumato.trust.secure_sum.sum_site import SumSite
from sfumato.trust.secure_sum.terms import RoundNumber, SumTerms

PROMISE = Guarantee(1.0, 1e-6)
TABLE = DistributedDiscreteGaussian(20.0, 4)
"""Sigma 40: some eighty of them fit the promise."""
ONE, RETRY, TWO = RoundNumber(1), RoundNumber(1, 2), RoundNumber(2)


def zeros(entropy: Entropy) -> np.ndarray:
    return np.zeros(4, int)


def account_of(run: Simulated, ledger: Ledger, place: int = 0) -> SiteAccount:
    return SiteAccount(ledger.begin(PROMISE, "federation"), run.terms, place)


def test_the_charge_is_there_before_the_rows_are_read() -> None:
    run, ledger = Simulated(), Ledger.open()
    own = ledger.begin(PROMISE, "federation")
    account, seen = SiteAccount(own, run.terms, 0), []

    def reads(entropy: Entropy) -> np.ndarray:
        seen.append((own.events, own.steps))
        return zeros(entropy)

    account.answer(run.sites[0], ONE, SUBJECT, reads, [TABLE])
    account.answer(run.sites[0], RETRY, SUBJECT, reads, [TABLE])
    assert seen == [((TABLE,), 1), ((TABLE, TABLE), 2)], "a retry is another charge"


def test_a_charge_that_comes_after_is_noticed() -> None:
    """Planted: an account that makes the answer first."""

    class Late(SiteAccount):
        def answer(self, site, number, subject, noised, events=()):
            values = noised(site.entropy(number, subject))
            self.charge(number, events)
            return site.masked(number, subject, values)

    run, ledger = Simulated(), Ledger.open()
    own, seen = ledger.begin(PROMISE, "federation"), []
    Late(own, run.terms, 0).answer(run.sites[0], ONE, SUBJECT, lambda _: seen.append(own.events) or zeros(_), [TABLE])
    assert seen == [()]


def test_past_the_cap_nothing_is_read_or_sent_whatever_the_coordinator_asks() -> None:
    run = Simulated(rounds=100, attempts=1)
    account, answers = account_of(run, Ledger.open()), 0
    for turn in range(1, 101):
        try:
            account.answer(run.sites[0], RoundNumber(turn), SUBJECT, zeros, [TABLE])
        except Overdraft:
            break
        answers += 1
    assert answers == int(limit(PROMISE).mu_squared / mu_squared(TABLE))
    refused = RoundNumber(answers + 1)

    def never(entropy: Entropy) -> np.ndarray:
        raise AssertionError("rows were read")

    for number in (refused, RoundNumber(answers + 2)):  # the refused number is used up as well
        with pytest.raises((Overdraft, FederationError)):
            account.answer(run.sites[0], number, SUBJECT, never, [TABLE])


def test_nothing_is_given_back() -> None:
    run, ledger = Simulated(), Ledger.open()
    own = ledger.begin(PROMISE, "federation")
    account = SiteAccount(own, run.terms, 0)

    def fails(entropy: Entropy) -> np.ndarray:
        raise OSError("the disk went away")

    with pytest.raises(OSError, match="went away"):
        account.answer(run.sites[0], ONE, SUBJECT, fails, [TABLE])
    assert own.events == (TABLE,)
    with pytest.raises(FederationError, match="the ledger says that it was used"):
        account.charge(ONE, [TABLE])
    assert own.events == (TABLE,)


def test_a_round_that_nobody_pays_for() -> None:
    run = Simulated()
    with pytest.raises(FederationError, match="under a guarantee every answer has an event"):
        account_of(run, Ledger.open()).answer(run.sites[0], ONE, SUBJECT, zeros)
    free = SiteAccount(Ledger.open().begin(Guarantee(float("inf")), "no guarantee"), run.terms, 0)
    assert free.answer(run.sites[0], ONE, SUBJECT, zeros)


def test_a_training_is_paid_whole_retries_included() -> None:
    run, ledger = Simulated(rounds=3, attempts=2), Ledger.open()
    own = ledger.begin(PROMISE, "federation")
    account = SiteAccount(own, run.terms, 0)
    training = DistributedGaussian(2.0**20, 4, 2.0**16, sampling_probability=0.1, tail=1e-9)
    account.prepay_steps(training, 2, 1)
    with pytest.raises(FederationError, match="under a guarantee every answer has an event"):
        account.charge(ONE)  # what is prepaid pays for its own steps alone
    with pytest.raises(FederationError, match="nothing is left of what was prepaid"):
        account.charge(RETRY, training=replace(training, scale=2.0**21))
    for number in (TWO, RoundNumber(2, 2), RoundNumber(3)):
        account.answer(run.sites[0], number, SUBJECT, zeros, training=training)
    with pytest.raises(FederationError, match="nothing is left of what was prepaid"):
        account.answer(run.sites[0], RoundNumber(3, 2), SUBJECT, zeros, training=training)
    assert own.events == (replace(training, count=3),)
    with pytest.raises(Overdraft):
        account.prepay_steps(DistributedGaussian(2.0**20, 4, 2.0**21), 1, 0)


def in_child(act: Callable[[], None]) -> int:
    """Run ``act`` in a process of its own; what it ended by."""
    child = os.fork()
    if child == 0:
        act()
        os._exit(0)
    return os.waitpid(child, 0)[1]


def resumed(path: Path) -> Run:
    return Ledger.open(path).resume(1)


@pytest.mark.filterwarnings("ignore:.*fork:RuntimeWarning", "ignore:.*fork:DeprecationWarning")  # other tests' threads
def test_a_kill_between_charge_and_answer_loses_no_charge(tmp_path: Path) -> None:
    run, path = Simulated(), tmp_path / "a.ledger"

    def killed(entropy: Entropy) -> np.ndarray:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    assert in_child(lambda: _answer_in(path, run, killed)) == signal.SIGKILL
    again = resumed(path)
    assert again.events == (TABLE,)
    account = SiteAccount(again, run.terms, 0)
    with pytest.raises(FederationError, match="the ledger says that it was used"):
        account.charge(ONE, [TABLE])
    account.charge(RETRY, [TABLE])
    assert again.events == (TABLE, TABLE)


def _answer_in(path: Path, run: Simulated, noised: Callable[[Entropy], np.ndarray]) -> None:
    account_of(run, Ledger.open(path)).answer(run.sites[0], ONE, SUBJECT, noised, [TABLE])


class Restarted:
    """Three sites with ledgers in files, whose processes may end and begin again."""

    def __init__(self, folder: Path, witnesses: bool = True) -> None:
        self.keys, self.witnesses = identities(3), witnesses
        self.terms = SumTerms(bytes(32), roster_of(self.keys), 9, 2)
        self.paths = [folder / f"{place}.ledger" for place in range(3)]
        runs = [Ledger.open(path).begin(PROMISE, "federation") for path in self.paths]
        self.accounts = [SiteAccount(run, self.terms, place) for place, run in enumerate(runs)]
        self.runs = runs

    def set_up(self) -> None:
        seen = [account.answered if self.witnesses else {} for account in self.accounts]
        self.sites = [SumSite(self.terms, key, answered=a) for key, a in zip(self.keys, seen, strict=True)]
        self.coordinator = SumCoordinator(self.terms)
        keys = self.coordinator.keys({s.place: s.key() for s in self.sites})
        deliveries = self.coordinator.deliveries({s.place: s.shares(keys) for s in self.sites})
        for site in self.sites:
            site.receive(deliveries[site.place])

    def round(self, number: RoundNumber) -> np.ndarray:
        opening = self.coordinator.opening(number, SUBJECT, 4)
        for site, account in zip(self.sites, self.accounts, strict=True):
            opening.add(site.place, account.answer(site, number, SUBJECT, zeros, [TABLE]))
        survivors = opening.listed()
        consents = opening.consents({s.place: s.consent(survivors) for s in self.sites})
        return opening.opened({s.place: s.unmask(consents) for s in self.sites})

    def restart(self, place: int, copy: Path | None = None) -> None:
        """The process of a site ends and begins again, with its ledger, or with a copy that was put in its place."""
        self.runs[place].release()
        if copy is not None:
            shutil.copy(copy, self.paths[place])
        run = Ledger.open(self.paths[place]).resume(1)
        self.runs[place], self.accounts[place] = run, SiteAccount(run, self.terms, place)


def test_a_restarted_site_goes_on_where_its_ledger_is(tmp_path: Path) -> None:
    federation = Restarted(tmp_path)
    federation.set_up()
    federation.round(ONE)
    federation.restart(1)
    federation.set_up()
    with pytest.raises(FederationError, match="was begun, or passed over"):
        federation.round(ONE)
    federation.coordinator._last = -1  # as one that heeds no signed number
    with pytest.raises(FederationError, match="was used, or passed over"):
        federation.round(ONE)
    federation.set_up()
    federation.round(TWO)
    assert all(len(run.events) == 2 for run in federation.runs)


def test_a_restored_snapshot_of_a_ledger_and_its_process_is_refused(tmp_path: Path) -> None:
    """Its charges are fewer than what left the site; the other sites saw it take part."""
    federation = Restarted(tmp_path)
    federation.set_up()
    federation.round(ONE)
    federation.runs[2].release()
    snapshot = shutil.copy(federation.paths[2], tmp_path / "snapshot")
    federation.restart(2)
    federation.set_up()
    federation.round(TWO)
    federation.restart(2, Path(snapshot))
    assert len(federation.runs[2].events) == 1
    with pytest.raises(FederationError, match=r"site-2 says that it has used 1 numbers .* its ledger is an older copy"):
        federation.set_up()


def test_without_witnesses_a_restored_snapshot_would_answer_again(tmp_path: Path) -> None:
    """Planted: sites that forget whom they saw."""
    federation = Restarted(tmp_path, witnesses=False)
    federation.set_up()
    federation.round(ONE)
    for place in range(3):
        federation.runs[place].release()
    copies = [Path(shutil.copy(p, tmp_path / f"copy{i}")) for i, p in enumerate(federation.paths)]
    for place in range(3):
        federation.restart(place)
    federation.set_up()
    federation.round(TWO)
    federation.restart(2, copies[2])
    federation.set_up()
    federation.round(RoundNumber(3))
    assert [len(run.events) for run in federation.runs] == [3, 3, 2], "one charge of site 2 is forgotten"


def test_two_processes_do_not_hold_one_account(tmp_path: Path) -> None:
    path = tmp_path / "a.ledger"
    run = Simulated()
    first = account_of(run, Ledger.open(path))
    first.charge(ONE, [TABLE])
    with pytest.raises(LedgerError, match="still goes on"):
        Ledger.open(path).resume(1)
