"""What an evaluation found: typed, each measure between two anchors, with its plain form at the edge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean, stdev

from scipy.special import stdtrit

from sfumato.evaluation.details import Coefficient, Detection, Subgroup, Task
from sfumato.evaluation.meaning import meaning
from sfumato.evaluation.refused_rows import NONE_REFUSED, RefusedRows
from sfumato.evaluation.violations import Violations
from sfumato.printable import printable
from sfumato.results.notebook import table
from sfumato.results.plain import Json, as_dict, as_json

_DIGITS = 5
"""After the point, of every figure."""
_CLEAR = 0.1
"""Independent columns are clearly worse than holdout rows where the two differ by this share of the larger one."""
_ZERO = 1e-9
"""A measure below this is none."""
_UPPER = 0.975
"""Quantile of the upper end of an interval of 95 %."""
_SHOWN = 12
"""Measures that a notebook shows."""


@dataclass(frozen=True)
class Measure:
    """One measure between its two anchors.

    Attributes:
        value: of all synthetic rows.
        matched: of as many synthetic rows as there are holdout rows.
        holdout: of the holdout rows in place of synthetic ones: what real rows of that number reach.
        independent: of real columns that were shuffled, each on its own.
        score: of ``matched``: 1 as good as holdout rows, 0 as bad as independent columns; None where independent
            columns are not clearly worse than holdout rows.
    """

    value: float
    matched: float
    holdout: float
    independent: float
    score: float | None

    @classmethod
    def between(cls, four: Iterable[float], *, higher: bool = False) -> Measure:
        """From its four values, in the order of the fields; ``higher``: larger is better."""
        value, matched, holdout, independent = (float(v) for v in four)
        width = (holdout - independent) if higher else (independent - holdout)
        gain = (matched - independent) if higher else (independent - matched)
        score = gain / width if width > _CLEAR * max(abs(independent), abs(holdout), _ZERO) else None
        value, matched, holdout, independent = (round(v, _DIGITS) for v in (value, matched, holdout, independent))
        return cls(value, matched, holdout, independent, None if score is None else round(score, _DIGITS))


@dataclass(frozen=True)
class Overall:
    """One figure for all measures: the mean of the families' mean scores, each score cut to 0 to 1.

    Attributes:
        score: 1 as good as holdout rows, 0 as bad as independent columns.
        low, high: 95 % interval of the mean over families (Student's t): how much hangs on what was measured.
        families: how many families of measures have a score.
    """

    score: float
    low: float
    high: float
    families: int

    @classmethod
    def of(cls, measures: Mapping[str, Measure]) -> Overall | None:
        """None where fewer than two families have a score."""
        each: dict[str, list[float]] = {}
        for name, measure in measures.items():
            if measure.score is not None:
                each.setdefault(meaning(name).family, []).append(min(1.0, max(0.0, measure.score)))
        if len(each) < 2:
            return None
        means = [fmean(scores) for scores in each.values()]
        half = float(stdtrit(len(means) - 1, _UPPER)) * stdev(means) / len(means) ** 0.5
        middle = fmean(means)
        low, high = max(0.0, middle - half), min(1.0, middle + half)
        return cls(round(middle, _DIGITS), round(low, _DIGITS), round(high, _DIGITS), len(means))

    def explained(self) -> str:
        """The interval, and what the ends of the scale are."""
        return f"95 %: {self.low:.2f} to {self.high:.2f}; 1 is as good as holdout rows, 0 as bad as independent columns"

    def __str__(self) -> str:
        """The figure with its interval."""
        return f"{self.score:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Sizes:
    """How many rows each table has."""

    real: int
    holdout: int
    synthetic: int


@dataclass(frozen=True)
class TrainedOn:
    """How many rows a learner was trained on: synthetic ones, and real ones where it was trained on those."""

    synthetic: int
    real: int

    def __str__(self) -> str:
        """In words."""
        return f"trained on {self.synthetic:,} synthetic or {self.real:,} real rows"


@dataclass(frozen=True)
class Scores:
    """Scores of one learner on holdout rows, by name: trained on synthetic rows (``tstr``) and on real ones."""

    tstr: Mapping[str, float]
    trtr: Mapping[str, float]
    trained: TrainedOn


@dataclass(frozen=True)
class Learning:
    """Prediction of one column.

    Attributes:
        target: its name; ``task``: binary, multiclass or regression.
        majority: scores of the constant prediction.
        learners: scores by learner.
    """

    target: str
    task: Task
    majority: Mapping[str, float]
    learners: Mapping[str, Scores]


@dataclass(frozen=True)
class Memorisation:
    """Whether the synthetic rows are closer to the real ones than holdout rows are.

    Attributes:
        flag: either of the next two.
        closer_than_holdout: fidelity that holdout rows do not reach.
        more_copies_than_holdout: more copies of real rows than chance gives, beyond four standard deviations.
        copies: share of as many synthetic rows as there are holdout rows that stand among the real ones too.
        copies_holdout: the same share of holdout rows.
    """

    flag: bool
    closer_than_holdout: bool
    more_copies_than_holdout: bool
    copies: float
    copies_holdout: float


@dataclass(frozen=True, repr=False)
class Utility:
    """What synthetic rows are good for; a statistic of real rows without noise: keep it inside.

    Attributes:
        rows: how many rows were compared.
        measures: by name, each between its anchors.
        columns: by name, the total variation of each single column.
        learning: prediction of the target; None without one.
        detection: what trees tell synthetic from real by; None where it was not tried (quick, images).
        subgroups: values of short columns, worst first.
        coefficients: of a regression on the target, in both tables.
        balance: of images with labels: shares of the labels by code, in ``real`` and ``synthetic``.
        spaces: what each Fréchet distance is computed on.
        memorisation: whether rows were learnt by heart.
        seconds: time it took.
        violations: shares of rows that break the schema; None where only codes were compared.
        left_out: rows that take part in no measure but these shares, because the schema refuses a cell of theirs.
    """

    rows: Sizes
    measures: Mapping[str, Measure]
    columns: Mapping[str, float]
    learning: Learning | None
    memorisation: Memorisation
    seconds: float
    detection: Detection | None = None
    subgroups: tuple[Subgroup, ...] = ()
    coefficients: tuple[Coefficient, ...] = ()
    balance: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    spaces: Mapping[str, str] = field(default_factory=dict)
    violations: Violations | None = None
    left_out: RefusedRows = NONE_REFUSED

    @property
    def overall(self) -> Overall | None:
        """One figure for all measures; None where too few have a score."""
        return Overall.of(self.measures)

    def to_dict(self) -> dict[str, Json]:
        """All of it as JSON values."""
        return {**as_dict(self), "overall": as_json(self.overall)}

    def __str__(self) -> str:
        """The measures as a table for people."""
        lines = [f"{'measure':<28}{'better':>7}{'synthetic':>11}{'holdout':>10}{'independent':>13}{'score':>7}  says"]
        for name, m in self.measures.items():
            said, score = meaning(name), "-" if m.score is None else f"{m.score:.2f}"
            figures = f"{m.value:>11.4f}{m.holdout:>10.4f}{m.independent:>13.4f}{score:>7}"
            lines.append(f"{name:<28}{said.better:>7}{figures}  {said.words}")
        if self.overall is not None:
            lines.append(f"{'overall':<28}{'more':>7}{'':>34}{self.overall.score:>7.2f}  {self.overall.explained()}")
        if self.learning is not None:
            lines += [f"  {name}: {s.trained}" for name, s in self.learning.learners.items()]
        lines += [f"  frechet_{name}: in {space}; not an FID" for name, space in self.spaces.items()]
        if self.violations is not None:
            every = self.violations.rows
            shares = f"{every.synthetic:>11.4f}{every.holdout:>10.4f}{every.independent:>13.4f}"
            lines.append(f"{'rows that break the schema':<28}{'less':>7}{shares}")
            lines += [f"  {r.rule}: {r.synthetic:.4f}" for r in self.violations.rules if r.synthetic]
        lines += [str(self.left_out)] if self.left_out else []
        if self.memorisation.flag:
            lines.append("WARNING: the synthetic rows are closer to the real ones than holdout rows are (memorisation)")
        return "\n".join([*map(printable, lines), "internal: computed from real rows, not covered by any guarantee"])

    def __repr__(self) -> str:
        flagged = ", MEMORISATION" if self.memorisation.flag else ""
        overall = f"overall {self.overall}, " if self.overall is not None else ""
        return f"Utility({overall}{len(self.measures)} measures, {self.rows.synthetic:,} synthetic rows{flagged})"

    def _repr_html_(self) -> str:
        head = ("measure", "says", "better", "synthetic", "holdout", "independent", "score")
        lines = [
            (
                name,
                meaning(name).words,
                meaning(name).better,
                f"{m.value:.4f}",
                f"{m.holdout:.4f}",
                f"{m.independent:.4f}",
                "" if m.score is None else f"{m.score:.2f}",
            )
            for name, m in list(self.measures.items())[:_SHOWN]
        ]
        more = len(self.measures) - len(lines)
        said = [f"overall {self.overall}"] * (self.overall is not None) + [f"{more} more measures"] * (more > 0)
        said += ["MEMORISATION: closer to the real rows than holdout rows are"] * self.memorisation.flag
        return table("Utility", head, lines, "; ".join([*said, "internal: computed from real rows"]))


def rounded(scores: Mapping[str, float]) -> dict[str, float]:
    """Five digits after the point."""
    return {name: round(value, _DIGITS) for name, value in scores.items()}
