"""What the package index shows of the README: the index holds no other file of this repository to link to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_PICTURE = re.compile(r"^!\[[^\]]*\]\((?!https?:)[^)]+\)\n+", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)]+)\)")


def published(readme: str) -> str:
    """The text without pictures and links that lead into the repository; a link becomes the path in the source."""
    return _LINK.sub(lambda link: f"{link[1]} (`{link[2]}` in the source)", _PICTURE.sub("", readme))


class ReadmeOfTheIndex(MetadataHookInterface):
    """Fills in the project's ``readme``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Called when a wheel or a source distribution is built."""
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": published(readme)}
