"""Where the coordinator's server is reached."""

from __future__ import annotations

from dataclasses import dataclass

from sfumato.errors import FederationError

_PORTS = range(1, 1 << 16)


@dataclass(frozen=True)
class Address:
    """A host, by its name or address, and a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """From ``HOST:PORT``; FederationError for anything else."""
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        plain = host and not any(c.isspace() or c in "/@?#" for c in host) and port.isascii() and port.isdigit()
        if not plain or int(port) not in _PORTS:
            raise FederationError(f"address {text!r}: write HOST:PORT, for instance coordinator.example:8102")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
