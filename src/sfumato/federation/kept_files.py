"""Small files in a folder that one side of a federation keeps: read bounded, replaced whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sfumato.bounded import read_bounded
from sfumato.errors import FederationError
from sfumato.federation.documents import replace_file
from sfumato.results.plain import Json

_MOST_BYTES = 16 << 20
"""Of any of these files: a study holds a schema of a thousand columns at most."""


class KeptFiles:
    """The files of one folder.

    Args:
        path: of the folder.
        mend: what to do where one of them is damaged.
    """

    def __init__(self, path: Path, mend: str) -> None:
        self._path, self._mend = path, mend

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self._path / name).exists()

    def data(self, name: str) -> bytes:
        """All of a file; FederationError where it cannot be read."""
        path = self._path / name
        try:
            return read_bounded(path, _MOST_BYTES, FederationError(f"{path} is damaged: it is too large"))
        except OSError as error:
            raise FederationError(f"cannot read {path}: {error.strerror or error}") from None

    def facts(self, name: str) -> dict[str, Any]:
        """The JSON object of a file; empty where there is none, FederationError where it is damaged."""
        if not self.has(name):
            return {}
        try:
            found = json.loads(self.data(name))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self.damaged(name)
        return found

    def damaged(self, name: str) -> FederationError:
        """What is said of a file that does not hold what it should."""
        return FederationError(f"{self._path / name} is damaged; {self._mend}")

    def save(self, name: str, facts: Mapping[str, Json]) -> None:
        """Replace a file, whole or not at all."""
        replace_file(self._path / name, json.dumps(facts, indent=1).encode())
