"""A relay that delays: all that comes at one port goes on to another, each byte so many milliseconds later, both ways.

    python -m benchmarks.mpc.relay FROM TO MILLISECONDS

It opens no message: what goes through stays as its ends encrypted it. Bytes that come close together leave close
together, so a message takes one delay, however long it is; a connection takes one more for its handshake.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK = 1 << 18
_HOST = "localhost"
_START = 30.0


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Hand on what comes, ``delay`` seconds later, in order."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def hand_on() -> None:
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                writer.close()
                return
            writer.write(data)
            await writer.drain()

    sending = asyncio.create_task(hand_on())
    data = b"first"
    while data:
        with suppress(ConnectionError):
            data = await reader.read(_CHUNK)
        waiting.put_nowait((loop.time() + delay, data))
    with suppress(ConnectionError):
        await sending


async def _serve(own: int, to: int, delay: float) -> None:
    async def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2 * delay)  # of the connection's own handshake, there and back
        try:
            onward, back = await asyncio.open_connection(_HOST, to)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, back, delay), _pump(onward, writer, delay))

    server = await asyncio.start_server(come, _HOST, own)
    async with server:
        await server.serve_forever()


@contextmanager
def relaying(own: int, to: int, delay: float) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does so while the block lasts; ``delay`` in seconds."""
    command = [sys.executable, "-m", "benchmarks.mpc.relay", str(own), str(to), str(1000 * delay)]
    process = subprocess.Popen(command)
    try:
        end = time.monotonic() + _START
        while time.monotonic() < end:
            with suppress(OSError), socket.create_connection((_HOST, own)):
                break
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000))
