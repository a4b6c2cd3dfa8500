"""GAN, VAE and diffusion on Adult: utility and CPU seconds, warm-started, by gradients alone, without a guarantee.

``python -m benchmarks.neural_tables [--seeds 3] [--models gan,vae,diffusion] [--variants warm,gradients,infinite]``, at
epsilon 1, delta 1e-9, target income declared, on the integer-coded Adult table beside the repository. The last line is
one JSON object: model, variant, figure, mean over seeds. ``auc`` is TSTR by gradient boosting; ``tvd3`` the mean total
variation over 200 three-way marginals on the codes as they are.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.metrics import cliques, predict, tvds
from sfumato.models import MODELS
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.trust.central import Central
from sfumato.trust.purse import Purse
from sfumato.trust.records import Records

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "adult_codes"
ORDERED = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
# epsilon, and the share of the budget for gradients: None is the model's own
VARIANTS: dict[str, tuple[float, float | None]] = {
    "warm": (1.0, None),
    "marginals": (1.0, 0.0),
    "gradients": (1.0, 1.0),
    "infinite": (float("inf"), None),
}


def table(name: str, columns: list[str]) -> np.ndarray:
    """Codes (n, d) of one file."""
    with (DATA / name).open() as file:
        return np.array([[int(row[c]) for c in columns] for row in csv.DictReader(file)])


def figures(model: Any, epsilon: float, domain: Domain, train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Fit, sample, measure."""
    target = domain.index("income")
    run = Ledger.open().begin(Guarantee(epsilon, 1e-9), "benchmark")
    start = time.process_time()
    fitted = model.fit(Central(Records.of(train, domain), Purse(run)), target=target, progress=Silent())
    middle = time.process_time()
    drawn = fitted.sample(len(train), np.random.default_rng(0))
    end = time.process_time()
    prediction = predict(drawn, test, domain, target, "gradient_boosting", seed=0)
    return {
        "auc": prediction.scores()["auc"],
        "accuracy": prediction.scores()["accuracy"],
        "tvd1": float(tvds(train, drawn, domain, cliques(domain, 1, None)).mean()),
        "tvd2": float(tvds(train, drawn, domain, cliques(domain, 2, None)).mean()),
        "tvd3": float(tvds(train, drawn, domain, cliques(domain, 3, 200)).mean()),
        "fit_cpu_seconds": middle - start,
        "sample_cpu_seconds": end - middle,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="independent fits")
    parser.add_argument("--models", default="gan,vae,diffusion")
    parser.add_argument("--variants", default="warm,gradients,infinite")
    options = parser.parse_args()
    if not DATA.is_dir():
        sys.exit(f"the integer-coded Adult table is not at {DATA}")
    sizes = json.loads((DATA / "adult-domain.json").read_text())
    domain = Domain.of(list(sizes), list(sizes.values()), ORDERED)
    train, test = (table(f"adult_{part}.csv", list(sizes)) for part in ("train", "test"))
    result: dict[str, dict[str, dict[str, float]]] = {}
    for name in options.models.split(","):
        for variant in options.variants.split(","):
            epsilon, share = VARIANTS[variant]
            model = MODELS[name] if share is None else replace(MODELS[name], gradients=share)  # type: ignore[type-var]
            runs = [figures(model, epsilon, domain, train, test) for _ in range(options.seeds)]
            means = {key: round(float(np.mean([r[key] for r in runs])), 4) for key in runs[0]}
            result.setdefault(name, {})[variant] = means
            print(f"{name:10} {variant:10} {means}", flush=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
