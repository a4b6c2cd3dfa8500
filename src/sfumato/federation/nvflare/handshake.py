"""A look at the server before NVFlare's client is started, which retries for ever without saying why."""

from __future__ import annotations

import math
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from sfumato.errors import FederationError
from sfumato.federation.address import Address

_STEP = 1.0
"""Seconds between tries, while nobody listens."""
_PATIENCE = 5.0
"""Seconds for a connection."""
_ALERT = 0.5
"""Seconds in which a server that does not let a client in says so: TLS 1.3 tells it after the handshake."""
NOTHING_LOST = "what was charged stays charged, and the same command goes on with the run"
"""What a site is told where it ends without the coordinator."""
_REFUSALS = 3
"""Connections that the server ends before it is believed to mean it: one that starts up ends some too."""


def wait_for_server(address: Address, startup: Path, said: Callable[[str], None], until: float = math.inf) -> bool:
    """Until a server of the same authority listens at ``address``, and lets the owner of the certificate in.

    Args:
        address: of the server.
        startup: folder with ``client.crt``, ``client.key`` and ``rootCA.pem``.
        said: takes a line while nobody listens.
        until: moment of the monotonic clock at which it gives up.

    Returns:
        Whether it had to wait.

    Raises:
        FederationError: the server is of another authority, refuses the certificate, or is not there in time.
    """
    context = ssl.create_default_context(cafile=str(startup / "rootCA.pem"))
    context.load_cert_chain(startup / "client.crt", startup / "client.key")
    waited, refused = False, 0
    while True:
        try:
            reason = _unreachable(address, context)
        except _Refused as error:
            refused += 1
            if refused == _REFUSALS:
                raise FederationError(f"the server at {address} does not let this site in ({error})") from None
            reason = str(error)
        if reason is None:
            return waited
        if time.monotonic() > until:
            raise FederationError(f"the coordinator at {address} did not come ({reason}); {NOTHING_LOST}")
        if not waited:
            said(f"waiting for the coordinator at {address} ({reason})")
            waited = True
        time.sleep(_STEP)


class _Refused(Exception):  # noqa: N818 - what the server did
    """The server ended the connection: it does not let this site in, or is not ready yet."""


def _unreachable(address: Address, context: ssl.SSLContext) -> str | None:
    """Why nobody can be reached now; None where the server lets this site in."""
    try:
        with (
            socket.create_connection((address.host, address.port), _PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=address.host) as connection,
        ):
            connection.settimeout(_ALERT)
            try:
                ended = connection.recv(1) == b""
            except TimeoutError:
                ended = False
    except ssl.SSLCertVerificationError as error:
        raise FederationError(
            f"the server at {address} is none of this federation ({error.verify_message}); nothing was sent to it"
        ) from None
    except (ssl.SSLError, ConnectionResetError) as error:
        raise _Refused(getattr(error, "reason", None) or type(error).__name__) from None
    except OSError as error:
        return error.strerror or type(error).__name__
    if ended:
        raise _Refused("it ended the connection")
    return None
