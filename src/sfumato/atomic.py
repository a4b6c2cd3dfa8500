"""Files and folders that appear whole or not at all: written beside their place, flushed to disk, then renamed."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from sfumato.errors import OutputError
from sfumato.outputs import Kind, check_output
from sfumato.written import mark

_REASONS = {
    errno.ENOSPC: "no space is left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than this account may write",
    errno.EACCES: "writing there is not permitted",
    errno.EPERM: "writing there is not permitted",
    errno.EROFS: "the file system is read-only",
    errno.ENOENT: "the folder does not exist; make it first",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EISDIR: "it is a folder; name a file in it",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENOTEMPTY: "the folder holds files already; name a new one",
    errno.EEXIST: "it exists already, and is never replaced; choose another name",
}


_TRIED = 1 << 16
"""Bytes that must fit for a place to be worth writing to."""


@contextmanager
def atomic_write(path: str | os.PathLike[str], kind: Kind, overwrite: bool | None = None) -> Iterator[BinaryIO]:
    """Open ``path`` for writing bytes so that readers see the old file or the whole new one, never a part.

    A path that is a device or a pipe is written directly; a symbolic link is followed. A file that is there is replaced
    only where it is of ``kind``: see :func:`sfumato.outputs.check_output`, also for ``overwrite``.

    Raises:
        OutputError: something else lies there, the place cannot be written to, or the disk is full. Nothing is left
            behind.
    """
    check_output(path, kind, overwrite=overwrite)
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file() and not target.is_dir():
            with target.open("wb") as stream:
                yield stream
            return
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a directory")
        with _replacing(target, kind.marked) as stream:
            yield stream
    except OSError as error:
        raise _unwritable(path, error) from None


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A folder to fill, which appears at ``path`` when it is full; nothing that lies there is ever replaced.

    Raises:
        OutputError: there is something at ``path`` but an empty folder, or the disk is full. Nothing is left behind.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.is_dir() and any(target.iterdir()):
            raise OSError(errno.ENOTEMPTY, "")
        if target.exists() and not target.is_dir():
            raise OSError(errno.EEXIST, "")
        part = _beside(target)
        try:
            part.mkdir()
            yield part
            os.replace(part, target)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    except OSError as error:
        raise _unwritable(path, error) from None


@contextmanager
def atomic_new(path: str | os.PathLike[str], mode: int = 0o666) -> Iterator[BinaryIO]:
    """Open a new file with these permissions, which appears when it is whole; nothing that lies there is replaced.

    Raises:
        OutputError: there is something at ``path``, it cannot be written to, or the disk is full. Nothing is left
            behind.
    """
    target = Path(os.path.realpath(path))
    part = _beside(target)
    try:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "")
        try:
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(handle, "wb") as stream:
                yield cast(BinaryIO, stream)
                stream.flush()
                os.fsync(stream.fileno())
            _move_to_new(part, target)
            sync_folder(target.parent)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None


def appear(path: str | os.PathLike[str], make: Callable[[Path], None]) -> None:
    """Make a file beside ``path`` and move it there, unless another process was faster; nothing is ever replaced.

    Raises:
        OSError: it cannot be made. Nothing is left behind.
    """
    target = Path(os.path.realpath(path))
    part = _beside(target)
    try:
        make(part)
        with suppress(FileExistsError):
            _move_to_new(part, target)
        sync_folder(target.parent)
    finally:
        part.unlink(missing_ok=True)


def _move_to_new(part: Path, target: Path) -> None:
    """Give ``part`` its name; FileExistsError where there is a file of that name."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a file system that knows no second names
        with open(os.open(target.parent, os.O_RDONLY)) as folder:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, "exists already") from None
            os.rename(part, target)


def sync_folder(folder: Path) -> None:
    """Make names that were given or taken away in a folder last, also through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: str | os.PathLike[str], error: OSError) -> OutputError:
    reason = _REASONS.get(error.errno or 0) or error.strerror or type(error).__name__
    return OutputError(f"cannot write {os.fspath(path)}: {reason}")


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")


def check_writable(path: str | os.PathLike[str], kind: Kind, inputs: Iterable[Any] = ()) -> None:
    """Find out, before work that costs something, that its result could not be written to ``path``; devices aside.

    Raises:
        OutputError: the place cannot be written to, or something lies there that must stay: one of the ``inputs``, or
            what is not of ``kind`` (see :func:`sfumato.outputs.check_output`).
    """
    check_output(path, kind, inputs)
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        return
    with suppress(_OnlyTried), atomic_write(path, kind) as stream:
        stream.write(bytes(_TRIED))
        stream.flush()
        raise _OnlyTried


class _OnlyTried(Exception):  # noqa: N818 - what it says of a writing
    """Ends a writing whose place was found to be there, so that nothing is left behind."""


@contextmanager
def _replacing(target: Path, marked: bool) -> Iterator[BinaryIO]:
    part = _beside(target)
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)  # a signal behind it finds the try
        with os.fdopen(handle, "wb") as stream:
            yield cast(BinaryIO, stream)
            stream.flush()
            os.fsync(stream.fileno())
            if marked:
                mark(stream.fileno())
        os.replace(part, target)
        sync_folder(target.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
