"""Which tables sfumato wrote and nobody has changed since: only those may be replaced without a word.

A table of synthetic rows looks like one of real rows, so what is written gets a mark: an extended attribute of the
file, bound to its size and to when it was last written. A file that is edited, or that another is copied over, is no
longer marked. Where a file system keeps no such attributes no file is, and replacing one needs a word.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

_MARK = "user.sfumato.written"


def mark(descriptor: int) -> None:
    """Mark the open file, whose every byte was written and will not change."""
    if sys.platform == "linux":
        with suppress(OSError):  # a file system without attributes
            os.setxattr(descriptor, _MARK, _state(os.fstat(descriptor)))


def is_marked(path: str | os.PathLike[str]) -> bool:
    """Whether the file at ``path`` is as it was when it was marked."""
    if sys.platform == "linux":
        with suppress(OSError):
            return os.getxattr(path, _MARK) == _state(os.stat(path))
    return False


def claim(source: object) -> None:
    """Take the mark off a file of rows that somebody works with as real ones: they are data, whoever wrote them."""
    if sys.platform == "linux" and isinstance(source, str | os.PathLike):
        with suppress(OSError, ValueError):  # a URL, a folder, a file of somebody else: it bears no mark
            os.removexattr(source, _MARK)


def _state(found: os.stat_result) -> bytes:
    return b"%d %d" % (found.st_size, found.st_mtime_ns)
