"""Pictures of a table of images: a grid of samples, inlined."""

from __future__ import annotations

import base64
import io
from html import escape

import pyarrow as pa

from sfumato.tables.image_files import picture
from sfumato.tables.images import image_levels
from sfumato.tables.pictures import sample_grid


def image_grid(table: pa.Table, image: str, label: str | None) -> str:
    """An ``<img>`` of some images of the column ``image``, a row for each value of ``label``."""
    levels = sample_grid(image_levels(table[image]), None if label is None else table[label])
    out = io.BytesIO()
    picture(levels).save(out, "PNG", optimize=True)
    text = escape(f"samples of {image}" + ("" if label is None else f", a row for each {label}"))
    return f'<img class="grid" alt="{text}" src="data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}">'
