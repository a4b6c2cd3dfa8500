"""dpmm, MST pipeline, epsilon 1 and 0.1 of it for what it learns of the columns: rows.csv made.csv count."""

import sys
from pathlib import Path

import pandas as pd
from dpmm.pipelines import MSTPipeline

rows, made, count = sys.argv[1:4]
table = pd.read_csv(rows, keep_default_na=False)
texts = table.select_dtypes("object").columns
table[texts] = table[texts].astype("category")

pipeline = MSTPipeline(epsilon=0.9, delta=1e-5, proc_epsilon=0.1, n_jobs=1)
pipeline.fit(table)
pipeline.generate(int(count)).to_csv(made, index=False)
saved = Path(f"{made}.model")
saved.mkdir()
pipeline.store(saved)
