"""Questions, as they come across a wire: damaged bytes, and forged ones in the right form."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.fuzz.damage import damaged, edited
from benchmarks.fuzz.kind import Kind, Valid
from benchmarks.fuzz.outcome import each

if TYPE_CHECKING:
    from sfumato.trust.questions import Question

_TRAINED = ("descent", "gradient step")
"""Kinds that only code with the extra [networks] can hold against a table."""


def _right() -> list[Question]:
    from sfumato.trust.questions import Count, Descent, FeatureSum, GradientStep, Marginals, Query, Scatter

    grouped = Query((0, 1), (np.array([0, 1, 1]), np.arange(40) // 8))
    descent = Descent("vae of tables", 100, 0.05, 1.0, 2.0, 3, 512, {"weight": np.array(0.5)})
    return [
        Count(),
        Marginals((Query((0, 2)), grouped)),
        FeatureSum("images", 17, 1.0),
        Scatter("directions of images", 16, 1, 1.0, {"centre": np.linspace(0, 1, 16)}),
        descent,
        GradientStep(descent.digest, 3, np.linspace(-1, 1, 50, dtype=np.float32), bytes(32)),
    ]


def _forged(data: bytes, rng: random.Random) -> bytes:
    """One whose header says something else, in the one form that a header has."""
    from sfumato.trust.questions.packing import MAGIC

    start = len(MAGIC) + 4
    end = start + int.from_bytes(data[start - 4 : start], "little")
    header: Any = json.loads(data[start:end])
    edited(header, rng)
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), default=str, skipkeys=True).encode()
    return MAGIC + len(text).to_bytes(4, "little") + text + (data[end:] if rng.random() < 0.8 else rng.randbytes(64))


def make_question(valid: Valid, rng: random.Random) -> dict[str, bytes]:
    """Damaged, forged, or both."""
    data = rng.choice(_right()).to_bytes()
    act = rng.random()
    return {"question.bin": damaged(data, rng) if act < 0.4 else _forged(data, rng)}


def _attempt(folder: Path) -> None:
    from sfumato.encoding.domain import Axis, Domain, Pixels
    from sfumato.trust.questions import SumQuestion, from_bytes

    data, pixels = (folder / "question.bin").read_bytes(), Pixels(0, 4, 4, 1)
    question = from_bytes(data)
    if question.to_bytes() != data or from_bytes(data) != question:
        raise AssertionError("two questions have one form")
    str(question)
    table = Domain.of(["age", "b", "c"], [3, 40, 2])
    images = Domain((*pixels.axes("image"), Axis("label", 2)), pixels)
    if question.kind not in _TRAINED:
        each(lambda: question.check(table), lambda: question.check(images))
    if isinstance(question, SumQuestion):
        each(lambda: question.price([0.5], 1), lambda: question.price([1e-300], 3))


QUESTIONS = Kind("question", make_question, _attempt, (), 3)
