"""SDV, Gaussian copula, no guarantee claimed: rows.csv made.csv count."""

import sys

import pandas as pd
from sdv.metadata import Metadata
from sdv.single_table import GaussianCopulaSynthesizer

rows, made, count = sys.argv[1:4]
table = pd.read_csv(rows, keep_default_na=False)

synthesizer = GaussianCopulaSynthesizer(Metadata.detect_from_dataframes({"people": table}))
synthesizer.fit({"people": table})
synthesizer.sample(int(count))["people"].to_csv(made, index=False)
synthesizer.save(f"{made}.model")
