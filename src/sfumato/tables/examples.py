"""Real data to try things on: UCI Adult (census income of 1994), and small images, which come with the package.

They are public: fitting them costs nobody anything, so they need no ledger (:func:`public_state`).
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any

from sfumato.tables.table import Table

_DATA = Path(__file__).parent / "data"
_PUBLISHED = {
    "adult.parquet": "e541408197f375385e64e3a0ebfb4702a7881b12d3951ad9d215361cf57b3dea",
    "adult_test.parquet": "978802107acbbcbbc76a6d5572bfe9b77dbdcab9e481b27e7f0e9645fcebba25",
}
"""SHA-256 of the tables in the package."""


class Example(type(Path())):  # pyright: ignore[reportUntypedBaseClass]
    """The path of an example that was written for the caller; knows what was written there, for good."""

    written: str | None = None

    def __setattr__(self, name: str, value: object) -> None:
        if name == "written":
            raise AttributeError("what was written to an example is fixed when it is written")
        super().__setattr__(name, value)


def public_state(source: Any) -> str | None:
    """The state of ``source`` if it is an example, unchanged; else None.

    An example is a table of the package, or a path that :func:`digits` gave, with the very names and bytes that belong
    there: no link, and nothing besides. A file is told by where it lies *and* by its bytes, so that neither a name nor
    a place makes rows public. Only files in the package, or at a path that this module gave out, are looked into.

    Two equal states, one from before the rows were opened and one from after they were read, say that nothing between
    wrote, linked or moved any of the files: the state also holds the times of their last change, which no program
    sets. (Folders above them that somebody swaps and swaps back are not seen.)
    """
    if isinstance(source, Example):
        right = source.written
    elif isinstance(source, str | os.PathLike) and _of_the_package(Path.cwd() / os.fspath(source)):
        right = _PUBLISHED.get(Path(source).name)
    else:
        return None
    path = Path.cwd() / source
    if right is None or not path.exists() or _digest(path) != right:
        return None
    return f"{right} {_changes(path)}"


def _of_the_package(path: Path) -> bool:
    """Whether a path leads into the package without a link or a step back that could lead elsewhere later."""
    return ".." not in path.parts and path.parent in (_DATA, Path(os.path.realpath(_DATA)))


def _digest(path: Path) -> str | None:
    """SHA-256 of a file, or of the names and bytes of all that a folder holds; None where a link is among it."""
    if _kind(path) == stat.S_IFREG:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for part in _parts(path):
        if _kind(part) == stat.S_IFREG:
            read = hashlib.sha256(part.read_bytes()).hexdigest()
        elif _kind(part) == stat.S_IFDIR:
            read = "folder"
        else:
            return None
        digest.update(f"{part.relative_to(path)}\0{read}\n".encode())
    return digest.hexdigest()


def _changes(path: Path) -> str:
    """SHA-256 of which files and folders there are, and of when each was last changed."""
    found = ((part, part.lstat()) for part in _parts(path))
    lines = (f"{part}\0{at.st_dev} {at.st_ino} {at.st_size} {at.st_ctime_ns}\n" for part, at in found)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _parts(path: Path) -> list[Path]:
    """The file or folder, and all that is in it; links are named, not followed."""
    return [path, *sorted(path.rglob("*"))]


def _kind(path: Path) -> int:
    return stat.S_IFMT(path.lstat().st_mode)


def adult() -> Path:
    """The 32,561 training rows x 15 columns, one row a person, as Parquet.

    Whole numbers are whole, the rest is text; what the original marks ``?`` (workclass, occupation,
    native-country) is null. Source: Becker and Kohavi, UCI Machine Learning Repository, CC BY 4.0 (the attribution
    lies beside the file).
    """
    return _DATA / "adult.parquet"


def adult_test() -> Path:
    """The 16,281 rows that the data set holds out for testing, in the same form as `adult`."""
    return _DATA / "adult_test.parquet"


def adult_schema() -> Path:
    """A reviewed schema of `adult`, every fact taken from the published description, not from the rows."""
    return _DATA / "adult.yaml"


def digits(path: str | os.PathLike[str]) -> Path:
    """Write 1,797 handwritten digits, 8x8 grey images with labels 0 to 9, to ``path`` (``.npz``, Parquet, a folder).

    The levels of grey, 0 to 16, are spread over 0 to 255. Source: Alpaydin and Kaynak, Optical Recognition of
    Handwritten Digits, UCI Machine Learning Repository, CC BY 4.0 (the attribution lies beside the file).

    Raises:
        MissingExtra: a folder, without Pillow.
        OutputError: a suffix that holds no images, or a place that cannot be written to.
    """
    Table.read(_DATA / "digits.npz").write(path)
    example = Example(path)
    vars(example)["written"] = _digest(example)
    return example


def digits_schema() -> Path:
    """A reviewed schema of `digits`."""
    return _DATA / "digits.yaml"
