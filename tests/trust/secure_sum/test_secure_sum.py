"""The secure sum gives the exact sum of the survivors or nothing, and earlier rounds stay closed."""

from __future__ import annotations

import os
import random
from itertools import product

import numpy as np
import pytest
from scipy.stats import chisquare
from tests.trust.secure_sum.simulated import SUBJECT, Places, Simulated, revealed

from sfumato.errors import FederationError
from sfumato.privacy.mechanisms.discrete_gaussian import draw
from sfumato.privacy.randomness import SeededEntropy
from sfumato.trust.secure_sum.messages import HEAD_BYTES, MessageKind, write, write_table
from sfumato.trust.secure_sum.run_keys import PairKeys
from sfumato.trust.secure_sum.sum_site import SumSite, _Pending
from sfumato.trust.secure_sum.terms import RoundNumber

ONE = RoundNumber(1)


@pytest.mark.parametrize(("sites", "lengths"), [(3, (1, 2, 65536, 65537)), (10, (1000,)), (50, (257,))])
@pytest.mark.parametrize("bits", [32, 64])
def test_the_sum_is_exact_and_wraps(sites: int, lengths: tuple[int, ...], bits: int) -> None:
    run = Simulated(sites, rounds=len(lengths), attempts=1, bits=bits)
    for turn, length in enumerate(lengths, 1):
        values = run.values(length, turn)
        assert (run.round(RoundNumber(turn), values) == run.exact(values)).all()


@pytest.mark.parametrize(
    ("sites", "curious", "threshold", "most"),
    [(3, 1, 3, 0), (4, 0, 3, 1), (5, 1, 4, 1), (10, 1, 6, 4), (50, 1, 26, 24), (50, 16, 34, 16)],
)
def test_so_many_may_be_lost_and_no_more(sites: int, curious: int, threshold: int, most: int) -> None:
    run = Simulated(sites, curious, most, rounds=2, attempts=1)
    assert run.terms.roster.threshold == threshold
    values, lost = run.values(3), tuple(range(most))
    assert (run.round(ONE, values, (lost, (), ())) == run.exact(values, lost)).all()
    with pytest.raises(FederationError, match="nothing is opened"):
        run.round(RoundNumber(2), values, ((*lost, most), (), ()))


def opens(run: Simulated, lost: tuple[Places, Places, Places]) -> bool:
    """Whether the protocol says that a round opens."""
    roster, sites = run.terms.roster, len(run.sites)
    first, second, third = map(len, lost)
    if first > roster.lost or sites - first - second - third < roster.threshold:
        return False
    return first == 0 or second + third == 0


def check_losses(run: Simulated, turn: int, lost: tuple[Places, Places, Places]) -> bool:
    """One round with these losses: exact over the survivors of its first stage, or nothing; True when it opened."""
    values = run.values(4, turn)
    try:
        opened = run.round(RoundNumber(turn), values, lost)
    except FederationError:
        assert not opens(run, lost)
        return False
    assert opens(run, lost)
    assert (opened == run.exact(values, lost[0])).all()
    return True


def test_any_sites_lost_at_any_stage_give_the_exact_sum_or_nothing() -> None:
    """All ways in which four sites can be lost at three stages."""
    run = Simulated(4, curious=0, lost=1, rounds=256, attempts=1)
    opened = 0
    for turn, stages in enumerate(product(range(4), repeat=4), 1):
        first, second, third = ([s for s, lost in enumerate(stages) if lost == stage] for stage in range(3))
        opened += check_losses(run, turn, (first, second, third))
    assert opened == 1 + 4 + 4 + 4  # nobody is lost, or one at one of the stages


def test_random_losses_among_ten() -> None:
    run, draw, opened = Simulated(10, curious=1, lost=4, rounds=60, attempts=1), random.Random(5), 0
    for turn in range(1, 61):
        order = draw.sample(range(10), 10)
        cuts = sorted(draw.choices([0, 0, 0, 1, 2, 4, 5], k=3))
        first, second, third = order[: cuts[0]], order[cuts[0] : cuts[1]], order[cuts[1] : cuts[2]]
        opened += check_losses(run, turn, (first, second, third))
    assert 10 < opened < 60


