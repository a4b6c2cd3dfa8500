"""The files by which an owner's shares go to the servers: sealed to each of them, signed by the owner, read in blocks.

    line     JSON: format, plan, owner, server, sharing, time, the sender's fresh X25519 key, signature under the plan
    64 B     the owner's Ed25519 signature over that line
    blocks   AES-GCM, numbered from 0: seeds first, then each block of the third share where the server has that

Anybody may carry them; a file is at rest as it was sent, and its server alone has the key to it.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sfumato.atomic import atomic_new, check_writable
from sfumato.errors import FederationError
from sfumato.outputs import NEW
from sfumato.results.plain import sorted_json
from sfumato.trust.federated.agreement import sign_plan
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.mpc.outsourced import Outsourced, opened_secret
from sfumato.trust.mpc.replicated import LAST, components
from sfumato.trust.mpc.ring import WORD
from sfumato.trust.mpc.row_sharing import PART_BYTES, SHARING_BYTES, Cut, ReceivedRows, RowSharing
from sfumato.trust.secure_sum.identity import SIGNATURE_BYTES, SignaturePurpose, SiteIdentity, check_signature

_FORMAT = "sfumato shares of rows/1"
_TAG, _NONCE = 16, 12
"""Bytes of AES-GCM's tag, and of its nonce: the number of a block; each file has a key of its own."""
_MOST_HEAD = 1 << 12
"""Of the line: names of 64 characters and some hashes."""
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_AHEAD = dt.timedelta(days=1)
"""By which clocks of two machines differ at most: a file from later than that would never be too old."""


@dataclass(frozen=True)
class _Head:
    """The first line of a file, all of it as text."""

    format: str
    plan: str
    owner: str
    server: str
    sharing: str
    written: str
    key: str
    agreed: str

    @property
    def line(self) -> bytes:
        return sorted_json(asdict(self)) + b"\n"


def file_name(owner: str, server: str) -> str:
    """Of the shares of an owner for a server."""
    return f"{owner}.for-{server}.shares"


def check_new(folder: Path, plan: FederationPlan, owner: int) -> None:
    """OutputError where the folder is not there, or some file of the owner's shares is, before anything is charged."""
    name = outsourced_of(plan).owners[owner].name
    for server in plan.roster.members:
        path = folder / file_name(name, server.name)
        check_writable(path, NEW)


def write_sealed(folder: Path, plan: FederationPlan, identity: SiteIdentity, sharing: RowSharing) -> list[Path]:
    """The files of a sharing, by place of the server; OutputError where one is there already."""
    outsourced = outsourced_of(plan)
    owner = outsourced.owners[sharing.cut.owner].name
    paths = [folder / file_name(owner, server.name) for server in plan.roster.members]
    with ExitStack() as stack:
        files = [_Sealed(stack.enter_context(atomic_new(path, 0o600))) for path in paths]
        for place, (file, server) in enumerate(zip(files, plan.roster.members, strict=True)):
            key, secret = outsourced.sealing[place].secret()
            said = plan.digest.hex(), owner, server.name, sharing.name.hex(), _now().strftime(_TIME), key.hex()
            file.begin(_Head(_FORMAT, *said, sign_plan(plan, identity).hex()).line, identity, secret)
            file.write(sharing.part(place))
        with_thirds = [file for place, file in enumerate(files) if LAST in components(place)]
        for third in sharing.thirds():
            for file in with_thirds:
                file.write(third.tobytes())
    return paths


