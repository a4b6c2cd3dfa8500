"""``Engine``: the engine for programs on secret shares, as it is installed on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from sfumato.trust.mpc.engine.installing import default_folder, install, python_of
from sfumato.trust.mpc.engine.rehearsal import EngineRehearsal, rehearse


class Engine:
    """The engine for programs on secret shares, as it is installed on this machine.

    It is SecretFlow SPU 0.10.0.dev20251211 in an environment of its own, for three parties.

    Args:
        folder: where it was installed. Default: ``sfumato/engine`` among the user's data.

    Attributes:
        folder: where it is installed.

    Raises:
        EngineError: there is none in ``folder``.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = Path(os.path.abspath(folder)) if folder is not None else default_folder()
        python_of(self.folder)

    @classmethod
    def install(cls, folder: str | os.PathLike[str] | None = None) -> Engine:
        """Make its environment in ``folder``, of files known by their hashes; nothing is left behind where that fails.

        Raises:
            EngineError: this machine has no wheel or no fitting Python, or the files cannot be had.
            OutputError: something lies in ``folder``, or the place cannot be written to.
        """
        place = Path(os.path.abspath(folder)) if folder is not None else default_folder()
        install(place)
        return cls(place)

    def rehearse(self) -> EngineRehearsal:
        """Try it over three processes and mutual TLS, on simulated numbers, beside plain JAX, with mistakes planted.

        Raises:
            EngineError: a process ended before its time.
            MissingExtra: there is no JAX to compare with.
        """
        return rehearse(self.folder)
