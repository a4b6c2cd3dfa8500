"""GAN, VAE and diffusion on Adult: utility and CPU seconds, warm-started, by gradients alone, without a guarantee.

``python -m benchmarks.neural_tables [--seeds 3] [--models gan,vae,diffusion] [--variants warm,gradients,infinite]``, at
epsilon 1, delta 1e-9, target income declared, on the integer-coded Adult table beside the repository. The last line is
one JSON object: model, variant, figure, mean over seeds; ``benchmarks.utility`` defines the figures.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks import adult_codes, utility
from sfumato.encoding.domain import Domain
from sfumato.models import MODELS
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records

# epsilon, and what is changed of the recipe
VARIANTS: dict[str, tuple[float, dict[str, Any]]] = {
    "warm": (1.0, {}),
    "marginals": (1.0, {"gradients": 0.0}),
    "gradients": (1.0, {"gradients": 1.0}),
    "infinite": (float("inf"), {}),
    "continuous": (1.0, {"numbers": "continuous"}),  # of diffusion alone
}


def figures(model: Any, epsilon: float, domain: Domain, train: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Fit, sample, measure."""
    target = domain.index(adult_codes.TARGET)
    run = Ledger.open().begin(Guarantee(epsilon, 1e-9), "benchmark")
    start = time.process_time()
    fitted = model.fit(Central(Records.of(train, domain), Budget(run)), target=target, progress=Silent())
    middle = time.process_time()
    drawn = fitted.sample(len(train), np.random.default_rng(0))
    end = time.process_time()
    return {
        **utility.figures(train, test, drawn, domain, target),
        "fit_cpu_seconds": middle - start,
        "sample_cpu_seconds": end - middle,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="independent fits")
    parser.add_argument("--models", default="gan,vae,diffusion")
    parser.add_argument("--variants", default="warm,gradients,infinite")
    options = parser.parse_args()
    domain, train, test = adult_codes.load()
    result: dict[str, dict[str, dict[str, float]]] = {}
    for name in options.models.split(","):
        for variant in options.variants.split(","):
            epsilon, changes = VARIANTS[variant]
            model = replace(MODELS[name, "table"].recipe(), **changes)  # type: ignore[type-var]
            runs = [figures(model, epsilon, domain, train, test) for _ in range(options.seeds)]
            means = {key: round(float(np.mean([r[key] for r in runs])), 4) for key in runs[0]}
            result.setdefault(name, {})[variant] = means
            print(f"{name:10} {variant:10} {means}", flush=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
