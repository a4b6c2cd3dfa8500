"""SecretFlow SPU at one party: its messages go over our connections, its shares over the same."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.engine_plan import FRACTION_BITS, PARTIES, PROTOCOL, RING, EnginePlan
from sfumato.trust.mpc.engine.frames import FrameError, FrameKind
from sfumato.trust.mpc.engine.liveness import Inbox
from sfumato.trust.mpc.engine.mesh import Peer
from sfumato.trust.mpc.engine.replicated import SEED_BYTES, Components, after, fresh_seed
from sfumato.trust.mpc.engine.run_order import ArrayForm, RunOrder, decoded, gets

_WORD = 8
"""Bytes of an element."""


def load(package: Path) -> Any:
    """The engine's native module; the package's own ``__init__`` is passed over, since it needs a JAX of its time."""
    empty = types.ModuleType("spu")
    empty.__path__ = [str(package)]
    sys.modules["spu"] = empty
    return importlib.import_module("spu.libspu")


class SpuEngine:
    """The engine of one party, for one session."""

    def __init__(
        self,
        spu: Any,
        plan: EnginePlan,
        rank: int,
        peers: Mapping[int, Peer],
        inboxes: Mapping[int, Inbox],
        lost: Callable[[str], None],
    ) -> None:
        self._spu, self._rank, self._peers, self._inboxes, self._lost = spu, rank, peers, inboxes, lost
        config = spu.RuntimeConfig(protocol=getattr(spu.ProtocolKind, PROTOCOL), field=getattr(spu.FieldType, RING))
        config.fxp_fraction_bits = FRACTION_BITS
        config.fxp_exp_mode = spu.RuntimeConfig.ExpMode.EXP_PADE  # the default is off by 3 % at 4
        description = spu.link.Desc()
        description.id = plan.digest
        for party in plan.parties:
            description.add_party(party.name, f"{party.host}:{party.port}")
        channels = [_channel(spu, peers.get(r), inboxes.get(r), lost) for r in range(PARTIES)]
        self._channels = channels  # the engine keeps no reference that Python counts
        self._io = spu.IoWrapper(PARTIES, config)
        self._runtime = spu.RuntimeWrapper(spu.link.create_with_channels(description, rank, channels), config)
        self._kept: dict[str, tuple[tuple[int, ...], str]] = {}
        self._model = lru_cache(maxsize=None)(self._model_of)  # of a shape and a type: few
        seed = fresh_seed()
        self._send(after(rank), FrameKind.SHARE, "seed", seed)
        behind = self._take(after(rank, 2), FrameKind.SHARE, "seed")
        if len(behind) != SEED_BYTES:
            raise EngineError(f"{self._name(after(rank, 2))} sent a seed of another size")
        self._components = Components(seed, behind)

    def compiled(self, text: bytes, order: RunOrder) -> bytes:
        """The engine's code of a program."""
        spu = self._spu
        visible = {True: spu.Visibility.VIS_PUBLIC, False: spu.Visibility.VIS_SECRET}
        arguments = [visible[form.how == "public"] for form in order.arguments]
        return spu.compile(spu.CompilationSource(spu.SourceIRType.STABLEHLO, text, arguments), spu.CompilerOptions())

    def agree(self, number: int, order: RunOrder) -> None:
        """EngineError where another party is to run anything else as its run of this ``number``."""
        for rank in self._peers:
            self._send(rank, FrameKind.ORDER, str(number), order.digest)
        for rank in self._peers:
            if self._take(rank, FrameKind.ORDER, str(number)) != order.digest:
                raise EngineError(f"{self._name(rank)} is to run another program, or on other arguments: none was run")

    def share(self, number: int, order: RunOrder, given: Mapping[int, np.ndarray]) -> None:
        """Share what this party gives, by place among the arguments, and take in what it is given."""
        for place, form in enumerate(order.arguments):
            name = _argument(place, form)
            if form.how == "kept":
                self._check_kept(form)
            elif form.how == "public":
                shares = self._io.MakeShares(np.ascontiguousarray(given[place]), self._spu.Visibility.VIS_PUBLIC)
                self._runtime.SetVar(name, shares[self._rank])
            else:
                held = self._held(f"{number} {name}", form, given.get(place))
                self._runtime.SetVar(name, self._share_of(form, held))

    def run(self, code: bytes, order: RunOrder) -> None:
        """Run a program on what was shared."""
        names = [_argument(place, form) for place, form in enumerate(order.arguments)]
        results = [_result(place, form) for place, form in enumerate(order.results)]
        self._runtime.Run(self._spu.Executable(name="program", input_names=names, output_names=results, code=code))
        for form in order.results:
            if form.how == "kept":
                self._kept[form.detail] = form.shape, form.dtype
        for name in set(names) - {_result(0, form) for form in order.arguments if form.how == "kept"}:
            self._runtime.DelVar(name)

    def open(self, number: int, order: RunOrder) -> dict[int, np.ndarray]:
        """The results that this party gets, by place; of the others it sends its shares to those who get them."""
        found = {}
        for place, form in enumerate(order.results):
            held = self._components_of(_result(place, form), form)
            if form.how != "kept":
                self._runtime.DelVar(_result(place, form))
            if form.how == "additive":
                found[place] = held[:, 0].reshape(form.shape).copy()
            elif form.how != "kept":
                name = f"{number} result {place}"
                for rank in self._peers:
                    if gets(form, rank):
                        self._send(rank, FrameKind.SHARE, name, held.tobytes())
                if gets(form, self._rank):
                    found[place] = decoded(self._sum(name, held), form.dtype).reshape(form.shape)
        return found

    def _check_kept(self, form: ArrayForm) -> None:
        if self._kept.get(form.detail) != (form.shape, form.dtype):
            raise EngineError(f"nothing of this shape and type is kept as {form.detail}")

    def _held(self, name: str, form: ArrayForm, given: np.ndarray | None) -> np.ndarray:
        """This party's components of an argument, (n, 2) uint64."""
        size, before = int(np.prod(form.shape)), after(self._rank, 2)
        if form.how == "parts":
            assert given is not None
            own = self._components.part(name, given.ravel().view(np.uint64))
            self._send(before, FrameKind.SHARE, name, own.tobytes())
            return np.stack([own, self._received(name, after(self._rank), size)], axis=1)
        owner = int(form.detail)
        if owner == before:
            return self._components.of_the_one_before(name, size)
        if owner != self._rank:
            return self._components.of_the_next(self._received(name, owner, size))
        assert given is not None
        held, sent = self._components.given(name, self._encoded(given))
        self._send(before, FrameKind.SHARE, name, sent.tobytes())
        return held

    def _encoded(self, array: np.ndarray) -> np.ndarray:
        """Elements of the ring, (n,) uint64, as the engine writes numbers."""
        (chunk,) = self._io.MakeShares(np.ascontiguousarray(array), self._spu.Visibility.VIS_PUBLIC)[0].share_chunks
        return np.frombuffer(bytes(chunk)[-_WORD * array.size :], "<u8")

    def _sum(self, name: str, own: np.ndarray) -> np.ndarray:
        """The elements of a result, once what the parties hold twice is found the same."""
        held = {self._rank: own}
        for rank in self._peers:
            held[rank] = self._received(name, rank, own.size).reshape(-1, 2)
        if not all(np.array_equal(held[rank][:, 1], held[after(rank)][:, 0]) for rank in held):
            raise EngineError("the shares of a result contradict each other: a party or its machine changed one")
        return held[0][:, 0] + held[1][:, 0] + held[2][:, 0]

    def _received(self, name: str, rank: int, size: int) -> np.ndarray:
        """What the party of ``rank`` sent under ``name``, (size,) uint64; nothing of a peer's says its size."""
        content = self._take(rank, FrameKind.SHARE, name)
        if len(content) != _WORD * size:
            raise EngineError(f"{self._name(rank)} sent a share of another size")
        return np.frombuffer(content, "<u8")

    def _share_of(self, form: ArrayForm, held: np.ndarray) -> Any:
        """What the engine takes for a share, of components (n, 2)."""
        share = self._spu.Share()
        share.meta, lead = self._model(form.shape, form.dtype)
        share.share_chunks = [lead + held.tobytes()]
        return share

    def _components_of(self, name: str, form: ArrayForm) -> np.ndarray:
        """The components (n, 2) of a result; EngineError where it is no secret of the declared form."""
        share, (meta, lead) = self._runtime.GetVar(name), self._model(form.shape, form.dtype)
        content = b"".join(map(bytes, share.share_chunks))
        if bytes(share.meta) != meta or len(content) != len(lead) + 2 * _WORD * int(np.prod(form.shape)):
            raise EngineError("a result is no secret number: it follows from what is public, or is no sum; compute it"
                              " outside, or return numbers")  # fmt: skip
        return np.frombuffer(content[len(lead) :], "<u8").reshape(-1, 2)

    def _model_of(self, shape: tuple[int, ...], dtype: str) -> tuple[bytes, bytes]:
        """What the engine writes around the components of an array."""
        share = self._io.MakeShares(np.zeros(shape, dtype), self._spu.Visibility.VIS_SECRET)[self._rank]
        (chunk,) = share.share_chunks
        return bytes(share.meta), bytes(chunk)[: -2 * _WORD * int(np.prod(shape))]

    def _send(self, rank: int, kind: FrameKind, name: str, content: bytes) -> None:
        try:
            self._peers[rank].writer.write(kind, name, content)
        except OSError:
            self._lost(f"{self._name(rank)} is gone: nothing can be sent to it")

    def _take(self, rank: int, kind: FrameKind, name: str) -> bytes:
        try:
            return self._inboxes[rank].take(kind, name)
        except FrameError as error:
            raise EngineError(f"{self._name(rank)} is gone: {error}") from None

    def _name(self, rank: int) -> str:
        return self._peers[rank].name


def _argument(place: int, form: ArrayForm) -> str:
    """By which the engine knows an argument."""
    return f"kept {form.detail}" if form.how == "kept" else f"argument {place}"


def _result(place: int, form: ArrayForm) -> str:
    """Likewise a result: what is kept is the argument of a later run as it stands."""
    return f"kept {form.detail}" if form.how == "kept" else f"result {place}"


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
            if peer is None or inbox is None:
                return b""
            try:
                return inbox.take(FrameKind.ENGINE, name)
            except FrameError as error:
                lost(f"{peer.name} is gone: {error}")
                return b""

        def _nothing(self, *_: object) -> None:
            """Connections are tested, ended and bounded by ``mesh`` and ``liveness``."""

        TestSend = TestRecv = Abort = WaitLinkTaskFinish = _nothing
        SetThrottleWindowSize = SetChunkParallelSendSize = _nothing

    return Channel()
