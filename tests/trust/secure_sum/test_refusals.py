"""What a site refuses, whatever the coordinator says; each refusal is shown to be missing where its guard is."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tests.trust.secure_sum.simulated import SUBJECT, Simulated, identities, roster_of

from sfumato.errors import FederationError
from sfumato.privacy.randomness import SYSTEM
from sfumato.trust.secure_sum import messages, sum_site
from sfumato.trust.secure_sum.identity import SignaturePurpose, SiteIdentity
from sfumato.trust.secure_sum.messages import COORDINATOR, HEAD_BYTES, NO_RUN, Head, MessageKind, write, write_sites
from sfumato.trust.secure_sum.run_keys import KeyEntry, RunKey
from sfumato.trust.secure_sum.sum_coordinator import SumCoordinator
from sfumato.trust.secure_sum.sum_site import SumSite
from sfumato.trust.secure_sum.terms import RoundNumber, SumTerms

ONE, RETRY, TWO = RoundNumber(1), RoundNumber(1, 2), RoundNumber(2)
ZEROS = np.zeros(4, int)


def head(run: Simulated, kind: MessageKind, number: RoundNumber = ONE, sender: int = COORDINATOR) -> Head:
    return Head(kind, sender, run.terms.digest, run.coordinator.run, number)


def survivors_message(run: Simulated, places: tuple[int, ...], number: RoundNumber = ONE) -> bytes:
    return write(head(run, MessageKind.SURVIVORS, number), write_sites(places))


def answered(sites: int = 5, curious: int = 0, lost: int = 2) -> Simulated:
    """All sites have sent the vectors of round 1."""
    run = Simulated(sites, curious, lost)
    run.vectors(ONE, dict.fromkeys(range(sites), ZEROS))
    return run


def test_a_site_that_the_plan_does_not_name() -> None:
    keys = identities(3)
    terms = SumTerms(bytes(32), roster_of(keys), 1)
    with pytest.raises(FederationError, match=r"does not name the site with the key [0-9a-f]{64}"):
        SumSite(terms, SiteIdentity.fresh())


@pytest.mark.parametrize("number", [ONE, RoundNumber(1, 1)])
def test_a_replayed_round(number: RoundNumber) -> None:
    run = answered()
    with pytest.raises(FederationError, match="was answered, or passed over"):
        run.sites[0].masked(number, SUBJECT, ZEROS)


def test_a_number_below_one_that_was_answered() -> None:
    run = Simulated()
    run.sites[0].masked(TWO, SUBJECT, ZEROS)
    for number in (ONE, RETRY, TWO):
        with pytest.raises(FederationError, match="was answered, or passed over"):
            run.sites[0].masked(number, SUBJECT, ZEROS)
    assert run.sites[0].masked(RoundNumber(2, 2), SUBJECT, ZEROS)


@pytest.mark.parametrize(
    "number", [RoundNumber(0), RoundNumber(4), RoundNumber(1, 3), RoundNumber(1, 0), RoundNumber(-1)]
)
def test_a_number_that_the_plan_does_not_have(number: RoundNumber) -> None:
    run = Simulated(rounds=3, attempts=2)
    with pytest.raises(FederationError, match="the plan has 3 rounds of 2 attempts"):
        run.sites[0].masked(number, SUBJECT, ZEROS)
    with pytest.raises(FederationError, match="the plan has 3 rounds of 2 attempts"):
        run.coordinator.opening(number, SUBJECT, 4)


def test_a_retry_has_other_masks() -> None:
    run = Simulated()
    sent = [run.sites[0].masked(number, SUBJECT, ZEROS)[-16:] for number in (ONE, RETRY, TWO)]
    assert len(set(sent)) == 3


def test_the_masks_of_a_replay_would_be_the_same() -> None:
    """Planted: a site that answers a number twice; then two vectors differ by what their values differ."""
    run = Simulated()
    site, seeds = run.sites[0], list(run.sites[0]._seeds)
    first = site.masked(ONE, SUBJECT, ZEROS)
    site._last, site._seeds = -1, seeds
    second = site.masked(ONE, SUBJECT, ZEROS + 7)
    parts = (np.frombuffer(m[-16:], "<u4") for m in (second, first))
    assert (np.subtract(*parts) == 7).all()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros((1 << 17) + 1, int), "1 to 131072 numbers by the plan"),
        (np.zeros(0, int), "1 to 131072 numbers by the plan"),
        (np.zeros((2, 2), int), "1 to 131072 numbers by the plan"),
    ],
)
def test_absurd_sizes(values: np.ndarray, said: str) -> None:
    with pytest.raises(FederationError, match=said):
        Simulated().sites[0].masked(ONE, SUBJECT, values)


def test_real_numbers_and_short_subjects() -> None:
    site = Simulated().sites[0]
    with pytest.raises(ValueError, match="a secure sum adds whole numbers"):
        site.masked(ONE, SUBJECT, np.zeros(3))
    with pytest.raises(FederationError, match="a subject is a hash of 32 bytes, not 2"):
        site.masked(ONE, b"ab", ZEROS)


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ((1, 2, 3, 4), "lacks this site"),
        ((0, 1), "2 sites are left, fewer than the 3"),
        ((), "0 sites are left"),
        ((0, 1, 2, 3, 7), "names sites that the plan has not"),
    ],
)
def test_lists_of_survivors_that_no_site_signs(places: tuple[int, ...], said: str) -> None:
    run = answered()
    with pytest.raises(FederationError, match=said):
        run.sites[0].consent(survivors_message(run, places))


def test_more_lost_than_the_plan_allows() -> None:
    run = answered(lost=1)
    with pytest.raises(FederationError, match="2 sites are lost, more than the 1 that the plan allows"):
        run.sites[0].consent(survivors_message(run, (0, 1, 2)))
    assert run.sites[0].consent(survivors_message(run, (0, 1, 2, 3)))


def test_a_second_list_and_a_second_unmasking() -> None:
    run = answered()
    everybody, fewer = tuple(range(5)), (0, 1, 2, 3)
    consents = {p: s.consent(survivors_message(run, everybody)) for p, s in run.sites.items()}
    with pytest.raises(FederationError, match="it signs no second"):
        run.sites[0].consent(survivors_message(run, fewer))
    with pytest.raises(FederationError, match="it signs no second"):
        run.sites[0].consent(survivors_message(run, everybody))
    signed = write(
        head(run, MessageKind.CONSENTS), messages.write_table({p: c[HEAD_BYTES:] for p, c in consents.items()})
    )
    assert run.sites[0].unmask(signed)
    for again in (lambda: run.sites[0].unmask(signed), lambda: run.sites[0].consent(survivors_message(run, everybody))):
        with pytest.raises(FederationError, match="no round is open at this site"):
            again()


def two_lists(run: Simulated) -> list[Callable[[], bytes]]:
    """The coordinator tells sites 0 to 2 that 4 is lost, and the others that nobody is: how each would be unmasked."""
    told = {p: (0, 1, 2, 3) if p < 3 else (0, 1, 2, 3, 4) for p in run.sites}
    signed = {p: s.consent(survivors_message(run, told[p])) for p, s in run.sites.items()}
    body = messages.write_table({p: message[HEAD_BYTES:] for p, message in signed.items()})
    message = write(head(run, MessageKind.CONSENTS), body)
    few = write(head(run, MessageKind.CONSENTS), messages.write_table({p: signed[p][HEAD_BYTES:] for p in (3,)}))
    return [*(lambda s=run.sites[p]: s.unmask(message) for p in range(4)), lambda: run.sites[3].unmask(few)]


def test_inconsistent_lists_of_survivors() -> None:
    for unmasking in two_lists(answered()):
        with pytest.raises(FederationError, match=r"does not fit what it should|signatures; 3 are needed"):
            unmasking()


def test_lists_whose_signatures_nobody_checks_would_be_unmasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: sites that count signatures, and do not look at them."""
    monkeypatch.setattr(sum_site, "check_signature", lambda *_: None)
    *_, told_otherwise, _ = two_lists(answered())
    assert told_otherwise()


