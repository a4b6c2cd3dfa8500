"""What a demonstration of several members leaves: a model, its report, and a comparison with one curator."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfumato.atomic import atomic_write, check_writable
from sfumato.outputs import COMPARISON, MODEL, REPORT
from sfumato.printable import printable

if TYPE_CHECKING:
    from sfumato import Schema, Synthesizer, Table

_MEASURES = {"auc": "tstr_auc_gradient_boosting", "tvd2": "tvd2", "tvd3": "tvd3", "query3": "query3"}
"""Names in the comparison, and in an evaluation."""
Row = Mapping[str, float]
"""What the synthetic rows of one fit are good for."""


@dataclass(frozen=True)
class Left:
    """The files of a demonstration.

    Attributes:
        folder: that they are in; ``work`` in it is there while the demonstration lasts.
    """

    folder: Path

    @classmethod
    def prepared(cls, folder: Path) -> Left:
        """Make the folders, and see that nothing of somebody else is written over; SfumatoError."""
        import sfumato as sf

        made = cls(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if made.work.exists():
                shutil.rmtree(made.work)  # of a demonstration that was stopped
            made.work.mkdir(mode=0o700)
        except OSError as error:
            raise sf.SfumatoError(f"-o {folder}: cannot be made a folder ({error.strerror}); name another") from None
        check_writable(made.model, MODEL)
        check_writable(made.report, REPORT)
        check_writable(made.comparison, COMPARISON)
        return made

    @property
    def work(self) -> Path:
        """Folders and tables of the members."""
        return self.folder / "work"

    @property
    def model(self) -> Path:
        """The model that all of them fitted."""
        return self.folder / "model.sfm"

    @property
    def report(self) -> Path:
        """Its report."""
        return self.folder / "report.html"

    @property
    def comparison(self) -> Path:
        """What it is good for, beside others."""
        return self.folder / "comparison.json"

    @property
    def files(self) -> dict[str, str]:
        """Where each lies, by name."""
        return {place.name: str(place) for place in (self.model, self.report, self.comparison)}

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the comparison, and take the members' folders away."""
        with atomic_write(self.comparison, COMPARISON) as stream:
            stream.write(json.dumps(result, indent=1).encode())
        shutil.rmtree(self.work)


def measured(fitted: Synthesizer, schema: Schema) -> dict[str, float]:
    """What synthetic rows of a model of the example are good for, against rows that no model saw."""
    import sfumato as sf

    drawn = fitted.sample(len(sf.examples.adult()), seed=0).arrow.select(list(schema.names))
    rows = sf.examples.adult(), sf.examples.adult_test(), sf.Table(drawn)
    found = sf.evaluate(*rows, schema, "income", quick=True)
    return {name: found.measures[measure].value for name, measure in _MEASURES.items()}


def alone(table: Table, fitted: Synthesizer, schema: Schema, promised: Any) -> dict[str, float]:
    """The same of one curator of a table, who fits the model that ``fitted`` is."""
    import sfumato as sf

    made = sf.Synthesizer(schema, fitted.model, promised, ledger=sf.Ledger.open(None)).fit(table)
    return measured(made, schema)


def in_words(rows: Mapping[str, Row]) -> list[str]:
    """The comparison for people."""
    width = max(16, *(len(name) + 2 for name in rows))
    head = f"{'':<{width}}" + "".join(f"{name:>10}" for name in _MEASURES)
    lines = [
        f"{printable(name):<{width}}" + "".join(f"{row[m]:>10.4f}" for m in _MEASURES) for name, row in rows.items()
    ]
    said = "auc: income of unseen people, learnt from synthetic rows (more is better); the others: distances (less)"
    return [head, *lines, said]
