"""Anonymeter's three risks of CSV tables, as JSON: runs in an environment of its own, not under pytest.

python anonymeter_risks.py folder-with-real-control-and-synthetic.csv first,half,of,columns secret [secret ...]
"""

import json
import sys
from pathlib import Path

import pandas as pd
from anonymeter.evaluators import InferenceEvaluator, LinkabilityEvaluator, SinglingOutEvaluator

ATTACKS = 2000

folder, first, *secrets = sys.argv[1:]
real, control, synthetic = (pd.read_csv(Path(folder) / f"{n}.csv") for n in ("real", "control", "synthetic"))
columns = list(real.columns)
halves = first.split(","), [c for c in columns if c not in first.split(",")]
evaluators = {
    "singling_out": SinglingOutEvaluator(real, synthetic, n_attacks=ATTACKS // 4, n_cols=4, control=control, seed=0),
    "linkability": LinkabilityEvaluator(
        real, synthetic, n_attacks=ATTACKS, n_neighbors=1, aux_cols=halves, control=control
    ),
}
for secret in secrets:
    others = [c for c in columns if c != secret]
    evaluators[secret] = InferenceEvaluator(
        real, synthetic, aux_cols=others, secret=secret, regression=False, n_attacks=ATTACKS, control=control
    )
found = {}
for name, evaluator in evaluators.items():
    if name == "singling_out":
        evaluator.evaluate(mode="multivariate")
    else:
        evaluator.evaluate(n_jobs=1)
    risk = evaluator.risk(confidence_level=0.95)
    rates = evaluator.results(confidence_level=0.95)
    found[name] = {
        "risk": risk.value,
        "interval": list(risk.ci),
        "attack": rates.attack_rate.value,
        "control": rates.control_rate.value,
    }
print(json.dumps(found))