def test_unmasking_before_consent() -> None:
    run = answered()
    consents = write(head(run, MessageKind.CONSENTS), messages.write_table({}))
    with pytest.raises(FederationError, match="nothing is unmasked before this site has signed"):
        run.sites[0].unmask(consents)


def test_messages_of_another_plan_run_round_kind_or_sender() -> None:
    run, other = answered(), answered()
    everybody = (0, 1, 2, 3, 4)
    right = head(run, MessageKind.SURVIVORS)
    wrong = {
        "belongs to another plan": replace(right, terms=other.terms.digest),
        "belongs to another run": replace(right, run=other.coordinator.run),
        "belongs to another run, or": replace(right, run=NO_RUN),
        "is of round 1, attempt 2": replace(right, number=RETRY),
        "is of kind 8": replace(right, kind=MessageKind.CONSENTS),
        "names another sender": replace(right, sender=1),
    }
    for said, forged in wrong.items():
        with pytest.raises(FederationError, match=said):
            run.sites[0].consent(write(forged, write_sites(everybody)))
    assert run.sites[0].consent(write(right, write_sites(everybody)))


def test_a_coordinator_of_another_plan() -> None:
    keys = identities(3)
    one = SumTerms(bytes(32), roster_of(keys), 1)
    for other in (replace(one, plan=b"x" * 32), replace(one, rounds=2), replace(one, bits=64), replace(one, longest=9)):
        coordinator = SumCoordinator(other)
        with pytest.raises(FederationError, match="belongs to another plan"):
            coordinator.keys({p: SumSite(one, key).key() for p, key in enumerate(keys)})


