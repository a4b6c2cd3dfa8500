"""Charts as inline SVG text: colour-blind safe (Okabe and Ito), legible in grey by dashes, markers and hatches."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sfumato.evaluation.result import Scores
from sfumato.reporting.column_chart import short

BLUE, ORANGE, GREY, GREEN, RED = "#0072B2", "#E69F00", "#767676", "#009E73", "#B8003A"
_SMALL = 8
"""The smallest letters, in points: read on a telephone, where a chart is about as wide as it is drawn."""
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "legend.fontsize": _SMALL,
}
"""Of every chart: small, without frames, readable in print."""


def _axes(width: float = 4.6, height: float = 2.9) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _svg(figure: Figure, label: str) -> str:
    """The figure as an ``<svg>`` that scales, with a text alternative."""
    out = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": label}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]*", "font-family: sans-serif", text)
    box = re.search(r'viewBox="[^"]*"', text)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {box and box.group()} '
    opening = f'{head}role="img" aria-label="{escape(label)}">'
    return re.sub(r"<svg[^>]*>", lambda _: opening, text, count=1)


def beside(shares: Mapping[str, np.ndarray], names: tuple[str, str], ends: Sequence[Sequence[str]]) -> str:
    """Two tables side by side in the same two columns: shares (a, b) per cell, darker is more, on one scale."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.2, 2.8), layout="constrained")
        both = figure.subplots(1, len(shares), sharey=True)
        most = max(float(np.sqrt(each).max()) for each in shares.values())
        for axes, (title, each) in zip(both, shares.items(), strict=True):
            axes.imshow(np.sqrt(each).T, origin="lower", aspect="auto", cmap="Blues", vmin=0, vmax=most)
            axes.set_title(title, fontsize=9)
            axes.set_xlabel(short(names[0], 24), fontsize=_SMALL)
            axes.set_xticks([0, len(each) - 1], [short(text, 10) for text in ends[0]], fontsize=_SMALL)
            axes.set_yticks([0, each.shape[1] - 1], [short(text, 10) for text in ends[1]], fontsize=_SMALL)
        both[0].set_ylabel(short(names[1], 24), fontsize=_SMALL)
        return _svg(figure, f"real beside synthetic rows: {names[0]} and {names[1]}")


def heat_map(names: Sequence[str], values: np.ndarray, title: str) -> str:
    """A symmetric matrix in [0, 1], darker is larger; its diagonal says nothing and is grey."""
    with matplotlib.rc_context(_STYLE):
        side = max(3.6, 0.24 * len(names) + 1.8)
        figure, axes = _axes(side, side)
        image = axes.imshow(
            np.where(np.eye(len(names)) > 0, np.nan, values),
            cmap=matplotlib.colormaps["Blues"].with_extremes(bad="#dddddd"),
            vmin=0,
            vmax=max(0.2, float(np.nanmax(values - np.eye(len(names))))),
        )
        axes.set_xticks(range(len(names)), [short(n, 18) for n in names], rotation=90, fontsize=_SMALL)
        axes.set_yticks(range(len(names)), [short(n, 18) for n in names], fontsize=_SMALL)
        figure.colorbar(image, ax=axes, shrink=0.6)
        axes.set_title(title, fontsize=9)
        return _svg(figure, title)


def error_curve(series: Mapping[str, np.ndarray]) -> str:
    """Cumulative share of queries against their absolute error, log scale."""
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes()
        for (name, errors), style in zip(series.items(), _lines(len(series)), strict=True):
            ranked = np.maximum(np.sort(errors), 1e-6)
            kept = np.unique(np.linspace(0, len(ranked) - 1, 200).astype(int))
            axes.plot(ranked[kept], (kept + 1) / len(ranked), label=name, **style)
        axes.set(
            xscale="log",
            xlabel="absolute error of the share",
            ylabel="share of queries",
            xlim=(1e-5, None),
            ylim=(0, 1.02),
        )
        _plain_logs(axes, "x")
        axes.legend(loc="lower right")
        return _svg(figure, "errors of random queries")


