"""What a site answers over the network beside the calls of the protocol: that the run is over."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sfumato.errors import CertificateError, FederationError
from sfumato.federation.site_service import FINISH, SiteService
from sfumato.progress import Silent


class Answering:
    """A site that answers everything."""

    def call(self, method: str, body: bytes) -> bytes:
        return method.encode()


def service(said: list[str], paid: bool = False) -> SiteService:
    """One that signs what it reads, but for what is empty."""

    def certify(certificate: bytes) -> bytes:
        if not certificate:
            raise CertificateError("there is none")
        return b"signed " + certificate

    plan = SimpleNamespace(rounds=4)
    return SiteService(plan, Answering(), Silent(), said.append, certify, paid)  # type: ignore[arg-type]


def test_a_run_is_over_only_once_it_has_begun() -> None:
    """A lying coordinator could else have a plan marked as carried out of which nothing was asked."""
    said: list[str] = []
    made = service(said)
    made.call("agree", b"")
    with pytest.raises(FederationError, match="has not begun cannot be over"):
        made.call(FINISH, b"")
    assert not made.done
    made.call("begin", b"")
    assert made.call(FINISH, b"certificate") == b"signed certificate"
    assert made.done
    assert "this site signed the certificate" in said[-1]
    with pytest.raises(FederationError, match="the run is over"):
        made.call("masked", b"")


def test_a_run_that_was_paid_for_in_an_earlier_process_may_be_over() -> None:
    made = service([], paid=True)
    made.call(FINISH, b"")
    assert made.done


def test_a_run_is_over_also_where_the_site_would_not_sign_what_came_of_it() -> None:
    said: list[str] = []
    made = service(said)
    made.call("begin", b"")
    assert made.call(FINISH, b"") == b""
    assert made.done
    assert said[-1] == "this site did not sign the certificate: there is none"
