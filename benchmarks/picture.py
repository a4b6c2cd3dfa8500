"""Real Adult rows beside synthetic ones: ``python -m benchmarks.picture demo docs/images/adult.png``."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np

import sfumato as sf

matplotlib.use("Agg")
from matplotlib import pyplot as plt

REAL, SYNTHETIC = "#0072b2", "#e69f00"


def main(demo: str, picture: str) -> None:
    """Draw three panels from the demo's synthetic table and the embedded rows."""
    real = sf.examples.adult().to_pandas()
    made = sf.Table.read(Path(demo) / "synthetic.csv").to_pandas()
    made["age"], made["hours-per-week"] = made["age"].astype(int), made["hours-per-week"].astype(int)
    figure, (ages, rich, weeks) = plt.subplots(1, 3, figsize=(11, 3), layout="constrained")
    years = np.arange(17, 92, 3)
    for frame, colour, name in ((real, REAL, "real"), (made, SYNTHETIC, "synthetic, ε = 1")):
        style = {"color": colour, "label": name, "linewidth": 2}
        heights, edges = np.histogram(frame["age"], years, density=True)
        ages.stairs(heights, edges, **style)
        share = (frame["income"] == ">50K").groupby(frame["age"] // 5 * 5).mean()
        share = share[share.index < 80]
        rich.plot(share.index, share, marker="o", markersize=4, **style)
        work = frame["hours-per-week"].groupby(frame["age"] // 5 * 5).mean()
        work = work[work.index < 80]
        weeks.plot(work.index, work, marker="o", markersize=4, **style)
    ages.set(title="age", xlabel="years", ylabel="density")
    rich.set(title="income above 50K by age", xlabel="years", ylabel="share")
    weeks.set(title="hours per week by age", xlabel="years", ylabel="mean")
    ages.legend(frameon=False)
    for axes in (ages, rich, weeks):
        axes.spines[["top", "right"]].set_visible(False)
    Path(picture).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:3])