def learning_bars(learners: Mapping[str, Scores], score: str, base: float) -> str:
    """Trained on synthetic beside trained on real, per learner, over the majority guess."""
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes()
        at = np.arange(len(learners))
        for shift, kind, colour, hatch in ((-0.19, "tstr", BLUE, ""), (0.19, "trtr", ORANGE, "//")):
            values = [(m.tstr if kind == "tstr" else m.trtr)[score] for m in learners.values()]
            label = "trained on synthetic" if kind == "tstr" else "trained on real"
            bars = axes.bar(at + shift, values, 0.36, color=colour, hatch=hatch, edgecolor="white", label=label)
            axes.bar_label(bars, [f"{v:.3f}" for v in values], fontsize=_SMALL)
        axes.axhline(base, color=GREY, ls=":", label="guess without learning")
        axes.set_xticks(at, [n.replace("_", " ") for n in learners])
        axes.set(
            ylabel=f"{score.upper() if len(score) < 4 else score} on holdout rows",
            ylim=(min(0.0, base) if score == "r2" else max(0.0, min(0.4, base - 0.1)), 1.12),
        )
        axes.legend(loc="lower center", ncols=3, bbox_to_anchor=(0.5, 1.0), fontsize=_SMALL)
        return _svg(figure, "prediction of the target")


def roc(curves: Mapping[str, Sequence[tuple[float, float]]], epsilon: float | None, delta: float) -> str:
    """True against false positive rate of the membership attacks, both log, with the ceiling of the guarantee."""
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes(4.6, 3.6)
        grid = np.logspace(-3, 0, 60)
        for (name, points), style in zip(curves.items(), _lines(len(curves)), strict=True):
            x, y = np.array(points).T
            axes.plot(x, np.maximum(y, 3e-4), label=name.replace("_", " "), **style)
        axes.plot(grid, grid, color=GREY, ls=":", lw=1, label="chance")
        if epsilon is not None:
            axes.plot(
                grid,
                np.minimum(1, np.exp(min(epsilon, 50)) * grid + delta),
                color=RED,
                lw=2.2,
                label=f"ceiling at epsilon {epsilon:g}",
            )
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="false positive rate",
            ylabel="true positive rate",
            xlim=(1e-3, 1),
            ylim=(5e-4, 1.2),
        )
        _plain_logs(axes, "xy")
        axes.legend(fontsize=_SMALL, loc="lower right")
        return _svg(figure, "ROC curves of the membership attacks")


def subgroup_bars(groups: Sequence[tuple[str, float, float]]) -> str:
    """(name, distance of the synthetic rows, distance of holdout rows) per subgroup, worst first."""
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes(4.6, 1.1 + 0.24 * len(groups))
        at = -np.arange(len(groups))
        axes.barh(at, [g[1] for g in groups], 0.7, color=BLUE, label="synthetic rows")
        axes.plot([g[2] for g in groups], at, "|", color="black", ms=9, mew=2, label="holdout rows")
        axes.set_yticks(at, [short(g[0], 34) for g in groups], fontsize=_SMALL)
        axes.set_xlabel("mean total variation within the group")
        figure.legend(loc="outside upper center", ncols=2)
        return _svg(figure, "subgroups that are served worst")


def belief(epsilon: float) -> str:
    """The most an attacker can believe afterwards, against what was believed before."""
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes(3.8, 2.9)
        prior = np.linspace(0.001, 0.999, 200)
        odds = prior / (1 - prior)
        up, down = (odds * np.exp(s * min(epsilon, 50)) for s in (1, -1))
        axes.fill_between(
            prior, down / (1 + down), up / (1 + up), color=BLUE, alpha=0.25, label=f"possible at epsilon {epsilon:g}"
        )
        axes.plot(prior, prior, color="black", lw=1, ls="--", label="no release")
        axes.set(xlabel="belief before the release", ylabel="belief after it", xlim=(0, 1), ylim=(0, 1))
        axes.xaxis.set_major_formatter(lambda v, _: f"{v:.0%}")
        axes.yaxis.set_major_formatter(lambda v, _: f"{v:.0%}")
        axes.legend(loc="upper left")
        return _svg(figure, "an attacker's belief before and after")