def test_sites_that_were_not_set_up_count_as_lost() -> None:
    run = Simulated(5, curious=0, lost=2, absent=(3,))
    values = run.values(5)
    assert (run.round(ONE, values, ((0,), (), ())) == run.exact(values, (0,))).all()
    with pytest.raises(FederationError, match=r"more than the 2|fewer than"):
        run.round(RoundNumber(2), values, ((0, 1), (), ()))
    with pytest.raises(FederationError, match="2 of 5 sites are there"):
        Simulated(5, curious=0, lost=2, absent=(1, 2, 3))


def seven_rounds(site: type[SumSite], in_round_seven: str) -> tuple[Simulated, dict[int, dict[int, np.ndarray]]]:
    """Six rounds with all, and a seventh in which the coordinator says that site 2 is lost, and has its vector."""
    run = Simulated(5, curious=1, lost=1, rounds=7, attempts=1, site=site)
    values = {turn: run.values(6, turn) for turn in range(1, 8)}
    for turn in range(1, 7):
        run.round(RoundNumber(turn), values[turn])
    run.round(RoundNumber(7), values[7], ((2,) if in_round_seven == "lost" else (), (), ()))
    return run, values


def opened_rounds(run: Simulated, values: dict[int, dict[int, np.ndarray]]) -> set[int]:
    """Rounds of which the coordinator, with all that it saw, opens the vector of site 2 alone."""
    tries = {turn: revealed(run, 2, RoundNumber(turn)) for turn in values}
    return {turn for turn, found in tries.items() if any((f == values[turn][2]).all() for f in found)}


class OneMaskForAllRounds(PairKeys):
    """Planted: pairs' masks that are reused over rounds."""

    def seed(self, number: RoundNumber, subject: bytes) -> bytes:
        return super().seed(ONE, subject)


class ReusesPairs(SumSite):
    """Planted: a site whose pairs' masks are of the run, as they are where a lost site's key is rebuilt."""

    def shares(self, keys: bytes) -> bytes:
        message = super().shares(keys)
        self._pairs = {p: OneMaskForAllRounds(pair._root, self.place, p) for p, pair in self._pairs.items()}
        return message


class ReusesItsOwn(SumSite):
    """Planted: a self-mask seed kept for the run."""

    def _sealed_shares(self) -> dict[int, bytes]:
        taken, self._entropy = self._entropy, Constant()
        sealed = super()._sealed_shares()
        self._entropy = taken
        return sealed


class Constant:
    def take(self, size: int) -> bytes:
        return bytes([7]) * size


class GivesBoth(SumSite):
    """Planted: a site that gives its shares of every site's own mask, also of the lost ones' whose seeds it gives."""

    def _opened(self, pending: _Pending, survivors: tuple[int, ...]) -> bytes:
        message, slot = super()._opened(pending, survivors), self.terms.slot(pending.number)
        both = {place: self._share(place, slot) for place in self._shares}
        seeds = {p: k.seed(pending.number, pending.subject) for p, k in self._pairs.items() if p not in survivors}
        self.leaked = write(self._head(MessageKind.UNMASK, pending.number), write_table(both) + write_table(seeds))
        return message


def test_a_loss_in_round_seven_opens_no_round() -> None:
    run, values = seven_rounds(SumSite, "lost")
    assert len(revealed(run, 2, RoundNumber(7))) == 6, "each of six own masks is tried with the pairs' seeds"
    assert opened_rounds(run, values) == set()


@pytest.mark.parametrize(("site", "opened"), [(ReusesPairs, {1, 2, 3, 4, 5, 6}), (ReusesItsOwn, {7})])
def test_masks_that_are_reused_are_found(site: type[SumSite], opened: set[int]) -> None:
    """The attack opens what a long-term secret of either kind would give away."""
    assert opened_rounds(*seven_rounds(site, "lost")) == opened


def test_both_shares_of_one_site_would_open_it() -> None:
    run, values = seven_rounds(GivesBoth, "lost")
    assert opened_rounds(run, values) == set()
    leaks = {place: site.leaked for place, site in run.sites.items() if isinstance(site, GivesBoth) and place != 2}
    run.seen[RoundNumber(7), "unmask"] = leaks
    assert opened_rounds(run, values) == {7}


