"""SmartNoise, MST, epsilon 1 and 0.1 of it for what it learns of the columns: rows.csv made.csv count."""

import sys

import pandas as pd
from snsynth import Synthesizer

rows, made, count = sys.argv[1:4]
table = pd.read_csv(rows, keep_default_na=False)
texts = table.select_dtypes("object").columns.tolist()
numbers = [name for name in table.columns if name not in texts]

synthesizer = Synthesizer.create("mst", epsilon=1.0)
synthesizer.fit(table, preprocessor_eps=0.1, categorical_columns=texts, continuous_columns=numbers)
synthesizer.sample(int(count)).to_csv(made, index=False)
