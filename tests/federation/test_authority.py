"""Who may connect: certificates for keys that never leave their owner, and what is refused."""

from __future__ import annotations

import datetime as dt

import pytest

from sfumato.errors import FederationError
from sfumato.federation import authority as module
from sfumato.federation.authority import Authority, check_certificate, fresh_key, signing_request


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.fresh("study")


@pytest.fixture(scope="module")
def key() -> bytes:
    return fresh_key()


def test_a_site_gets_a_certificate_for_its_own_key(authority: Authority, key: bytes) -> None:
    certificate = authority.certify_site(signing_request(key, "north"), "north")
    check_certificate(certificate, authority.certificate, key, "north")


def test_a_request_of_another_name_or_a_damaged_one_gets_none(authority: Authority, key: bytes) -> None:
    request = signing_request(key, "north")
    for wrong, name in ((request, "east"), (request[:200], "north"), ("", "north"), ("no request", "north")):
        with pytest.raises(FederationError, match="damaged, or of another name"):
            authority.certify_site(wrong, name)


def test_a_certificate_is_of_one_authority_one_key_and_one_name(authority: Authority, key: bytes) -> None:
    certificate = authority.certify_site(signing_request(key, "north"), "north")
    other = Authority.fresh("study")
    with pytest.raises(FederationError, match="not by the authority of this plan"):
        check_certificate(certificate, other.certificate, key, "north")
    with pytest.raises(FederationError, match="not of this site's key, or not of the name east"):
        check_certificate(certificate, authority.certificate, key, "east")
    with pytest.raises(FederationError, match="not of this site's key"):
        check_certificate(certificate, authority.certificate, fresh_key(), "north")
    with pytest.raises(FederationError, match="not by the authority"):
        check_certificate("no certificate", authority.certificate, key, "north")


def test_an_old_certificate_is_refused(authority: Authority, key: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_EARLIER", dt.timedelta(days=720))
    monkeypatch.setattr(module, "_DAYS", -1)
    certificate = authority.certify_site(signing_request(key, "north"), "north")
    with pytest.raises(FederationError, match="has expired"):
        check_certificate(certificate, authority.certificate, key, "north")


def test_a_damaged_key_is_said_so() -> None:
    with pytest.raises(FederationError, match="a key of the connection is damaged"):
        signing_request(b"no key", "north")
