"""The chart of one column, written as SVG by hand: each column has one, and a library takes ten times as long."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

FILL, LINE = "#8cbfdb", "#000000"
"""Light blue for the first table, black for the second: told apart in grey too."""
_WIDE, _HIGH = 250, 190
"""Units of the picture."""
_LEFT, _TOP, _RIGHT = 42, 22, 6
"""Room for the percentages, for the name of the column, and beside the last bar; in units of the picture."""
_LETTER, _ROW = 5.6, 14
"""Width of a letter and height of a line of labels."""
_TURN = 60
"""Degrees by which labels are turned where they would not fit side by side."""
_MANY = 38
"""Letters that fit side by side."""
_LONGEST = 14
"""Letters of a label that are shown."""
_SPIKE, _TAIL = 0.6, 1e-5
"""Share of one bin from which the axis of shares is logarithmic, and where that axis begins."""
_TICKS = 4
"""Steps of a linear axis, at most."""
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
"""What a step between two marks of the axis may be, times a power of ten."""


@dataclass(frozen=True)
class _Scale:
    """Shares to heights: 0 at the bottom of the axis, 1 at its top.

    Attributes:
        top: the share at the top.
        bottom: the share at the bottom; 0 where the axis is linear, else logarithms are taken.
        ticks: shares that are marked.
    """

    top: float
    bottom: float
    ticks: tuple[float, ...]

    @classmethod
    def of(cls, most: float, ordered: bool) -> _Scale:
        """Logarithmic where one bar of an ordered column would hide the tail."""
        if ordered and most > _SPIKE:
            return cls(1.0, _TAIL, tuple(10.0**k for k in range(round(math.log10(_TAIL)), 1)))
        most = most or 1.0
        unit = 10 ** math.floor(math.log10(most / _TICKS))
        step = next(s * unit for s in _STEPS if s * unit * _TICKS >= most)
        return cls(1.05 * most, 0.0, tuple(step * k for k in range(int(most / step + 1e-9) + 1)))

    def __call__(self, share: float) -> float:
        """The height of a share."""
        if not self.bottom:
            return share / self.top
        return math.log(max(share, self.bottom) / self.bottom) / math.log(self.top / self.bottom)


def column_chart(name: str, labels: Sequence[str], series: Mapping[str, np.ndarray], ordered: bool) -> str:
    """Shares per bin or category, (k,) each, of one column in up to two tables: the first filled, the second a line.

    Of an ordered column every bin is a bar without a gap and five of them are labelled; the second table is a staircase
    there, and a dash at each category otherwise.
    """
    filled, *others = series.values()
    shown = range(len(labels))
    if ordered:
        shown = sorted({round(k) for k in np.linspace(0, len(labels) - 1, min(5, len(labels)))})
    texts = {k: short(labels[k], _LONGEST) for k in shown}
    longest = max(map(len, texts.values()))
    turned = longest * len(texts) > _MANY
    floor = _HIGH - _ROW - (longest * _LETTER * math.sin(math.radians(_TURN)) if turned else 0)
    scale = _Scale.of(max(float(values.max()) for values in series.values()), ordered)
    wide = (_WIDE - _LEFT - _RIGHT) / len(labels)

    def up(share: float) -> str:
        return f"{floor - scale(share) * (floor - _TOP):.1f}"

    gap = 0.025 if ordered else 0.15
    bars = (
        f"M{_LEFT + (k + gap) * wide:.1f} {floor:.1f}V{up(share)}h{(1 - 2 * gap) * wide:.1f}V{floor:.1f}z"
        for k, share in enumerate(filled)
    )
    parts = [f'<text x="{_LEFT}" y="13" font-size="12" font-weight="bold">{escape(short(name, 34))}</text>']
    parts += [_mark(share, up) for share in scale.ticks]
    parts.append(f'<path d="{"".join(bars)}" fill="{FILL}"/>')
    for values in others:
        parts.append(f'<path d="{_line(values, wide, up, ordered)}" fill="none" stroke="{LINE}" stroke-width="1.5"/>')
    parts.append(f'<path d="M{_LEFT} {_TOP}V{floor:.1f}H{_WIDE - _RIGHT}" fill="none" stroke="{LINE}"/>')
    parts += [_label(text, _LEFT + (k + 0.5) * wide, floor + 11, turned) for k, text in texts.items()]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {_HIGH}" font-family="sans-serif"'
    label = escape(f"shares of the values of {name}")
    return f'{head} font-size="10" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _mark(share: float, up: Callable[[float], str]) -> str:
    """A mark of the axis of shares."""
    text = f'<text x="{_LEFT - 5}" y="{float(up(share)) + 3.5:.1f}" text-anchor="end">{100 * share:.3g}%</text>'
    return f'<path d="M{_LEFT} {up(share)}h-3" stroke="{LINE}"/>{text}'


def _label(text: str, x: float, y: float, turned: bool) -> str:
    """The label of a bar; one that would leave the picture ends at its edge."""
    anchor, turn = "middle", ""
    if turned:
        anchor, turn = "end", f' transform="rotate(-{_TURN} {x:.1f} {y:.1f})"'
    elif x + len(text) * _LETTER / 2 > _WIDE:
        anchor, x = "end", _WIDE - 1
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turn}>{escape(text)}</text>'


def _line(values: np.ndarray, wide: float, up: Callable[[float], str], ordered: bool) -> str:
    """The second table: a staircase, or a dash for each category."""
    if ordered:
        steps = "".join(f"V{up(share)}h{wide:.2f}" for share in values)
        return f"M{_LEFT} {up(values[0])}{steps}"
    return "".join(f"M{_LEFT + (k + 0.1) * wide:.1f} {up(share)}h{0.8 * wide:.1f}" for k, share in enumerate(values))


def short(text: str, limit: int) -> str:
    """At most so many letters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
