"""Intervals of Anonymeter's risks, as JSON; runs in an environment of its own, not under pytest.

python anonymeter_risks.py FOLDER LEVEL FIRST,HALF,OF,COLUMNS SECRET ...: the folder holds real, control and
synthetic.csv.
"""

import json
import sys
from pathlib import Path

import pandas as pd
from anonymeter.evaluators import InferenceEvaluator, LinkabilityEvaluator, SinglingOutEvaluator

ATTACKS = 2000

folder, level, first, *secrets = sys.argv[1:]
real, control, synthetic = (pd.read_csv(Path(folder) / f"{name}.csv") for name in ("real", "control", "synthetic"))
halves = first.split(","), [c for c in real.columns if c not in first.split(",")]
common = {"ori": real, "syn": synthetic, "control": control}
evaluators = {
    "singling_out": SinglingOutEvaluator(**common, n_attacks=ATTACKS // 4, n_cols=4, seed=0),
    "linkability": LinkabilityEvaluator(**common, n_attacks=ATTACKS, n_neighbors=1, aux_cols=halves),
}
for secret in secrets:
    keys = [c for c in real.columns if c != secret]
    evaluators[secret] = InferenceEvaluator(**common, n_attacks=ATTACKS, aux_cols=keys, secret=secret, regression=False)
found = {}
for name, evaluator in evaluators.items():
    evaluator.evaluate(**({"mode": "multivariate"} if name == "singling_out" else {"n_jobs": 1}))
    found[name] = list(evaluator.risk(confidence_level=float(level)).ci)
print(json.dumps(found))