class _Sealed:
    """A file that is being written."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._blocks = stream, 0

    def begin(self, head: bytes, identity: SiteIdentity, secret: bytes) -> None:
        self._head, self._cipher = head, AESGCM(secret)
        self._stream.write(head + identity.sign(SignaturePurpose.SHARES, head))

    def write(self, data: bytes) -> None:
        self._stream.write(self._cipher.encrypt(_nonce(self._blocks), data, self._head))
        self._blocks += 1


class SealedShares:
    """A file of shares for one server, opened.

    Args:
        path: of the file.
        plan: that the server takes part in.
        server: its place.
        sealing_key: private, to which the file was sealed.

    Attributes:
        owner: place of the owner among those of the plan.
        agreed: its signature under the plan.

    FederationError for a file that is damaged, of another plan, for another server, of nobody who owns columns, older
    than the plan allows, or of a day to come.
    """

    def __init__(self, path: Path, plan: FederationPlan, server: int, sealing_key: bytes) -> None:
        self._path, self._server = path, server
        with self._open() as stream:
            self._line = stream.readline(_MOST_HEAD)
            signature = stream.read(SIGNATURE_BYTES)
        head = self._read_head()
        owners = outsourced_of(plan).owners
        named = [owner.name for owner in owners]
        if head.plan != plan.digest.hex() or head.owner not in named:
            raise FederationError(f"{path}: shares for another plan; ask their owner for those of this one")
        self.owner = named.index(head.owner)
        key, whose = owners[self.owner].public_key, f"owner {head.owner}"
        check_signature(key, SignaturePurpose.SHARES, self._line, signature, whose)
        name = plan.roster.members[server].name
        if head.server != name:
            raise FederationError(f"{path}: shares for server {head.server}, and this is {name}")
        self._check_age(head.written, outsourced_of(plan).days)
        try:
            self._name, self.agreed = bytes.fromhex(head.sharing), bytes.fromhex(head.agreed)
            self._cipher = AESGCM(opened_secret(sealing_key, bytes.fromhex(head.key)))
        except ValueError:
            raise self._damaged() from None
        if len(self._name) != SHARING_BYTES:
            raise self._damaged()
        check_signature(key, SignaturePurpose.PLAN, plan.data, self.agreed, whose)

    def received(self, cut: Cut) -> ReceivedRows:
        """What the server has by it; FederationError, also later, for a file that was changed or cut off."""
        blocks = self._blocks(cut)
        return ReceivedRows(cut, self._server, self._name, next(blocks), self._thirds(cut, blocks))

    def _thirds(self, cut: Cut, blocks: Iterator[bytes]) -> Iterator[np.ndarray]:
        for block, data in enumerate(blocks):
            yield np.frombuffer(data, WORD).reshape(cut.shape(block))

    def _blocks(self, cut: Cut) -> Iterator[bytes]:
        """The opened blocks, whose sizes are public; nothing is behind the last."""
        rest = [4 * int(np.prod(cut.shape(block))) for block in range(cut.blocks)]
        sizes = [PART_BYTES, *(rest if LAST in components(self._server) else [])]
        with self._open() as stream:
            stream.seek(len(self._line) + SIGNATURE_BYTES)
            for number, size in enumerate(sizes):
                try:
                    data = self._cipher.decrypt(_nonce(number), stream.read(size + _TAG), self._line)
                except InvalidTag:
                    raise self._damaged() from None
                if len(data) != size or (number == len(sizes) - 1 and stream.read(1)):
                    raise self._damaged()
                yield data

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        try:
            with self._path.open("rb") as stream:
                yield stream
        except OSError as error:
            raise FederationError(f"cannot read {self._path}: {error.strerror or error}") from None

    def _read_head(self) -> _Head:
        try:
            head = _Head(**json.loads(self._line))
            texts = all(isinstance(value, str) for value in asdict(head).values())
            known = texts and head.line == self._line and head.format == _FORMAT
        except (ValueError, TypeError, RecursionError):
            known = False
        if not known:
            raise FederationError(f"{self._path}: no shares of rows, or of another version of sfumato")
        return head  # type: ignore[possibly-unbound]

    def _check_age(self, written: str, days: int) -> None:
        """FederationError for a file that is older than the plan allows, which is deleted, or not written yet."""
        try:
            made = dt.datetime.strptime(written, _TIME).replace(tzinfo=dt.UTC)
        except ValueError:
            raise self._damaged() from None
        if made - _now() > _AHEAD:
            raise FederationError(
                f"{self._path}: shared on {written[:10]}, which is yet to come: compare the clock of this machine with"
                " that of its owner, who shares anew where that one is wrong"
            )
        if _now() - made > dt.timedelta(days=days):
            self._path.unlink(missing_ok=True)
            raise FederationError(
                f"{self._path}: shared on {written[:10]}, and the plan lets servers keep shares for {days} days: it was"
                " deleted; ask its owner to share anew"
            )

    def _damaged(self) -> FederationError:
        return FederationError(f"{self._path} is damaged, or was sealed to another key: ask its owner for it once more")


def by_owner(opened: Sequence[SealedShares], plan: FederationPlan) -> list[SealedShares]:
    """One file of each owner, in their order; FederationError where one is missing or there twice."""
    owners = outsourced_of(plan).owners
    found = sorted(opened, key=lambda one: one.owner)
    if [one.owner for one in found] != list(range(len(owners))):
        named = ", ".join(owner.name for owner in owners)
        raise FederationError(f"{len(found)} files of shares, and one of each owner is needed, of {named}: name them")
    return found


def outsourced_of(plan: FederationPlan) -> Outsourced:
    """Who owns the rows; FederationError for a plan without servers."""
    if plan.outsourced is None:
        raise FederationError("the plan names no servers: each party takes part with its own table (sfumato party run)")
    return plan.outsourced


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _nonce(block: int) -> bytes:
    return block.to_bytes(_NONCE, "little")