def set_up(sites: int = 4) -> tuple[list[SumSite], SumCoordinator, dict[int, bytes], list[SiteIdentity]]:
    keys = identities(sites)
    terms = SumTerms(bytes(32), roster_of(keys, 0, 1), 1)
    made = [SumSite(terms, key) for key in keys]
    return made, SumCoordinator(terms), {s.place: s.key() for s in made}, keys


def keys_message(coordinator: SumCoordinator, entries: dict[int, bytes]) -> bytes:
    return write(Head(MessageKind.KEYS, COORDINATOR, coordinator.terms.digest), messages.write_table(entries))


def test_swapped_and_unregistered_keys() -> None:
    """The coordinator puts a key of its own in the place of site 1's, under every signature that it can make."""
    sites, coordinator, sent, keys = set_up()
    entries = {place: message[HEAD_BYTES:] for place, message in sent.items()}
    own, stranger = KeyEntry(RunKey(SYSTEM).public, 0), SiteIdentity.fresh()
    payload = own.payload(coordinator.terms, 1)
    forgeries = {
        "its own signature": stranger.sign(SignaturePurpose.KEYS, payload),
        "the old signature": KeyEntry.of(entries[1]).signature,
        "site 2's signature": keys[2].sign(SignaturePurpose.KEYS, payload),
        "site 1's signature for another purpose": keys[1].sign(SignaturePurpose.PLAN, payload),
        "site 1's signature in another place": keys[1].sign(SignaturePurpose.KEYS, own.payload(coordinator.terms, 2)),
        "zeros": bytes(64),
    }
    for name, signature in forgeries.items():
        forged = {**entries, 1: replace(own, signature=signature).to_bytes()}
        with pytest.raises(FederationError, match="signature of site site-1 does not fit") as caught:
            sites[0].shares(keys_message(coordinator, forged))
        assert keys[1].fingerprint in str(caught.value), name
    assert sites[0].shares(keys_message(coordinator, entries))


def test_lists_of_keys_that_are_none() -> None:
    sites, coordinator, sent, keys = set_up()
    entries = {place: message[HEAD_BYTES:] for place, message in sent.items()}

    def of_site_one(public: bytes) -> bytes:
        entry = KeyEntry(public, 0)
        signature = keys[1].sign(SignaturePurpose.KEYS, entry.payload(coordinator.terms, 1))
        return replace(entry, signature=signature).to_bytes()

    wrong = {
        "lacks this site's": {p: e for p, e in entries.items() if p != 0},
        "or holds another in its place": {**entries, 0: SumSite(coordinator.terms, keys[0]).key()[HEAD_BYTES:]},
        "2 of 4 sites are there, fewer than the 3": {p: entries[p] for p in (0, 1)},
        "the same key of this run": {**entries, 1: of_site_one(entries[2][:32])},
        "a key under which every secret is the same": {**entries, 1: of_site_one(bytes(32))},
    }
    for said, table in wrong.items():
        with pytest.raises(FederationError, match=said):
            sites[0].shares(keys_message(coordinator, table))


def test_shares_that_were_changed_swapped_or_left_out() -> None:
    sites, coordinator, sent, _ = set_up()
    keys = coordinator.keys(sent)
    deliveries = coordinator.deliveries({s.place: s.shares(keys) for s in sites})
    table = messages.whole_table(
        memoryview(deliveries[0])[HEAD_BYTES:], messages.sealed_bytes(coordinator.terms), coordinator.terms.sites
    )
    right = Head(MessageKind.DELIVERY, COORDINATOR, coordinator.terms.digest, coordinator.run)
    changed = {**table, 1: bytes([table[1][0] ^ 1]) + table[1][1:]}
    swapped = {1: table[2], 2: table[1], 3: table[3]}
    for wrong in (changed, swapped):
        with pytest.raises(FederationError, match="cannot be opened"):
            sites[0].receive(write(right, messages.write_table(wrong)))
    with pytest.raises(FederationError, match="shares of some site are missing"):
        sites[0].receive(write(right, messages.write_table({1: table[1], 2: table[2]})))
    with pytest.raises(FederationError, match="cannot be opened"):
        sites[1].receive(write(right, messages.write_table({0: table[1], 2: table[2], 3: table[3]})))


