"""A look at the server before anything is said to it: one of another federation is told from one that is not up."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from sfumato.errors import FederationError
from sfumato.federation.address import Address
from sfumato.federation.authority import Authority, fresh_key, signing_request
from sfumato.federation.credentials import Credentials
from sfumato.federation.nvflare import handshake
from sfumato.federation.nvflare.handshake import wait_for_server
from sfumato.federation.nvflare.kits import write_server, write_site

HOST = "localhost"


@pytest.fixture(scope="module")
def authorities() -> tuple[Authority, Authority]:
    """Ours, and that of another federation."""
    return Authority.fresh("ours"), Authority.fresh("theirs")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "_STEP", 0.01)


@pytest.fixture(scope="module", autouse=True)
def _one_key() -> Iterator[None]:
    """For all: to draw one takes longer than a handshake."""
    key = fresh_key()
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(globals(), "fresh_key", lambda: key)
        yield


def startup(folder: Path, authority: Authority, trusted: Authority) -> Path:
    """Of a site that ``authority`` certified, and that trusts servers of ``trusted``."""
    key = fresh_key()
    certificate = authority.certify_site(signing_request(key, "north"), "north")
    write_site(folder / "site", "north", Address(HOST, 1), Credentials(key, certificate, trusted.certificate))
    return folder / "site" / "startup"


@contextmanager
def listening(folder: Path, authority: Authority) -> Iterator[Address]:
    """A server that ``authority`` certified, and that lets in whom it certified."""
    key = fresh_key()
    write_server(
        folder / "server",
        Address(HOST, 1),
        Credentials(key, authority.certify_server(key, HOST), authority.certificate),
    )
    at = folder / "server" / "startup"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(at / "rootCA.pem"))
    context.load_cert_chain(at / "server.crt", at / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    door = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = door.accept()
            except OSError:
                return
            with suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as end:
                end.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Address(HOST, door.getsockname()[1])
    finally:
        door.shutdown(socket.SHUT_RDWR)
        door.close()
        thread.join()


def test_a_server_of_the_same_authority_is_found(tmp_path, authorities):
    ours, _ = authorities
    with listening(tmp_path, ours) as address:
        wait_for_server(address, startup(tmp_path, ours, ours), nothing)


def test_a_server_of_another_authority_is_refused(tmp_path, authorities):
    ours, theirs = authorities
    with listening(tmp_path, theirs) as address, pytest.raises(FederationError, match="is none of this federation"):
        wait_for_server(address, startup(tmp_path, ours, ours), nothing)


def test_a_certificate_that_the_server_does_not_know_is_told(tmp_path, authorities):
    ours, theirs = authorities
    with listening(tmp_path, theirs) as address, pytest.raises(FederationError, match="does not let this site in"):
        wait_for_server(address, startup(tmp_path, ours, theirs), lambda _: None)


def test_nobody_listens_at_first(tmp_path, authorities):
    ours, _ = authorities
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = Address(HOST, taken.getsockname()[1])

    class Heard(Exception):
        pass

    def hear(line: str) -> None:
        said.append(line)
        raise Heard

    with pytest.raises(Heard):
        wait_for_server(nobody, startup(tmp_path, ours, ours), hear)
    assert said == [f"waiting for the coordinator at {nobody} (Connection refused)"]


def test_nobody_listens_for_too_long(tmp_path, authorities):
    ours, _ = authorities
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = Address(HOST, taken.getsockname()[1])
    with pytest.raises(FederationError, match=r"did not come .* the same command goes on with the run"):
        wait_for_server(nobody, startup(tmp_path, ours, ours), nothing, 0.0)


def nothing(line: str) -> None:
    raise AssertionError(line)
