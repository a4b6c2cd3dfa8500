"""What a site answers over the network beside the calls of the protocol: that the run is over."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sfumato.errors import FederationError
from sfumato.federation.site_service import FINISH, SiteService
from sfumato.progress import Silent


class Answering:
    """A site that answers everything."""

    def call(self, method: str, body: bytes) -> bytes:
        return method.encode()


def service(paid: bool = False) -> SiteService:
    return SiteService(SimpleNamespace(rounds=4), Answering(), Silent(), lambda line: None, paid)  # type: ignore[arg-type]


def test_a_run_is_over_only_once_it_has_begun() -> None:
    """A lying coordinator could else have a plan marked as carried out of which nothing was asked."""
    made = service()
    made.call("agree", b"")
    with pytest.raises(FederationError, match="has not begun cannot be over"):
        made.call(FINISH, b"")
    assert not made.done
    made.call("begin", b"")
    assert made.call(FINISH, b"") == b""
    assert made.done
    with pytest.raises(FederationError, match="the run is over"):
        made.call("masked", b"")


def test_a_run_that_was_paid_for_in_an_earlier_process_may_be_over() -> None:
    made = service(paid=True)
    made.call(FINISH, b"")
    assert made.done
