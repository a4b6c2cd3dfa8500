"""One image in a PNG or JPEG file, decoded and written by Pillow, which the extra ``[images]`` brings."""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import numpy as np
from PIL import Image

from sfumato.errors import TableError
from sfumato.tables.images import Shape, checked_shape, described

_MOST_BYTES = 1 << 24
"""Of one file: an image of the largest size takes 12 KiB uncompressed."""
_PNG_DEPTH = 24  # the byte of a PNG file that says how many bits a channel has
_TRANSPARENT = ("LA", "La", "PA", "RGBA", "RGBa")
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


def decoded(path: str, number: int, file: str, shape: Shape) -> np.ndarray:
    """The levels of one file, (height, width, channels); its size is compared before a pixel is decoded."""
    image, found = opened(path, number, file)
    if found != shape:
        sizes = f"{described(found)}, the first one {described(shape)}"
        raise TableError(f"{_place(path, number)} is {sizes}; make all of one size and mode")
    try:
        plain = image if image.mode in ("L", "RGB") else image.convert("L" if image.mode == "1" else "RGB")
        return np.asarray(plain, np.uint8).reshape(shape)
    except _DAMAGE:
        raise _unreadable(path, number) from None


def opened(path: str, number: int, file: str) -> tuple[Image.Image, Shape]:
    """An image whose pixels are not decoded yet, with what its header says of its size.

    Raises:
        TableError: neither PNG nor JPEG, transparent, of more than 8 bits, or of a size that is not read.
    """
    with open(file, "rb") as stream:
        data = stream.read(_MOST_BYTES + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow finds odd is refused below, or read
            image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
    except _DAMAGE:
        raise _unreadable(path, number) from None
    if len(data) > _MOST_BYTES:
        raise TableError(
            f"{_place(path, number)} is a file of more than {_MOST_BYTES >> 20} MiB; save its pixels alone"
        )
    if "transparency" in image.info or image.mode in _TRANSPARENT:
        raise TableError(f"{_place(path, number)} is transparent; flatten it onto a background: convert('RGB')")
    if image.mode not in ("1", "L", "P", "RGB") or (image.format == "PNG" and data[_PNG_DEPTH] > 8):
        raise TableError(f"{_place(path, number)} is not of 8 bits in grey or RGB; convert it to 'L' or 'RGB'")
    sizes = (image.height, image.width, 1 if image.mode in ("1", "L") else 3)
    return image, checked_shape(_place(path, number), sizes)


def _place(path: str, number: int) -> str:
    return f"{path}: image {number + 1} in the order of names"


def _unreadable(path: str, number: int) -> TableError:
    return TableError(f"{_place(path, number)} is damaged, or neither PNG nor JPEG; fix it or take it out")


def picture(levels: np.ndarray) -> Image.Image:
    """Levels (height, width, channels) as an image that can be saved."""
    return Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels)
