"""A folder of PNG or JPEG files: labels are the names of its sub-folders, or stand in a ``labels.csv``, or are none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from sfumato.errors import TableError
from sfumato.extras import require
from sfumato.tables.delimited import DelimitedFile
from sfumato.tables.dialect import Dialect
from sfumato.tables.guessing import guessed
from sfumato.tables.images import IMAGE, LABEL, Shape, image_array, image_type
from sfumato.tables.objects import as_text, object_cells

LISTING, FILE = "labels.csv", "file"
"""The list of labels, and its column of file names."""
_SUFFIXES = (".png", ".jpg", ".jpeg")
_NO_IMAGES = "is a folder without PNG or JPEG images; give one file, or a folder of images"


@dataclass(frozen=True)
class ImageFolder:
    """Image files, decoded as they are asked for.

    Attributes:
        path: the folder.
        files: paths of the images, in order; None for one that is listed and not there.
        beside: what is said of each image: a column ``label``, those of ``labels.csv``, or no column.
        shape: height, width, channels of every image.
        schema: ``image``, then the columns of ``beside``.
        declared: ``shape`` was declared: a file that is no such image is missing, and no error.

    *Formal guarantee.* Where the shape is declared, a file (or a line of ``labels.csv``) is read by itself: whatever it
    holds, is called, or lies in, it makes one row and changes no other. File and folder names are private as cells are:
    no error quotes one.
    """

    path: str
    files: tuple[str | None, ...] = field(repr=False)
    beside: pa.Table = field(repr=False)
    shape: Shape
    schema: pa.Schema = field(repr=False)
    declared: bool = False
    kind = "folder"

    @classmethod
    def open(cls, path: str, dialect: Dialect | None = None, declared: Shape | None = None) -> ImageFolder:
        """List the files, and read the size of the first where no shape is ``declared``.

        ``labels.csv`` is read by ``dialect``, or by a guess.

        Raises:
            MissingExtra: Pillow is not installed.
            TableError: no images, or a malformed ``labels.csv``; where no shape is declared also images and labelled
                sub-folders side by side, or a ``labels.csv`` that does not fit the files.
        """
        require("images", f"{path}: a folder of images")
        from sfumato.tables.image_files import opened

        images = _images(path)
        if not images:
            raise TableError(f"{path}: {_NO_IMAGES}")
        listed = os.path.isfile(os.path.join(path, LISTING))
        if listed:
            files, beside = _listed(path, images, dialect, declared is not None)
        elif declared is None:
            files, beside = _labelled(path, images)
        else:
            files, beside = list(images.values()), _names_of_folders(images, dialect)
        shape = opened(path, 0, files[0] or "")[1] if declared is None else declared
        fields = [pa.field(IMAGE, image_type(shape)), *beside.schema]
        return cls(path, tuple(files), beside, shape, pa.schema(fields), declared is not None)

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most ``size`` images."""
        from sfumato.tables.image_files import decoded

        for start in range(0, len(self.files), size):
            files = self.files[start : start + size]
            levels = np.zeros((len(files), *self.shape), np.uint8)
            missing = np.zeros(len(files), bool)
            for i, file in enumerate(files):
                try:
                    levels[i] = decoded(self.path, start + i, file or "", self.shape)
                except Exception:  # whatever a decoder says of one file
                    if not self.declared:
                        raise
                    missing[i] = True
            beside = (c.combine_chunks() for c in self.beside.slice(start, len(files)).columns)
            yield pa.record_batch([image_array(levels, missing), *beside], schema=self.schema)


def _images(path: str) -> dict[str, str]:
    """The images of a folder and of its sub-folders: name, as in ``cat/1.png``, to path, in order."""
    found = {}
    for entry in sorted(os.scandir(path), key=lambda e: e.name):
        if _is_image(entry):
            found[entry.name] = entry.path
        elif entry.is_dir() and not entry.name.startswith("."):
            own = sorted((e for e in os.scandir(entry.path) if _is_image(e)), key=lambda e: e.name)
            found |= {f"{entry.name}/{e.name}": e.path for e in own}
    return found


def _is_image(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith(_SUFFIXES) and not entry.name.startswith(".") and entry.is_file()


def _labelled(path: str, images: dict[str, str]) -> tuple[list[str | None], pa.Table]:
    """The images with their sub-folders as labels, or without labels where they lie in the folder itself."""
    labels = [name.rpartition("/")[0] for name in images]
    if not any(labels):
        return list(images.values()), pa.table({})
    if not all(labels):
        raise TableError(f"{path}: holds images in itself and in sub-folders; put each into that of its label")
    return list(images.values()), pa.table({LABEL: pa.array(labels, pa.string())})


def _names_of_folders(images: dict[str, str], dialect: Dialect | None) -> pa.Table:
    """The sub-folder of each image as its label, none for one outside; no column where the schema declares none."""
    if dialect is None or LABEL not in (dialect.names or ()):
        return pa.table({})
    return pa.table({LABEL: as_text(object_cells([name.rpartition("/")[0] or None for name in images]))})


def _listed(
    path: str, images: dict[str, str], dialect: Dialect | None, each: bool
) -> tuple[list[str | None], pa.Table]:
    """The images in the order of ``labels.csv``, with its other columns; ``each`` line by itself, also one that names
    no image, or one that another names; an image that none names is no row."""
    listing = os.path.join(path, LISTING)
    dialect = guessed(listing) if dialect is None else replace(dialect, names=None)
    source = DelimitedFile.open(listing, dialect, empty_is_null=True)
    if FILE not in source.schema.names or IMAGE in source.schema.names:
        raise TableError(f"{listing}: needs a column {FILE!r} that names the images, and none called {IMAGE!r}")
    table = pa.Table.from_batches(source.batches(1 << 16), schema=source.schema)
    names = table[FILE].to_pylist()
    if each:
        return [images.get(name) for name in names], table.drop_columns([FILE])
    for number, name in enumerate(names):
        if name not in images:
            raise TableError(f"{listing}: entry {number + 1} names no PNG or JPEG file of the folder")
    if len(set(names)) < len(names) or len(names) < len(images):
        raise TableError(f"{listing}: must name each image of the folder and of its sub-folders once")
    return [images[name] for name in names], table.drop_columns([FILE])
