"""The three criteria of the Article 29 Working Party against Anonymeter's estimates, on five generators of Adult.

Anonymeter 1.1.0 (Giomi et al. 2023) asks for NumPy below 1.27 and runs in an environment of its own:
``make .others/anonymeter`` (or any folder of environments that SFUMATO_OTHERS names). Compared is the risk, the excess
of success on used rows over that on unused ones as a share of what was left to gain. All 20 intervals hold together at
95 % on each side, and each of ours must meet each of theirs.

Both sides see the synthetic table without repeated rows: in Anonymeter's linkability two copies of one row have two
numbers, so that halves which lead to either are not taken for a link, and a bootstrap is rated lower (0.27) for
repeating rows (0.36 without).
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from benchmarks.attacks import adult, copula
from scipy import stats

from sfumato.auditing.attacks.attribute_inference import attribute_inference
from sfumato.auditing.attacks.game import Population
from sfumato.auditing.attacks.linkability import linkability
from sfumato.auditing.attacks.singling_out import singling_out

pytestmark = pytest.mark.oracle

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("SFUMATO_OTHERS", ROOT / ".others")) / "anonymeter" / "bin" / "python"
ROWS = 4000
SECRETS = ("occupation", "marital-status")
COMPARISONS = 20
LEVEL = 1 - 0.05 / COMPARISONS
GENERATORS = ("fresh", "independent", "copula", "partly copied", "bootstrap")


@pytest.fixture(scope="module")
def population() -> Population:
    rows, domain = adult()
    return Population(rows[:ROWS], rows[ROWS : 2 * ROWS], rows[2 * ROWS : 3 * ROWS], domain)


def made(generator: str, population: Population) -> np.ndarray:
    """Synthetic rows of one of the five generators."""
    rng = np.random.default_rng(0)
    members = population.members
    smooth = copula(members, rng)
    partly = np.concatenate([members[: ROWS // 10], smooth[ROWS // 10 :]])
    tables = {
        "fresh": adult()[0][3 * ROWS : 4 * ROWS],
        "independent": rng.permuted(members, axis=0),
        "copula": smooth,
        "partly copied": partly,
        "bootstrap": members[rng.integers(ROWS, size=ROWS)],
    }
    return np.unique(tables[generator], axis=0)


def risk(train: np.ndarray, control: np.ndarray) -> tuple[float, float]:
    """The interval of ``(a - c) / (1 - c)`` of two success rates, by the delta method with half a success added."""
    (a, va), (c, vc) = (_rate(x) for x in (train, control))
    spread = np.sqrt(va + vc * ((1 - a) / (1 - c)) ** 2) / (1 - c)
    width = stats.norm.ppf((1 + LEVEL) / 2) * spread
    middle = (a - c) / (1 - c)
    return max(0.0, middle - width), max(0.0, middle + width)


def _rate(hits: np.ndarray) -> tuple[float, float]:
    p = (hits.sum() + 0.5) / (len(hits) + 1)
    return float(p), float(p * (1 - p) / len(hits))


def ours(population: Population, synthetic: np.ndarray) -> dict[str, tuple[float, float]]:
    rng = np.random.default_rng(0)
    p = population
    found = {
        "singling_out": risk(*singling_out(p.members, p.controls, synthetic, p.domain, rng)[:2]),
        "linkability": risk(*linkability(p, synthetic, np.random.default_rng(0))[:2]),
    }
    for secret in SECRETS:
        guessed = attribute_inference(p, synthetic, p.domain.index(secret))
        found[secret] = risk(guessed.members, guessed.controls)
    return found


def theirs(population: Population, synthetic: np.ndarray, folder: Path) -> dict[str, tuple[float, float]]:
    axes = population.domain.axes
    for name, table in (("real", population.members), ("control", population.controls), ("synthetic", synthetic)):
        with (folder / f"{name}.csv").open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(population.domain.names)
            for row in table.tolist():
                writer.writerow([v if a.ordered else f"c{v}" for v, a in zip(row, axes, strict=True)])
    order = np.random.default_rng(0).permutation(len(axes))  # the halves that ``linkability`` draws
    first = ",".join(axes[i].name for i in order[: len(axes) // 2])
    script = Path(__file__).with_name("anonymeter_risks.py")
    command = [str(PYTHON), "-W", "ignore", str(script), str(folder), str(LEVEL), first, *SECRETS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name: tuple(interval) for name, interval in json.loads(done.stdout).items()}


@pytest.mark.parametrize("generator", GENERATORS)
def test_intervals_meet(generator: str, population: Population, tmp_path: Path) -> None:
    if not PYTHON.exists():
        pytest.skip("Anonymeter's environment is missing; make it with: make .others/anonymeter")
    synthetic = made(generator, population)
    one, other = ours(population, synthetic), theirs(population, synthetic, tmp_path)
    assert one.keys() == other.keys()
    apart = {k: (one[k], other[k]) for k in one if one[k][1] < other[k][0] or other[k][1] < one[k][0]}
    assert apart == {}


def test_a_copying_generator_would_not_pass_for_a_fresh_one(population: Population) -> None:
    """The planted difference: that intervals meet is not for want of rows."""
    fresh, copied = (ours(population, made(g, population)) for g in ("fresh", "bootstrap"))
    assert all(fresh[k][1] < copied[k][0] for k in fresh)
