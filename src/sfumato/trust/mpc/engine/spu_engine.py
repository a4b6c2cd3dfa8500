"""SecretFlow SPU at one party: its messages go over our connections, its shares over the same."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.engine_plan import FRACTION_BITS, PROTOCOL, RING, EnginePlan, SharedArray
from sfumato.trust.mpc.engine.frames import FrameKind
from sfumato.trust.mpc.engine.liveness import Inbox
from sfumato.trust.mpc.engine.mesh import Peer


def load(package: Path) -> Any:
    """The engine's native module; the package's own ``__init__`` is passed over, since it needs a JAX of its time."""
    empty = types.ModuleType("spu")
    empty.__path__ = [str(package)]
    sys.modules["spu"] = empty
    return importlib.import_module("spu.libspu")


class SpuEngine:
    """The engine of one party, for one plan."""

    def __init__(
        self,
        spu: Any,
        plan: EnginePlan,
        rank: int,
        peers: Mapping[int, Peer],
        inboxes: Mapping[int, Inbox],
        lost: Callable[[str], None],
    ) -> None:
        self._spu, self._plan, self._rank, self._peers, self._inboxes = spu, plan, rank, peers, inboxes
        config = spu.RuntimeConfig(protocol=getattr(spu.ProtocolKind, PROTOCOL), field=getattr(spu.FieldType, RING))
        config.fxp_fraction_bits = FRACTION_BITS
        config.fxp_exp_mode = spu.RuntimeConfig.ExpMode.EXP_PADE  # the default is off by 3 % at 4
        description = spu.link.Desc()
        description.id = plan.digest
        for party in plan.parties:
            description.add_party(party.name, f"{party.host}:{party.port}")
        channels = [_channel(spu, peers.get(r), inboxes.get(r), lost) for r in range(len(plan.parties))]
        self._channels = channels  # the engine keeps no reference that Python counts
        self._io = spu.IoWrapper(len(plan.parties), config)
        self._runtime = spu.RuntimeWrapper(spu.link.create_with_channels(description, rank, channels), config)

    def share(self, given: Mapping[int, np.ndarray]) -> None:
        """Share what this party gives, by place among the inputs, and take in what it is given."""
        for place, (name, array) in enumerate(_named("input", self._plan.inputs)):
            self._runtime.SetVar(name, self._shared(name, array, given.get(place)))

    def run(self) -> None:
        """Run the program on what was shared."""
        spu, inputs = self._spu, [name for name, _ in _named("input", self._plan.inputs)]
        outputs = [name for name, _ in _named("output", self._plan.outputs)]
        secret = [spu.Visibility.VIS_SECRET] * len(inputs)
        source = spu.CompilationSource(spu.SourceIRType.STABLEHLO, self._plan.program.encode(), secret)
        code = spu.compile(source, spu.CompilerOptions())
        self._runtime.Run(spu.Executable(name="program", input_names=inputs, output_names=outputs, code=code))

    def open(self) -> dict[int, np.ndarray]:
        """The results that this party gets, by place; of the others it sends its shares to those who get them."""
        opened = (self._opened(name, array) for name, array in _named("output", self._plan.outputs))
        return {place: array for place, array in enumerate(opened) if array is not None}

    def _shared(self, name: str, array: SharedArray, given: np.ndarray | None) -> Any:
        """This party's share of an input, which it gives or is given."""
        owner = self._plan.rank(array.party)
        if owner != self._rank:
            return self._received(name, array, owner)
        if given is None or given.shape != array.shape or given.dtype != array.dtype:
            raise EngineError(f"{name} is to be {array.dtype} of shape {array.shape}")
        shares = self._made(given)
        for rank in self._peers:
            self._send(rank, name, shares[rank])
        return shares[owner]

    def _opened(self, name: str, array: SharedArray) -> np.ndarray | None:
        """A result, where this party is the one that gets it."""
        receiver, share = self._plan.rank(array.party), self._runtime.GetVar(name)
        if receiver != self._rank:
            self._send(receiver, name, share)
            return None
        shares = [share if r == receiver else self._received(name, array, r) for r in range(len(self._plan.parties))]
        if not _agree(shares, _share_bytes(array)):
            raise EngineError(f"the shares of {name} contradict each other: a party or its machine changed one")
        return self._io.Reconstruct(shares)

    def _send(self, rank: int, name: str, share: Any) -> None:
        for place, chunk in enumerate(share.share_chunks):
            self._peers[rank].writer.write(FrameKind.SHARE, f"{name} {place}", bytes(chunk))

    def _received(self, name: str, array: SharedArray, rank: int) -> Any:
        """A share as one made here would look: nothing of a peer's says its shape, type or number of bytes."""
        share = self._made(np.zeros(array.shape, array.dtype))[self._rank]
        chunks = []
        for place, expected in enumerate(share.share_chunks):
            chunk, model = self._inboxes[rank].take(FrameKind.SHARE, f"{name} {place}"), bytes(expected)
            lead = len(model) - _share_bytes(array)
            if len(chunk) != len(model) or chunk[:lead] != model[:lead]:
                raise EngineError(f"{self._plan.parties[rank].name} sent a share of {name} of another form")
            chunks.append(chunk)
        share.share_chunks = chunks
        return share

    def _made(self, array: np.ndarray) -> Any:
        return self._io.MakeShares(np.ascontiguousarray(array), self._spu.Visibility.VIS_SECRET)


def _named(what: str, arrays: tuple[SharedArray, ...]) -> list[tuple[str, SharedArray]]:
    return [(f"{what} {place}", array) for place, array in enumerate(arrays)]


def _share_bytes(array: SharedArray) -> int:
    """Of two of the three components of each number."""
    return 16 * int(np.prod(array.shape))


def _agree(shares: Sequence[Any], size: int) -> bool:
    """Whether the two components that each party holds of a number are those that its neighbours hold."""
    held = [
        np.frombuffer(b"".join(map(bytes, share.share_chunks))[-size:], np.uint64).reshape(-1, 2) for share in shares
    ]
    return all(np.array_equal(one[:, 1], other[:, 0]) for one, other in zip(held, (*held[1:], held[0]), strict=True))


def _channel(spu: Any, peer: Peer | None, inbox: Inbox | None, lost: Callable[[str], None]) -> Any:
    """What the engine sees of a connection; of its own, which it never uses, nothing.

    No error may be raised into native code, whose threads would end the process without a word: ``lost`` does so.
    """

    class Channel(spu.link.IChannel):
        """Names are the engine's own."""

        def SendAsync(self, name: str, content: bytes) -> None:  # noqa: N802
            if peer is None:
                return
            try:
                peer.writer.write(FrameKind.ENGINE, name, bytes(content))
            except OSError:
                lost(f"{peer.name} is gone: nothing can be sent to it")

        Send = SendAsyncThrottled = SendAsync

        def Recv(self, name: str) -> bytes:  # noqa: N802
            return b"" if inbox is None else inbox.take(FrameKind.ENGINE, name)

        def _nothing(self, *_: object) -> None:
            """Connections are tested, ended and bounded by ``mesh`` and ``liveness``."""

        TestSend = TestRecv = Abort = WaitLinkTaskFinish = _nothing
        SetThrottleWindowSize = SetChunkParallelSendSize = _nothing

    return Channel()