def claimed_and_measured(
    bounds: Mapping[str, tuple[float, float]], claimed: float | None, provable: tuple[int, float]
) -> str:
    """(lower bound on epsilon, the same on a generator known to leak) per attack, beside the claim.

    ``provable``: how many rows there are to test with, and the most that a perfect attack could show with them.
    """
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes(4.6, 1.2 + 0.36 * len(bounds))
        at = -np.arange(len(bounds))
        kinds: tuple[tuple[float, dict[str, Any]], ...] = (
            (0.18, {"color": BLUE, "label": "this release"}),
            (-0.18, {"color": "#cccccc", "hatch": "//", "edgecolor": "white", "label": "a generator known to leak"}),
        )
        for number, (shift, look) in enumerate(kinds):
            values = [b[number] for b in bounds.values()]
            bars = axes.barh(at + shift, values, 0.34, **look)
            labels = axes.bar_label(bars, [f"{v:.2f}" for v in values], fontsize=_SMALL, padding=2)
            for label in labels:
                label.set(bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4}, zorder=4)
        found = [b[0] for b in bounds.values()]  # a bar of length 0 is not seen, its end is
        axes.plot(found, at + kinds[0][0], "D", color=BLUE, ms=4, zorder=5, clip_on=False)
        if claimed is not None:
            axes.axvline(claimed, color=RED, lw=2, zorder=3, label=f"claimed: {claimed:g}")
        rows, most = provable
        axes.axvline(most, color=GREY, ls=":", lw=1.5, label=f"most that {rows:,} rows can show")
        axes.set_yticks(at, [short(n, 40) for n in bounds], fontsize=_SMALL)
        axes.set_xlabel("epsilon is at least (95 %)")
        axes.set_xlim(0, None)
        figure.legend(loc="outside upper center", ncols=2, fontsize=_SMALL)
        return _svg(figure, "claimed and measured epsilon")


def utility_curve(points: Sequence[tuple[float, float]], ylabel: str, anchors: tuple[float, float]) -> str:
    """A measure against epsilon (log), with holdout rows and independent columns as lines."""
    with matplotlib.rc_context(_STYLE):
        figure, axes = _axes()
        x, y = np.array(sorted(points)).T
        axes.plot(x, y, "o-", color=BLUE, label="synthetic rows")
        axes.axhline(anchors[0], color="black", ls="--", lw=1, label="holdout rows")
        axes.axhline(anchors[1], color=GREY, ls=":", label="independent columns")
        axes.set(xscale="log", xlabel="epsilon", ylabel=ylabel)
        axes.set_xticks(x, [f"{v:g}" for v in x])
        axes.minorticks_off()
        axes.legend()
        return _svg(figure, "utility against epsilon")


def _plain_logs(axes: Axes, which: str) -> None:
    """Write the powers of ten of a log axis as numbers; titles and labels are never read as formulas."""
    for name in which:
        axis = axes.xaxis if name == "x" else axes.yaxis
        axis.set_major_formatter(lambda v, _: f"{v:g}")
        axis.set_minor_formatter(lambda v, _: "")


def _lines(n: int) -> list[dict[str, Any]]:
    """``n`` styles that differ without colour too: five colours in thin lines, then in thick ones."""
    colours = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9")
    dashes = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
    return [{"color": colours[i % 5], "ls": dashes[i % 5], "lw": 1.5 + 1.5 * (i // 5)} for i in range(n)]