def test_nobody_lost_opens_nothing_of_anybody() -> None:
    run, values = seven_rounds(SumSite, "all there")
    assert revealed(run, 2, RoundNumber(7)) == []
    assert opened_rounds(run, values) == set()


def test_vectors_look_uniform() -> None:
    """Bytes of masked zeros: chi-square over 256 values; wrong in one of a million runs."""
    run = Simulated(3, rounds=1, attempts=1)
    sent = run.sites[0].masked(ONE, SUBJECT, np.zeros(100_000, int))
    assert chisquare(np.bincount(np.frombuffer(sent[-400_000:], np.uint8), minlength=256)).pvalue > 1e-6


def test_two_runs_share_no_byte_string() -> None:
    """Fresh keys a run: no eight bytes of one run's set-up stand in another's, but for heads and members' places."""
    one, two = Simulated(3, rounds=1, attempts=1), Simulated(3, rounds=1, attempts=1)
    assert one.coordinator.run != two.coordinator.run
    values = one.values(50)
    one.round(ONE, values)
    two.round(ONE, values)
    for place in range(3):
        a, b = (run.seen[ONE, "vector"][place][-200:] for run in (one, two))
        assert not {a[i : i + 8] for i in range(192)} & {b[i : i + 8] for i in range(192)}


def test_fixed_entropy_gives_equal_transcripts() -> None:
    def transcript(seed: int) -> list[bytes]:
        run = Simulated(4, curious=0, lost=1, entropy=SeededEntropy(seed))
        run.round(ONE, run.values(9), ((2,), (), ()))
        return [*run.set_up, *(message for answers in run.seen.values() for message in answers.values())]

    assert transcript(3) == transcript(3)
    assert transcript(3) != transcript(4)


def noised(site: SumSite, values: np.ndarray) -> bytes:
    return site.masked(ONE, SUBJECT, values + draw(len(values), 9.0, site.entropy(ONE, SUBJECT)))


@pytest.mark.filterwarnings("ignore:.*fork:RuntimeWarning", "ignore:.*fork:DeprecationWarning")  # other tests' threads
def test_a_copied_process_says_the_same_again() -> None:
    """A snapshot of a running site, asked the question that the site itself has answered, shows no second answer."""
    run = Simulated(3, rounds=1, attempts=1)
    values = np.arange(100)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # the snapshot
        os.write(write, noised(run.sites[1], values))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as copied:
        said = copied.read()
    os.waitpid(child, 0)
    assert said == noised(run.sites[1], values)
    with pytest.raises(FederationError, match="was answered"):
        noised(run.sites[1], values)


def test_fresh_noise_in_a_copy_would_be_a_second_answer() -> None:
    """Planted: noise from the system's entropy. Under one mask, two vectors differ by what their noise differs."""
    run = Simulated(3, rounds=1, attempts=1)
    site, values = run.sites[1], np.arange(100)
    seeds = list(site._seeds)
    first = site.masked(ONE, SUBJECT, values + draw(100, 9.0))
    site._last, site._seeds = -1, seeds  # as a restored snapshot
    assert first != site.masked(ONE, SUBJECT, values + draw(100, 9.0))


def test_what_two_sites_were_asked_differently_does_not_open() -> None:
    """A coordinator that asks one site for less noise than another gets numbers without meaning, whoever consents."""
    run = Simulated(3, rounds=1, attempts=1)
    other = b"another question".ljust(32, b".")
    values = {place: np.zeros(50, int) for place in range(3)}
    opening = run.coordinator.opening(ONE, SUBJECT, 50)
    sent = {p: s.masked(ONE, other if p == 2 else SUBJECT, values[p]) for p, s in run.sites.items()}
    for place, message in sent.items():
        opening.add(place, message)
    assert set(opening.refused) == {2}
    with pytest.raises(FederationError, match="nothing is opened"):
        opening.listed()
    opening._add(2, sent[2][:HEAD_BYTES] + SUBJECT + sent[2][HEAD_BYTES + 32 :])  # as a lying coordinator would
    survivors = opening.listed()
    with pytest.raises(FederationError, match="2 sites are left"):  # each signs what it was asked
        opening.consents({p: s.consent(survivors) for p, s in run.sites.items()})
    opened = opening.opened({p: s._opened(s._asked(), (0, 1, 2)) for p, s in run.sites.items()})
    assert (opened != 0).mean() > 0.9
