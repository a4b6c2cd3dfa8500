"""The integer-coded Adult table that published figures are for: its codes, and a fit to them."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np

from benchmarks.measured import measured
from benchmarks.utility import Figures, figures
from sfumato.encoding.domain import Domain
from sfumato.models import MODELS
from sfumato.models.choose import choose
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "adult_codes"
ORDERED = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
TARGET = "income"
DELTA = 1e-9


def load() -> tuple[Domain, np.ndarray, np.ndarray]:
    """(domain, codes of 39,074 rows to learn, codes of 9,768 fresh rows); leaves where the files are not there."""
    if not FOLDER.is_dir():
        sys.exit(f"the integer-coded Adult table is not at {FOLDER}")
    sizes = json.loads((FOLDER / "adult-domain.json").read_text())
    train, test = (_codes(FOLDER / f"adult_{part}.csv", list(sizes)) for part in ("train", "test"))
    return Domain.of(list(sizes), list(sizes.values()), ORDERED), train, test


def _codes(path: Path, columns: list[str]) -> np.ndarray:
    with path.open() as file:
        return np.array([[int(row[c]) for c in columns] for row in csv.DictReader(file)], np.uint8)


def fit_and_sample(model: str, epsilon: float, aware: bool, domain: Domain, rows: np.ndarray, n: int) -> np.ndarray:
    """``n`` codes from ``model`` (or ``auto``) fitted to ``rows``, the target declared if ``aware``."""
    guarantee = Guarantee(epsilon, DELTA)
    target = domain.index(TARGET) if aware else None
    name = choose(domain, target, guarantee).name if model == "auto" else model
    setting = Central(Records.of(rows, domain), Budget(Ledger.open().begin(guarantee, "benchmark")))
    fitted = MODELS[name, domain.content].recipe().fit(setting, target=target, progress=Silent())
    return fitted.sample(n, np.random.default_rng())


def run(model: str, epsilon: float, aware: bool, share: float = 1.0) -> Figures:
    """One fit to a random ``share`` of the rows: utility of as many drawn as there are in all, and cost."""
    domain, train, test = load()
    some = np.random.default_rng().permutation(len(train))[: round(share * len(train))]
    drawn, cost = measured(fit_and_sample, model, epsilon, aware, domain, train[some], len(train))
    return {
        **figures(train, test, drawn, domain, domain.index(TARGET)),
        "cpu_seconds": cost.cpu_seconds,
        "peak_mb": cost.peak_mb,
    }


def anchors() -> dict[str, Figures]:
    """Real rows in the place of synthetic ones, and every column shuffled by itself."""
    domain, train, test = load()
    rng = np.random.default_rng(0)
    target = domain.index(TARGET)
    apart = np.stack([rng.permutation(train[:, i]) for i in range(len(domain))], axis=1)
    ceiling = figures(train, test, train, domain, target)
    fresh = figures(train, test, test, domain, target)
    real = {**fresh, **{key: ceiling[key] for key in ("auc", "accuracy", "f1")}}
    return {"real rows": real, "columns shuffled": figures(train, test, apart, domain, target)}
