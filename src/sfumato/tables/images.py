"""Images as one Arrow column: fixed-shape tensors of levels 0 to 255, height x width x channels, channels last."""

from __future__ import annotations

import math
import os

import numpy as np
import pyarrow as pa

from sfumato.errors import TableError

IMAGE, LABEL = "image", "label"
"""Names of the columns that files of images are read into."""
LARGEST_SIDE = 64
"""Pixels that an image may be high or wide."""
CHANNELS = (1, 3)
"""Grey, or red, green and blue."""

_MOST_EXPANSION = 200
"""Bytes of pixels per byte of file, beyond which a large file is taken for a decompression bomb."""
_SMALL = 1 << 26
"""Bytes of images that need no check of how much they expand."""

Shape = tuple[int, int, int]


def image_type(shape: Shape) -> pa.FixedShapeTensorType:
    """The Arrow type of a column of images of ``shape`` (height, width, channels)."""
    return pa.fixed_shape_tensor(pa.uint8(), list(shape))


def image_shape(kind: pa.DataType) -> Shape | None:
    """(height, width, channels) of a column of images; None for a column of anything else.

    >>> image_shape(image_type((8, 8, 1))), image_shape(pa.int64())
    ((8, 8, 1), None)
    """
    if not isinstance(kind, pa.FixedShapeTensorType) or kind.value_type != pa.uint8() or kind.permutation is not None:
        return None
    if len(kind.shape) != 3 or not _fits(*kind.shape):
        return None
    height, width, channels = kind.shape
    return height, width, channels


def image_array(levels: np.ndarray, missing: np.ndarray | None = None) -> pa.FixedShapeTensorArray:
    """Images (n, height, width, channels) of uint8 as an Arrow array, null under ``missing``; not copied where they lie
    in order."""
    shape = levels.shape[1:]
    flat = pa.array(np.ascontiguousarray(levels).reshape(-1), pa.uint8())
    mask = None if missing is None or not missing.any() else pa.array(missing)
    stored = pa.FixedSizeListArray.from_arrays(flat, math.prod(shape), mask=mask)
    return pa.ExtensionArray.from_storage(image_type(shape), stored)


def image_levels(images: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """The images of an Arrow array without nulls, (n, height, width, channels) uint8; not copied where in one piece."""
    array = images.combine_chunks() if isinstance(images, pa.ChunkedArray) else images
    return array.storage.flatten().to_numpy().reshape(len(array), *array.type.shape)


def image_column(schema: pa.Schema) -> str | None:
    """Name of the first column of images, if there is one."""
    return next((f.name for f in schema if image_shape(f.type) is not None), None)


def described(shape: Shape) -> str:
    """A size for messages, such as ``28x28 grey``."""
    height, width, channels = shape
    return f"{height}x{width} {'grey' if channels == 1 else 'colour'}"


def checked_shape(source: str, shape: tuple[int, ...]) -> Shape:
    """(height, width, channels) of images of ``shape``, with one channel where it has but two numbers.

    Raises:
        TableError: of a size that is not read.
    """
    full = (*shape, 1) if len(shape) == 2 else shape
    if len(full) != 3 or not _fits(*full):
        found = " x ".join(map(str, shape)) or "no"
        raise TableError(
            f"{source}: images of {found} pixels; they may be up to {LARGEST_SIDE} high and wide, "
            "in 1 channel (grey) or 3 (colour), channels last: make them smaller"
        )
    return full


def check_expansion(path: str, size: int) -> None:
    """Refuse a file that would be read to ``size`` bytes, far more than images give by compression; TableError."""
    if size > max(_SMALL, _MOST_EXPANSION * os.path.getsize(path)):
        raise TableError(
            f"{path}: holds or promises more than {_MOST_EXPANSION} times its own size, as no images do; "
            "the file is damaged, or made to fill the memory"
        )


def _fits(height: int, width: int, channels: int) -> bool:
    return 1 <= height <= LARGEST_SIDE and 1 <= width <= LARGEST_SIDE and channels in CHANNELS