def test_steps_out_of_order() -> None:
    sites, coordinator, sent, keys = set_up()
    fresh = SumSite(coordinator.terms, keys[0])
    table = coordinator.keys(sent)
    for step in (lambda: fresh.shares(table), lambda: fresh.receive(b""), lambda: fresh.masked(ONE, SUBJECT, ZEROS)):
        with pytest.raises(FederationError, match="set up"):
            step()
    with pytest.raises(FederationError, match="has sent its key already"):
        sites[0].key()
    sites[0].shares(table)
    with pytest.raises(FederationError, match="set up anew"):
        sites[0].shares(table)
    with pytest.raises(FederationError, match="no round is open"):
        sites[0].consent(b"")
    with pytest.raises(FederationError, match="no shares of site-1, site-2, site-3 came; set up anew without"):
        coordinator.deliveries({0: b""})


def test_a_restarted_site_is_of_another_run() -> None:
    """New keys: what was said to the old process means nothing to it, and the run goes on without it or begins anew."""
    run = answered(lost=1)
    again = SumSite(run.terms, run.keys[2])
    assert again.key() not in run.set_up
    with pytest.raises(FederationError, match="set up"):
        again.masked(RETRY, SUBJECT, ZEROS)


def test_no_bytes_do_more_than_be_refused() -> None:
    """Any byte of a list of survivors changed, cut or added: an error of one line."""
    draw = random.Random(3)
    run = answered()
    right = survivors_message(run, (0, 1, 2, 3, 4))
    for _ in range(300):
        forged = bytearray(right)
        match draw.randrange(3):
            case 0:
                forged[draw.randrange(len(forged))] ^= 1 << draw.randrange(8)
            case 1:
                del forged[draw.randrange(len(forged)) :]
            case _:
                forged += bytes(draw.randrange(1, 2000))
        with pytest.raises(FederationError) as caught:
            run.sites[0].consent(bytes(forged))
        assert "\n" not in str(caught.value)
    assert run.sites[0].consent(right)


def test_a_long_message_is_not_read() -> None:
    run = answered()
    with pytest.raises(FederationError, match="more than any of its kind: not read"):
        run.sites[0].consent(survivors_message(run, (0, 1, 2, 3, 4)) + bytes(1 << 20))


def test_the_coordinator_loses_who_sends_nonsense() -> None:
    """A wrong vector, consent or share costs its site its place, and no other."""
    run = Simulated(5, 0, 2)
    values = run.values(4)
    opening = run.coordinator.opening(ONE, SUBJECT, 4)
    sent = {p: s.masked(ONE, SUBJECT, values[p]) for p, s in run.sites.items()}
    for place, message in {**sent, 1: sent[0], 3: sent[3][:-1]}.items():
        opening.add(place, message)
    assert set(opening.refused) == {1, 3}
    survivors = opening.listed()
    consents = {p: run.sites[p].consent(survivors) for p in (0, 2, 4)}
    with pytest.raises(FederationError, match="2 sites are left"):
        opening.consents({**consents, 2: consents[0]})
    signed = opening.consents(consents)
    answers = {p: run.sites[p].unmask(signed) for p in (0, 2, 4)}
    flipped = bytearray(answers[2])
    flipped[HEAD_BYTES + 10] ^= 1
    with pytest.raises(FederationError, match="mask are wrong; nothing is opened"):
        opening.opened({**answers, 2: bytes(flipped)})
    opened = opening.opened(answers)
    assert (opened.view("<i4") == run.exact(values, (1, 3))).all()
    opening.add(1, sent[1])
    assert "too late" in opening.refused[1]


def test_two_calls_at_once_use_a_number_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coordinator that asks for one number twice at the same moment; planted, a site without its lock."""

    class Slow(int):
        """A slot whose comparison waits for another call to get as far."""

        def __le__(self, other: int) -> bool:
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait()
            return int(self) <= other

    def answers(site: SumSite) -> int:
        got: list[bytes] = []

        def ask() -> None:
            with contextlib.suppress(FederationError):
                got.append(site.masked(ONE, SUBJECT, ZEROS))

        calls = [threading.Thread(target=ask) for _ in range(2)]
        for call in calls:
            call.start()
        for call in calls:
            call.join()
        return len(got)

    slot = SumTerms.slot
    monkeypatch.setattr(SumTerms, "slot", lambda terms, number: Slow(slot(terms, number)))
    run = Simulated(3)
    together = threading.Barrier(2, timeout=0.2)
    assert answers(run.sites[0]) == 1
    together = threading.Barrier(2, timeout=5)
    run.sites[1]._lock = contextlib.nullcontext()  # pyright: ignore[reportAttributeAccessIssue]
    assert answers(run.sites[1]) == 2
