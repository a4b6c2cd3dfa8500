"""Real tables by the path of a user: delimited text in, reviewed schema, ``Synthesizer``, delimited text out."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import sfumato as sf
from benchmarks.measured import measured
from benchmarks.utility import Figures, auc_without, figures
from sfumato.encoding.codec import Codec
from sfumato.schema import Schema
from sfumato.tables import Rows

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
SCHEMAS = Path(__file__).parent / "schemas"
DELTA = 1e-9


@dataclass(frozen=True)
class Source:
    """A table beside the repository.

    Attributes:
        file: below the folder of real data.
        schema: its reviewed schema; it declares the target.
        telling: columns that nearly give the target away: ``auc_hard`` is without them.
    """

    file: str
    schema: str
    telling: tuple[str, ...]


SOURCES = {
    "nist_acs": Source("nist_acs/national2019.csv", "nist_acs.yaml", ("PINCP", "POVPIP")),
    "nafld": Source("nafld/subjects.csv", "nafld_subjects.yaml", ("futime",)),
}


@contextmanager
def split(source: Source) -> Iterator[tuple[Path, Path]]:
    """The table cut into 80 % to learn and 20 % fresh rows, always the same, as two files of a temporary folder."""
    path = SHARED / source.file
    if not path.exists():
        sys.exit(f"the table is not at {path}")
    lines = path.read_text().splitlines(keepends=True)
    order = np.random.default_rng(20260101).permutation(len(lines) - 1) + 1
    cut = round(0.8 * len(order))
    with tempfile.TemporaryDirectory() as folder:
        parts = Path(folder) / "train.csv", Path(folder) / "test.csv"
        for part, rows in zip(parts, (order[:cut], order[cut:]), strict=True):
            part.write_text("".join([lines[0], *(lines[i] for i in sorted(rows))]))
        yield parts


def fit_and_sample(train: str, schema: str, model: str, epsilon: float, out: str) -> tuple[str, str]:
    """Learn one file, write as many rows as the model believes it had; the model's name, and why it was chosen."""
    synthesizer = sf.Synthesizer(schema, model, guarantee=sf.Guarantee(epsilon, DELTA)).fit(train)
    synthesizer.sample().write(out)
    return synthesizer.model, synthesizer.why


class Comparison:
    """Synthetic files against the codes of a split table.

    Args:
        source: the table.
        train: its rows to learn.
        test: its fresh rows.
    """

    def __init__(self, source: Source, train: Path, test: Path) -> None:
        self.source, self.train = source, train
        self.schema = SCHEMAS / source.schema
        known = Schema.load(self.schema)
        self._codec = Codec.from_schema(
            Schema(columns=tuple(c for c in known.columns if c.modelled), nulls=known.nulls)
        )
        self._target = self._codec.position(str(known.target))
        self._real, self._test = self._codes(train), self._codes(test)

    def run(self, model: str, epsilon: float) -> Figures:
        """One fit: utility and cost."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "synthetic.csv"
            _, cost = measured(fit_and_sample, str(self.train), str(self.schema), model, epsilon, str(out))
            drawn = self._codes(out)
        return {**self._figures(drawn), "cpu_seconds": cost.cpu_seconds, "peak_mb": cost.peak_mb}

    def anchors(self) -> dict[str, Figures]:
        """Real rows in the place of synthetic ones, and every column shuffled by itself."""
        rng = np.random.default_rng(0)
        apart = np.stack([rng.permutation(c) for c in self._real.T], axis=1)
        learnt, fresh = self._figures(self._real), self._figures(self._test)
        real = {**fresh, **{key: learnt[key] for key in ("auc", "auc_hard", "accuracy", "f1")}}
        return {"real rows": real, "columns shuffled": self._figures(apart)}

    def _figures(self, drawn: np.ndarray) -> Figures:
        domain, target = self._codec.domain, self._target
        hard = auc_without(self._test, drawn, domain, target, self.source.telling)
        return {**figures(self._real, self._test, drawn, domain, target), "auc_hard": hard}

    def _codes(self, path: Path) -> np.ndarray:
        names = list(self._codec.schema.names)
        rows = Rows.open(path, self._codec.schema.dialect)
        return np.concatenate([self._codec.encode(batch.select(names)) for batch in rows.batches()])
