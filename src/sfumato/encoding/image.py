"""Images: every pixel an axis of 256 codes, its levels; encoded and decoded as one block."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sfumato.encoding.column import Encoded
from sfumato.encoding.domain import Pixels
from sfumato.errors import RefusedValue, SchemaError
from sfumato.schema.columns import ImageColumn
from sfumato.tables.images import described, image_array, image_levels, image_shape, image_type
from sfumato.tables.objects import OBJECTS


@dataclass(frozen=True)
class ImageCodec:
    """Codec of the pixels of a declared size.

    Attributes:
        column: the schema's facts.
    """

    column: ImageColumn

    @property
    def type(self) -> pa.DataType:
        """Arrow type of what goes in and comes out."""
        return image_type(self.column.shape)

    def pixels(self, start: int) -> Pixels:
        """The axes as they lie in a domain from position ``start``."""
        return Pixels(start, *self.column.shape)

    def encode(self, images: pa.Array) -> Encoded:
        """Images to codes, (n, height * width * channels) uint8, row by row, channels last; no level is outside.

        A missing image makes no record.

        Raises:
            SchemaError: the column is stored as no images, or as images of another size than the schema says.
        """
        name, found = self.column.name, image_shape(images.type)
        if images.type == OBJECTS:
            raise SchemaError(
                f"column {name!r} holds Python objects, and the schema says images; give images as .npz, Parquet, "
                "pyarrow or polars"
            )
        if found is None:
            raise SchemaError(f"column {name!r} holds {images.type}, and the schema says images; fix its kind")
        if found != self.column.shape:
            raise SchemaError(
                f"column {name!r} holds images of {described(found)}, the schema says {described(self.column.shape)}; "
                "fix its height, width and channels"
            )
        pixels = math.prod(found)
        if not images.null_count:
            return Encoded(image_levels(images).reshape(len(images), pixels))
        missing = images.is_null().to_numpy(zero_copy_only=False)
        codes = np.zeros((len(images), pixels), np.uint8)
        codes[~missing] = image_levels(images.drop_null()).reshape(-1, pixels)
        return Encoded(codes, None, missing, RefusedValue(f"column {name!r} has missing images; leave those rows out"))

    def decode(self, codes: np.ndarray) -> pa.Array:
        """Codes (n, height * width * channels) to images."""
        return image_array(codes.astype(np.uint8, copy=False).reshape(-1, *self.column.shape))
