"""A party of a training on shares: what it answers to a coordinator, in which order, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.trust.parties import HELD, SCHEMA, parts_of, people
from tests.trust.secure_sum.simulated import identities, roster_of

import sfumato as sf
from sfumato.errors import EngineError, FederationError
from sfumato.fitting.encrypted_fit import EncryptedFit, check_program
from sfumato.fitting.encrypted_party import EncryptedParty
from sfumato.fitting.encrypted_rounds import TRAIN, run_bytes, train
from sfumato.models.networks.coarse import FittedCoarse
from sfumato.progress import Silent
from sfumato.release.release import Release
from sfumato.trust.federated.agreement import sign_plan, write_signatures
from sfumato.trust.federated.transport import InProcess
from sfumato.trust.mpc.counting import PARTIES, Codes
from sfumato.trust.mpc.engine.run_order import OpenTo
from sfumato.trust.mpc.split import VerticalSplit

PERSONS, STEPS = 40, 50
IDENTITIES = identities(3)
ROSTER = roster_of(IDENTITIES)
RECEIVER = ROSTER.members[2].name
FIT = EncryptedFit.of(SCHEMA, ROSTER, VerticalSplit("who", HELD, "a" * 64, PERSONS), RECEIVER, STEPS)


class Silence:
    """In the place of an engine: it opens the first parameters to whoever the last ones are for."""

    def __init__(self, rank: int, fails: bool = False) -> None:
        self.rank, self.fails, self.over = rank, fails, ""

    def run(self, program, arguments, results):
        if self.fails:
            raise EngineError("east is gone")
        return [FIT.start if result == OpenTo(self.rank) else None for result in results]

    def close(self) -> None:
        self.over = "closed"

    def kill(self) -> None:
        self.over = "killed"


class Three:
    """Three parties in this process, and what each obtained."""

    def __init__(self, fails: int | None = None, fits: dict[int, EncryptedFit] | None = None) -> None:
        self.sessions = [Silence(rank, rank == fails) for rank in range(PARTIES)]
        self.obtained: list[list[np.ndarray]] = [[], [], []]
        self.parties = [self._party(rank, (fits or {}).get(rank, FIT)) for rank in range(PARTIES)]

    def _party(self, rank: int, fit: EncryptedFit) -> EncryptedParty:
        mine = [i for i, (place, _) in enumerate(fit.columns.owners) if place == rank]
        codes = Codes(tuple(np.zeros(PERSONS, np.uint8) for _ in mine), np.ones(PERSONS, bool))
        session = self.sessions[rank]
        return EncryptedParty(fit, IDENTITIES[rank], codes, lambda: session, self.obtained[rank].append)  # pyright: ignore


def signed() -> bytes:
    return write_signatures({place: sign_plan(FIT.plan, identity) for place, identity in enumerate(IDENTITIES)})


def test_the_receiver_alone_obtains_the_last_parameters() -> None:
    made = Three()
    transport = InProcess(made.parties)
    signatures = train(FIT.plan, transport, 1.0, Silent())
    assert [len(found) for found in made.obtained] == [0, 0, 1]
    assert [session.over for session in made.sessions] == ["closed"] * 3
    assert sorted(signatures) == [0, 1, 2]
    assert transport.sent == [64] * 3, "the coordinator is sent signatures, and nothing else"


def test_nothing_is_shared_before_all_have_signed_and_steps_come_in_order() -> None:
    party = Three().parties[0]
    with pytest.raises(FederationError, match="before all parties have signed"):
        party.call(TRAIN, run_bytes(0))
    party.call("agree", FIT.plan.digest)
    with pytest.raises(FederationError, match="these are not their signatures"):
        party.call("begin", signed()[:64])
    with pytest.raises(FederationError, match="before all parties have signed"):
        party.call(TRAIN, run_bytes(0))
    party.call("begin", signed())
    for wrong in (run_bytes(1), b"", b"0"):
        with pytest.raises(FederationError, match="once, in order"):
            party.call(TRAIN, wrong)
    for run in range(FIT.training.runs):
        party.call(TRAIN, run_bytes(run))
    with pytest.raises(FederationError, match="once, in order"):
        party.call(TRAIN, run_bytes(FIT.training.runs))


@pytest.mark.parametrize("method", ["masked", "count", "deal", "key", "facts", "open"])
def test_no_sum_is_opened(method: str) -> None:
    with pytest.raises(FederationError, match="no sum is opened"):
        Three().parties[0].call(method, b"")


def test_a_plan_that_names_another_receiver_at_one_party_is_refused() -> None:
    other = EncryptedFit.of(SCHEMA, ROSTER, FIT.plan.split, ROSTER.members[0].name, STEPS)  # type: ignore[arg-type]
    made = Three(fits={1: other})
    with pytest.raises(FederationError, match="another plan than the one that this party was given"):
        train(FIT.plan, InProcess(made.parties), 1.0, Silent())
    assert made.obtained == [[], [], []]


def test_where_one_engine_ends_the_training_ends_and_says_so() -> None:
    made = Three(fails=1)
    with pytest.raises(FederationError, match=f"before its time; {ROSTER.members[1].name}: east is gone"):
        train(FIT.plan, InProcess(made.parties), 1.0, Silent())
    assert made.sessions[1].over == "killed"
    assert made.obtained == [[], [], []]


def test_a_plan_of_another_program_is_refused() -> None:
    assert FIT.plan.encrypted is not None
    check_program(FIT, FIT.plan)
    with pytest.raises(FederationError, match="names another program than this party makes of it"):
        check_program(FIT, replace(FIT.plan, encrypted=replace(FIT.training, program="b" * 64)))


def test_what_was_trained_is_a_model_without_a_certificate(tmp_path) -> None:
    release = FIT.release(FIT.start)
    release.artifact().save(tmp_path / "model.sfm")
    again = Release.load(tmp_path / "model.sfm")
    assert isinstance(again.fitted, FittedCoarse)
    assert isinstance(again.certificate, sf.NoCertificate)
    assert f"WITHOUT differential privacy, for {RECEIVER} alone" in again.certificate.reason
    assert (again.guarantee.private, again.default_rows, again.choice.name) == (False, PERSONS, "vae")
    assert dict(again.choice.settings or {})["form"] == "shares"
    assert len(again.sample(30, None, 0)) == 30
    with pytest.raises(sf.SfumatoError, match="no certificate"):
        sf.verify(tmp_path / "model.sfm")


def test_a_party_gives_the_codes_that_the_network_sees() -> None:
    for place, records in enumerate(parts_of(people(PERSONS, 1))):
        seen = FIT.seen(records)
        assert np.array_equal(seen.present, records.codes.present)
        for position, column, own in zip(records.positions, seen.columns, records.codes.columns, strict=True):
            assert np.array_equal(column, FIT.codes.maps[position][own]), place
