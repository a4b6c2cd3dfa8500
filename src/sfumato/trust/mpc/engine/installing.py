"""The engine's environment: made whole or not at all, of files that are known by their hashes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from sfumato.atomic import atomic_folder
from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.machine import STILL, check_machine, fitting_python

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
"""What is installed, each file by its hash."""
_TRIES, _SECONDS = "1", "15"
"""Of pip with a package index that does not answer: it is told soon, and nothing is lost by trying again."""
_IMPORT = (
    "import sys, types, importlib.util as u; m = types.ModuleType('spu'); m.__path__ = [sys.argv[1]];"
    " sys.modules['spu'] = m; import spu.libspu, numpy"
)
"""Of what parties import: the package's own ``__init__`` needs a JAX that is not there."""


def default_folder() -> Path:
    """Where the engine is looked for when no folder is named: ``sfumato/engine`` among the user's data."""
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "sfumato" / "engine"


def python_of(folder: Path) -> Path:
    """The Python of an engine; EngineError where ``folder`` holds none."""
    python = folder / "bin" / "python"
    if not python.exists() or not package_of(folder).is_dir():
        raise EngineError(f"{folder} holds no engine: sfumato party install {folder}; {STILL}")
    return python


def package_of(folder: Path) -> Path:
    """Where the engine's own code lies in its environment."""
    return folder / "lib" / "python3.11" / "site-packages" / "spu"


def install(folder: Path, requirements: Path = REQUIREMENTS) -> Path:
    """Make the engine's environment in ``folder``, and return its Python.

    Args:
        folder: new, or empty.
        requirements: what is installed, with hashes.

    Raises:
        EngineError: this machine has no wheel or no fitting Python, or the files cannot be had; ``folder`` is
            as it was.
        OutputError: something lies in ``folder``, or the place cannot be written to.
    """
    check_machine()
    python = fitting_python()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(folder) as made:
        _run(
            [python, "-m", "venv", made],
            f"{python} cannot make an environment (its modules venv and ensurepip are needed)",
        )
        inside = made / "bin" / "python"
        pip = ["-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--retries", _TRIES]
        files = ["--timeout", _SECONDS, "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", requirements]
        _run([inside, *pip, *files], "the engine's files cannot be had from the package index of pip")
        _run([inside, "-I", "-c", _IMPORT, package_of(made)], "the engine does not start on this machine")
    return python_of(folder)


def _run(command: list[str | Path], failed: str) -> None:
    """EngineError, which quotes no word of the program: pip's name the index, and perhaps a password for it."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode == 0:
        return
    if "DO NOT MATCH THE HASHES" in done.stderr:
        failed = "the package index gave another file than the one that is known by its hash; nothing of it was run"
    raise EngineError(f"{failed}; nothing was left behind, and {STILL}")
