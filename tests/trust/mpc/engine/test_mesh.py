"""Who is let in: the owner of the very certificate that the plan has for the rank, with the same plan."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.trust.mpc.engine.parties import PATIENCE, Caller, close, connected, keys_of, made_plan

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine import mesh
from sfumato.trust.mpc.engine.engine_plan import EnginePlan
from sfumato.trust.mpc.engine.frames import FrameError, FrameKind, FrameWriter, read_frame
from sfumato.trust.mpc.engine.identities import fresh_identity
from sfumato.trust.mpc.engine.local_parties import HERE


@pytest.fixture
def plan(tmp_path: Path) -> EnginePlan:
    return made_plan(tmp_path)


def called(plan: EnginePlan, folder: Path, owner: int, *hellos: object) -> list[str]:
    """What the first party answers to somebody with the keys of ``owner`` who says ``hellos``, a call each."""
    pins = [ssl.PEM_cert_to_DER_cert(party.certificate) for party in plan.parties]
    reception = mesh.Reception(plan, keys_of(folder, 0), pins, lambda line: None)
    context, answers = mesh._context(plan, keys_of(folder, owner), server=False), []
    try:
        for hello in hellos:
            plain = socket.create_connection((HERE, plan.parties[0].port), PATIENCE)
            with context.wrap_socket(plain) as connection:
                FrameWriter(connection).write(FrameKind.HELLO, content=json.dumps(hello).encode())
                answers.append(read_frame(connection, 4096)[2].decode())
    finally:
        reception.close()
        for connection in reception.heard.values():
            connection.close()
    return answers


def test_what_is_sent_arrives_at_the_rank_it_is_for(plan, tmp_path):
    peers = connected(plan, tmp_path)
    for sender in range(3):
        for receiver in {0, 1, 2} - {sender}:
            peers[sender][receiver].writer.write(FrameKind.SHARE, f"{sender}", bytes([receiver]))
            found = read_frame(peers[receiver][sender].connection, 1)
            assert found == (FrameKind.SHARE, f"{sender}", bytes([receiver]))
    close(peers)


def test_a_registered_certificate_in_the_wrong_rank_is_refused(plan, tmp_path):
    said = called(plan, tmp_path, 2, {"rank": 1, "plan": plan.digest})
    assert said == ["its certificate is not the one of east, as which it calls"]


@pytest.mark.parametrize(
    ("hello", "reason"),
    [
        ({"rank": 1, "plan": "another"}, "east has another plan"),
        ({"rank": 0, "plan": ""}, "it claims a rank that no other party has"),
        ({"rank": 7, "plan": ""}, "it claims a rank that no other party has"),
        ({"rank": True, "plan": ""}, "it claims a rank that no other party has"),
        ([], "it does not say who it is"),
    ],
    ids=["plan", "own rank", "no rank", "truth", "nothing"],
)
def test_who_says_something_else_is_refused(plan, tmp_path, hello, reason):
    assert called(plan, tmp_path, 1, hello) == [reason]


def test_a_party_calls_once(plan, tmp_path):
    hello = {"rank": 1, "plan": plan.digest}
    assert called(plan, tmp_path, 1, hello, hello) == ["", "east has called already"]


def foreign(plan: EnginePlan, folder: Path, rank: int) -> tuple[EnginePlan, mesh.PartyKeys]:
    """Keys that no plan of the others has, and a plan that has them."""
    (folder / "foreign").mkdir()
    certificate = fresh_identity(folder / "foreign", plan.parties[rank].name)
    parties = [*plan.parties]
    parties[rank] = replace(parties[rank], certificate=certificate)
    keys = mesh.PartyKeys(rank, folder / "foreign" / "certificate.pem", folder / "foreign" / "key.pem", HERE)
    return replace(plan, parties=tuple(parties)), keys


@contextmanager
def listening(plan: EnginePlan, keys: mesh.PartyKeys) -> Iterator[list[str]]:
    """A party that lets others call; what it says of those that it refuses."""
    said: list[str] = []
    pins = [ssl.PEM_cert_to_DER_cert(party.certificate) for party in plan.parties]
    reception = mesh.Reception(plan, keys, pins, said.append)
    try:
        yield said
    finally:
        reception.close()


def test_who_calls_with_a_foreign_certificate_is_refused_and_says_so(plan, tmp_path):
    with listening(plan, keys_of(tmp_path, 0)):
        stranger = Caller(*foreign(plan, tmp_path, 1)).ended()
    assert "does not let this party in" in str(stranger.error)


def test_who_answers_with_a_foreign_certificate_is_sent_nothing(plan, tmp_path):
    with listening(*foreign(plan, tmp_path, 1)):
        home = Caller(plan, keys_of(tmp_path, 0)).ended()
    assert "is no party of this plan: nothing was sent to it" in str(home.error)


def test_a_registered_party_that_answers_in_anothers_place_is_sent_nothing(plan, tmp_path):
    first, second, third = plan.parties
    wrong = replace(plan, parties=(first, replace(second, port=third.port), third))
    with listening(plan, keys_of(tmp_path, 2)):
        north = Caller(wrong, keys_of(tmp_path, 0)).ended()
    assert "is not east: nothing was sent to it" in str(north.error)


def test_a_party_that_is_not_there_is_named(plan, tmp_path):
    found = Caller(plan, keys_of(tmp_path, 0), patience=0.2).ended()
    assert str(found.error).startswith("east is not at 127.0.0.1:")


def test_a_certificate_that_is_not_the_plans_never_calls(plan, tmp_path):
    with pytest.raises(EngineError, match="this certificate is not the one of north in the plan"):
        mesh.connect(plan, keys_of(tmp_path, 1, claimed=0), 1.0, print)


def test_an_absurd_length_is_refused_before_memory_is_taken():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(bytes([FrameKind.SHARE, 0, 0]) + (1 << 62).to_bytes(8, "big"))
        with pytest.raises(FrameError, match="of which 100 are allowed"):
            read_frame(ours, 100)


@pytest.mark.parametrize(
    "sent", [b"", bytes(5), bytes(11), bytes([99]) + bytes(10)], ids=["end", "part", "zero", "kind"]
)
def test_what_is_no_frame_is_refused(sent):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(sent)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(FrameError, match=r"its connection ended|no message of a party"):
            read_frame(ours, 100)


def test_only_tls_1_3_among_the_plans_certificates(plan, tmp_path):
    for server in (False, True):
        context = mesh._context(plan, keys_of(tmp_path, 0), server)
        assert context.minimum_version == ssl.TLSVersion.TLSv1_3
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert len(context.get_ca_certs()) <= 3
