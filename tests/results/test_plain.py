"""Typed results become plain JSON values, all the way down, and a small escaped table."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

from sfumato.results.notebook import table
from sfumato.results.plain import as_dict


@dataclass(frozen=True)
class Inner:
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Outer:
    name: str
    parts: dict[str, Inner]
    best: Inner | None = None


def test_a_dataclass_becomes_what_json_holds():
    found = as_dict(Outer("a", {"x": Inner((0.5, 1.0))}))
    assert found == {"name": "a", "parts": {"x": {"shares": [0.5, 1.0]}}, "best": None}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_what_json_has_not_is_an_error_and_no_guess():
    with pytest.raises(TypeError, match="ndarray"):
        as_dict(Outer("a", {}, np.zeros(2)))  # type: ignore[arg-type]


def test_a_table_escapes_every_text():
    page = table("<a>", ("<b>",), [("<script>&",)], "<i>")
    assert "<script>" not in page
    assert all(shown in page for shown in ("&lt;a&gt;", "&lt;b&gt;", "&lt;script&gt;&amp;", "&lt;i&gt;"))
