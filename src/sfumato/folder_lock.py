"""A folder that one fit has to itself."""

from __future__ import annotations

import fcntl
import os
import weakref
from contextlib import suppress
from pathlib import Path

from sfumato.errors import CheckpointError, OutputError

_LOCK = ".sfumato.lock"


class FolderLock:
    """The right to a folder, until it is given back or the process ends; taken with :meth:`take`.

    It is a lock of the kernel (flock) on a file in the folder, so a process that is killed leaves none behind.
    """

    def __init__(self, folder: Path, descriptor: int) -> None:
        self._folder = folder
        self._close = weakref.finalize(self, os.close, descriptor)

    @classmethod
    def take(cls, folder: Path) -> FolderLock:
        """Lock ``folder``, which is made where it is not there.

        Raises:
            CheckpointError: another fit has it.
            OutputError: it cannot be made, written to or locked.
        """
        while True:
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            except FileNotFoundError:  # its last holder took the folder away in between
                continue
            except OSError as error:
                raise OutputError(f"cannot use the folder {folder}: {error.strerror}") from None
            lock = cls(folder, descriptor)
            if os.fstat(descriptor).st_size:
                raise OutputError(f"{folder / _LOCK} holds something, and is no lock of a fit; name another folder")
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CheckpointError(
                    f"{folder} is the checkpoint of a fit that still goes on, or whose model was not saved yet; wait,"
                    " or name another folder"
                ) from None
            except OSError as error:
                raise OutputError(f"the folder {folder} cannot be locked: {error.strerror}; name another") from None
            if lock._stands(descriptor):
                return lock
            lock._close()  # of a file that its last holder deleted

    def _stands(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self._folder / _LOCK))
        except FileNotFoundError:
            return False

    def give_back(self) -> None:
        """Unlock the folder; it goes where it is empty. A second time does nothing."""
        if self._close.alive:
            (self._folder / _LOCK).unlink(missing_ok=True)
            with suppress(OSError):
                self._folder.rmdir()
            self._close()
