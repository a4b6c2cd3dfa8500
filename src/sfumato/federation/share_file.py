"""Where a party keeps the shares of its last complete dealing, encrypted, until its run is over.

FOLDER/shares/PLAN.shares   AES-GCM under FOLDER/shares.key, for the one plan, maps and rows that it was made of
FOLDER/shares/CACHEDIR.TAG  by which programs that make copies leave the folder out (https://bford.info/cachedir/)
"""

from __future__ import annotations

import logging
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sfumato.bounded import read_bounded
from sfumato.errors import FederationError
from sfumato.federation.documents import replace_file
from sfumato.privacy.randomness import SYSTEM

FOLDER = "shares"
_MAGIC = b"sfumato shares/1\n"
_NONCE, _TAG = 12, 16
"""Bytes of AES-GCM's nonce, drawn anew for each file, and of its tag."""
_NAMED = 16
"""Hexadecimal digits of a plan in the name of its file."""
_CACHE_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# What sfumato keeps here, no copy should hold.\n"
_LOG = logging.getLogger("sfumato.site")
"""For the people of the party alone."""


class ShareFile:
    """The file of one plan; see ``trust.mpc.own_dealing.KeepsShares``.

    Args:
        folder: of the party.
        plan: SHA-256 of the plan, in hexadecimal digits.
        key: 32 bytes that the party alone has.

    *Formal guarantee.* Without the key a file tells its size, which is public, and nothing else. A file that was cut,
    changed, made with another key or kept for anything else is taken for none.
    """

    def __init__(self, folder: Path, plan: str, key: bytes) -> None:
        self._path, self._cipher = folder / FOLDER / f"{plan[:_NAMED]}.shares", AESGCM(key)

    def keep(self, bound: bytes, data: bytes) -> None:
        """Keep ``data`` in place of the last, whole or not at all; where there is no room, the run goes on without."""
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            replace_file(self._path.with_name("CACHEDIR.TAG"), _CACHE_TAG)
            nonce = SYSTEM.take(_NONCE)
            replace_file(self._path, _MAGIC + nonce + self._cipher.encrypt(nonce, data, _MAGIC + bound))
        except (OSError, FederationError):
            _LOG.exception("shares could not be kept: a run that is interrupted will deal anew")

    def find(self, bound: bytes, size: int) -> bytes | None:
        """What was kept for ``bound``; None where there is nothing, or anything else, which is said in the log."""
        start = len(_MAGIC) + _NONCE
        try:
            stored = read_bounded(self._path, start + size + _TAG, FederationError("larger than its shares are"))
            if not stored.startswith(_MAGIC):
                raise FederationError("none of this version")
            found = self._cipher.decrypt(stored[len(_MAGIC) : start], stored[start:], _MAGIC + bound)
            if len(found) != size:
                raise FederationError("of another size than its shares are")
            return found
        except FileNotFoundError:
            return None
        except (OSError, FederationError, InvalidTag, ValueError) as error:
            _LOG.warning("%s is not of these rows and maps, or was changed (%r): dealt anew", self._path, error)
            return None

    def delete(self) -> None:
        """Once the run is over."""
        self._path.unlink(missing_ok=True)
