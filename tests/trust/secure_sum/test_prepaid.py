"""Steps that were prepaid outlive a restart, and no older copy of a file lets more through than were paid for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.trust.secure_sum.simulated import Simulated

from sfumato.errors import FederationError
from sfumato.privacy.events import DistributedGaussian, PoissonSampledGaussian
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.prepaid import PrepaidSteps, prepaid_file
from sfumato.trust.secure_sum.terms import RoundNumber

STEP = DistributedGaussian(2.0**20, 4, 2.0**16, sampling_probability=0.1, tail=1e-9)
OTHER = replace(STEP, scale=2.0**21)
RUN = PoissonSampledGaussian(0.01, 20.0, 5, tail=1e-9)


class Site:
    """An account over a ledger in a file, which may be started again."""

    def __init__(self, folder: Path) -> None:
        self.path, self.terms = folder / "a.ledger", Simulated(rounds=20, attempts=2).terms
        self.run = Ledger.open(self.path).begin(Guarantee(3.0, 1e-6), "federation")
        found = prepaid_file(self.path, self.run)
        assert found is not None
        self.file = found
        self.start()

    def start(self) -> None:
        self.account = SiteAccount(self.run, self.terms, 0, self.file)

    def restart(self) -> None:
        self.run.release()
        self.run = Ledger.open(self.path).resume(self.run.id)
        self.start()

    def take(self, round_: int) -> None:
        self.account.charge(RoundNumber(round_), training=STEP)

    def left(self) -> int:
        return PrepaidSteps(self.run, self.file).left(STEP)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.account.prepay_steps(STEP, 5, 2)
    return made


def test_what_was_paid_and_not_taken_is_there_after_a_restart(site: Site) -> None:
    for round_ in (1, 2, 3):
        site.take(round_)
    site.restart()
    assert site.left() == 4
    site.account.prepay_steps(STEP, 4, 2)
    assert site.run.events == (replace(STEP, count=7),), "nothing is paid again"
    site.account.prepay_steps(STEP, 5, 2)
    assert site.run.events[1:] == (replace(STEP, count=3),), "but what is missing, and spare ones"
    for round_ in range(4, 11):
        site.take(round_)
    with pytest.raises(FederationError, match="nothing is left"):
        site.take(11)


def test_runs_of_several_steps_are_counted_as_runs(site: Site) -> None:
    site.account.prepay_steps(RUN, 3, 1)
    assert site.run.events[1:] == (replace(RUN, count=4 * RUN.count),)
    forged = site.file.read_text(encoding="utf-8").replace("4]]", "20]]")
    site.file.write_text(forged, encoding="utf-8")
    site.restart()
    for round_ in (1, 2, 3, 4):
        site.account.charge(RoundNumber(round_), training=RUN)
    with pytest.raises(FederationError, match="nothing is left"):
        site.account.charge(RoundNumber(5), training=RUN)


def test_an_older_copy_of_the_file_loses_steps_and_gains_none(site: Site) -> None:
    older = site.file.read_bytes()
    for round_ in (1, 2, 3):
        site.take(round_)
    site.file.write_bytes(older)
    site.restart()
    assert site.left() == 7 - 5, "each number since may have been a step: two attempts a round"


def test_a_step_that_was_noted_in_the_ledger_alone_is_taken(site: Site) -> None:
    """The process ends between the two files."""
    site.take(1)
    site.run.begin_steps(2)
    site.restart()
    assert site.left() == 5


def test_an_older_copy_of_the_ledger_bears_nothing_out(site: Site) -> None:
    site.run.release()
    older = site.path.read_bytes()
    site.restart()
    site.take(1)
    site.account.prepay_steps(OTHER, 3, 0)
    site.run.release()
    site.path.write_bytes(older)
    site.run = Ledger.open(site.path).resume(site.run.id)
    found = PrepaidSteps(site.run, site.file)
    assert (found.left(STEP), found.left(OTHER)) == (0, 0)


def test_steps_that_no_charge_paid_for_are_not_believed(site: Site) -> None:
    forged = site.file.read_text(encoding="utf-8").replace("7]]", "700]]")
    site.file.write_text(forged, encoding="utf-8")
    assert site.left() == 7
    site.file.write_text(forged.replace('"run": 1', '"run": 2'), encoding="utf-8")
    assert site.left() == 0


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"ledger": 3}'])
def test_a_damaged_file_forgets_what_was_prepaid(site: Site, content: bytes) -> None:
    site.file.write_bytes(content)
    assert site.left() == 0
