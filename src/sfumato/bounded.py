"""Files that are read whole: never more of one than its kind may hold, whatever it is and goes on to give."""

from __future__ import annotations

import os

from sfumato.errors import SfumatoError

_PIECE = 1 << 20
"""Bytes asked for at once: what gives no size beforehand, a device or a pipe, takes memory as it gives them."""


def read_bounded(path: str | os.PathLike[str], limit: int, beyond: SfumatoError, start: bytes = b"") -> bytes:
    """All bytes of a file.

    Args:
        path: a file, a device or a pipe.
        limit: how many bytes there may be.
        beyond: raised where there are more; of a file that says its size, before any is read.
        start: what the file begins with where it is of the wanted kind; of another, no more is read than shows that.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as stream:
        if os.fstat(stream.fileno()).st_size > limit:
            raise beyond
        data = bytearray(stream.read(_PIECE))
        while len(data) <= limit and data.startswith(start) and (piece := stream.read(_PIECE)):
            data += piece
    if len(data) > limit:
        raise beyond
    return bytes(data)
