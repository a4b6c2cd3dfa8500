"""Grey-box replay: run a pipeline on two neighbouring data sets under the same noisy answers, and compare its course.

If the answers are all that a pipeline learns of its rows, it must ask the same questions of both data sets, and the
exact answers may differ by no more than the sensitivity for which noise was added.

Source: Cebere et al. 2026 (Re:cord-play), the idea; nothing of its code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import count
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

import numpy as np

from sfumato.trust.setting import Measurement

if TYPE_CHECKING:
    from hashlib import _Hash

Released: TypeAlias = float | np.ndarray | Sequence[Measurement]
"""What a setting may answer."""

Answer = TypeVar("Answer", bound=Released)
Rows = TypeVar("Rows")
_SLACK = 1e-6
"""Part by which an answer may move further than declared: rounding."""


class Divergence(Exception):  # noqa: N818 - not an error of the program: it ends a replay that has left the course
    """A replay asked another question than was recorded."""


@dataclass(frozen=True)
class Step:
    """One question: its name, a digest of its public arguments, exact values and their declared sensitivities (l2)."""

    question: str
    digest: str
    exact: tuple[np.ndarray, ...]
    declared: tuple[float, ...]


@dataclass
class AnswerTape:
    """Questions and released answers, recorded in a first run and played back in a second."""

    steps: list[Step] = field(default_factory=list)
    answers: list[Released] = field(default_factory=list)
    _playing: AnswerTape | None = None

    def replay(self) -> AnswerTape:
        """A tape that gives this one's answers to the same questions."""
        return AnswerTape(_playing=self)

    def answer(
        self,
        question: str,
        arguments: object,
        exact: Sequence[np.ndarray],
        declared: Sequence[float],
        release: Callable[[], Answer],
    ) -> Answer:
        """Record a question; its answer is ``release()``, or what was recorded. Raises ``Divergence`` in a replay."""
        step = Step(question, digest(arguments), tuple(np.asarray(e, float) for e in exact), tuple(declared))
        self.steps.append(step)
        if self._playing is None:
            released = release()
            self.answers.append(released)
            return deepcopy(released)
        at = len(self.steps) - 1
        recorded = self._playing.steps[at : at + 1]
        if not recorded or (recorded[0].question, recorded[0].digest) != (step.question, step.digest):
            raise Divergence(f"step {at}: {question}")
        return cast(Answer, deepcopy(self._playing.answers[at]))  # of the type of the same question


@dataclass(frozen=True)
class Trace:
    """Outcome of a replay.

    Attributes:
        steps: questions recorded.
        findings: one line per defect; empty for a pipeline that keeps its course and its sensitivities.
        tightest: largest share of a declared sensitivity that the two data sets used (above 1 is a defect).
    """

    steps: int
    findings: tuple[str, ...]
    tightest: float


@contextmanager
def _same_draws() -> Iterator[None]:
    """Unseeded numpy generators made within are seeded by their number."""
    make, numbers = np.random.default_rng, count()
    np.random.default_rng = lambda seed=None: make(next(numbers) if seed is None else seed)
    try:
        yield
    finally:
        np.random.default_rng = make


def trace(pipeline: Callable[[Rows, AnswerTape], object], data: Rows, neighbour: Rows) -> Trace:
    """Record ``pipeline(data, tape)``, replay ``pipeline(neighbour, tape)`` under the recorded answers, compare.

    The pipeline passes every private question through the tape (:class:`Taped` does so for a setting). What the two
    runs return is compared too: under equal answers it must be equal. What a pipeline draws for itself from an unseeded
    numpy generator is the same in both runs.
    """
    tape = AnswerTape()
    with _same_draws():
        first = pipeline(data, tape)
    again = tape.replay()
    findings = []
    try:
        with _same_draws():
            second = pipeline(neighbour, again)
    except Divergence as end:
        findings.append(f"control flow depends on the rows: {end} was not what the first run asked")
    else:
        if len(again.steps) != len(tape.steps):
            findings.append(f"control flow depends on the rows: {len(again.steps)} questions after {len(tape.steps)}")
        elif digest(first) != digest(second):
            findings.append("the result differs under equal answers: something of the rows went around them")
    tightest = 0.0
    for at, (one, other) in enumerate(zip(tape.steps, again.steps, strict=False)):
        for a, b, declared in zip(one.exact, other.exact, one.declared, strict=False):
            if a.shape != b.shape:
                findings.append(f"step {at}: {one.question} has an answer whose shape depends on the rows")
                continue
            share = float(np.linalg.norm((a - b).ravel())) / declared
            tightest = max(tightest, share)
            if share > 1 + _SLACK:
                findings.append(f"step {at}: {one.question} moved by {share:.2f} of its declared sensitivity")
    return Trace(len(tape.steps), tuple(findings), tightest)


def digest(value: object) -> str:
    """A hash of nested tuples, lists, mappings, dataclasses, arrays and plain values; functions by name."""
    found = hashlib.sha256()
    _feed(found, value)
    return found.hexdigest()


def _feed(found: _Hash, value: object) -> None:
    if isinstance(value, np.ndarray):
        found.update(repr((value.dtype.str, value.shape)).encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, dict):
        _feed(found, sorted(value.items(), key=lambda item: repr(item[0])))
    elif isinstance(value, list | tuple):
        found.update(f"[{len(value)}".encode())
        for item in value:
            _feed(found, item)
    elif callable(value):
        found.update(getattr(value, "__qualname__", type(value).__qualname__).encode())
    elif is_dataclass(value):
        _feed(found, [(f.name, getattr(value, f.name)) for f in fields(value)])
    else:
        found.update(repr(value).encode())
