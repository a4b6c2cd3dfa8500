"""What the report says of names, codes and facts: all in words that a reader needs no manual for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sfumato.encoding.codec import Codec
from sfumato.encoding.domain import Domain
from sfumato.evaluation.details import Subgroup
from sfumato.privacy.events import Event
from sfumato.reporting.contents import Charge, PublicFact
from sfumato.schema import Column, FixedCombinations, Schema
from sfumato.schema.constraints import Constraint

Labels = Callable[[int, np.ndarray], list[str]]
"""(position of an axis, codes) -> what stands for the codes."""

CRITERIA = {
    "singling_out": "singling out",
    "linkability": "linkability",
    "attribute_inference": "inference",
    "linear_reconstruction": "inference by reconstruction",
}
"""Attack -> the criterion of the Article 29 Working Party that it speaks of."""

_MEASURES = {
    "query3": "random queries, mean error",
    "association": "association, mean error",
    "detection_auc": "AUC of trees that tell synthetic from real",
    "tvd1_label": "total variation of the labels",
    "tstr_accuracy_mlp": "accuracy trained on synthetic, perceptron",
    "tstr_accuracy_linear": "accuracy trained on synthetic, linear",
    "tstr_accuracy_forest": "accuracy trained on synthetic, forest",
    "frechet_pixels": "Fréchet distance, pixels",
    "frechet_classifier": "Fréchet distance, classifier",
}
_SHOWN = 20
"""Labels of a column that are listed."""


def axis_labels(codec: Codec) -> Labels:
    """Codes of one axis to text, by decoding rows in which only that axis moves."""
    domain = codec.domain
    learnt = [c.name for c in codec.schema.columns if c.modelled and c.kind != "image"]
    names = {position: [n for n in learnt if codec.position(n) == position] for position in range(len(domain))}

    def labels(position: int, codes: np.ndarray) -> list[str]:
        rows = np.zeros((len(codes), len(domain)), np.int64)
        rows[:, position] = codes
        table = codec.decode(rows.astype(domain.code_dtype()), np.random.default_rng(0))
        values = [table.column(n).to_pylist() for n in names[position]]
        return [" / ".join(_text(v) for v in row) for row in zip(*values, strict=True)]

    return labels


def _text(value: object) -> str:
    if value is None or value == "":
        return "missing"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def measure_name(name: str) -> str:
    """A measure of :func:`sfumato.evaluation.summary.utility`."""
    if name in _MEASURES:
        return _MEASURES[name]
    if name.startswith("tvd"):
        ways, _, bins = name[3:].partition("_b")
        return f"total variation, {ways} way{'s' * (ways != '1')}" + (f", {bins} bins" if bins else "")
    words = name.replace("_", " ").replace("tstr auc", "AUC trained on synthetic,")
    return words.replace("tstr r2", "R² trained on synthetic,")


def attack_name(attack: str) -> str:
    """An attack, with the column it is about."""
    return attack.replace("_", " ").replace(":", ": ")


def criterion(attack: str) -> str:
    """The criterion that an attack of :data:`CRITERIA` speaks of, with the column."""
    kind, _, column = attack.partition(":")
    return f"{CRITERIA[kind]}: {column}" if column else CRITERIA[kind]


def where(conditions: Sequence[tuple[str, int, int]], domain: Domain, labels: Labels) -> str:
    """A box of codes."""
    words = []
    for name, low, high in conditions:
        position = domain.index(name)
        if domain.axes[position].ordered:
            ends = labels(position, np.array([low, high]))
            words.append(f"{name} {ends[0]}" if low == high else f"{name} {ends[0]} to {ends[1]}")
            continue
        inside = labels(position, np.arange(low, high + 1))
        words.append(f"{name} in {', '.join(inside[:4])}{' …' if len(inside) > 4 else ''}")
    return "; ".join(words) or "everywhere"


def effect(name: str, domain: Domain, labels: Labels) -> str:
    """A coefficient's name with the label of its code."""
    column, equals, code = name.rpartition("=")
    if not equals or column not in domain.names:
        return name
    return f"{column}: {labels(domain.index(column), np.array([int(code)]))[0]}"


def group(found: Subgroup, domain: Domain, labels: Labels) -> str:
    """A subgroup's column with the label of its code."""
    return f"{found.column}: {labels(domain.index(found.column), np.array([found.code]))[0]}"


_CHARGES = {
    "DiscreteGaussian": "counts, with noise",
    "Gaussian": "sums, with noise",
    "DiscreteLaplace": "counts, with noise",
    "Exponential": "choices of what to ask next",
    "PoissonSampledGaussian": "steps of training, with noise",
}


def charges(events: Sequence[Event]) -> tuple[Charge, ...]:
    """Charges of the ledger by what was bought, in words, with how many of them."""
    grouped: Counter[str] = Counter()
    for event in events:
        mechanism = type(event).__name__
        grouped[_CHARGES.get(mechanism, mechanism)] += event.count
    return tuple(Charge(words, times) for words, times in grouped.items())


def public_facts(settled: Schema, sources: Mapping[str, Mapping[str, str]]) -> tuple[PublicFact, ...]:
    """Each column and constraint of the settled schema.

    ``sources``: column -> fact -> public, measured or reviewed, as the certificate has them.
    """
    columns = [PublicFact(c.name, c.kind, _values(c), _sources(c, sources.get(c.name, {}))) for c in settled.columns]
    return (*columns, *map(_rule, settled.constraints))


def _rule(rule: Constraint) -> PublicFact:
    facts = f"{len(rule.combinations)} combinations" if isinstance(rule, FixedCombinations) else ""
    source = str(rule.standing)
    if rule.reviewed is not None:
        source += f": {rule.reviewed.reason} ({rule.reviewed.by}, {rule.reviewed.on})"
    return PublicFact(", ".join(rule.columns), rule.kind.replace("_", " "), facts, source)


def _values(column: Column) -> str:
    said = []
    if column.kind == "image":
        said.append(f"{column.height} x {column.width} pixels, {'grey' if column.channels == 1 else 'colour'}")
    bounds, labels = (getattr(column, fact, None) for fact in ("bounds", "categories"))
    if bounds is not None:
        said.append(f"{bounds[0]} to {bounds[1]} {getattr(column, 'unit', None) or ''}".rstrip())
    if labels is not None:
        rest = f", … ({len(labels)} in all)" if len(labels) > _SHOWN else ""
        said.append(", ".join(labels[:_SHOWN]) + rest)
    if column.modelled and column.kind != "image":
        said.append("may be missing" if column.may_be_missing else "never missing")
    return "; ".join(said) or "made anew, not learnt" if column.modelled or column.kind == "identifier" else "left out"


def _sources(column: Column, stated: Mapping[str, str]) -> str:
    """One word where all facts come from one place."""
    reviews = [f"{r.reason} ({r.by}, {r.on})" for r in dict.fromkeys(map(column.review_of, column.facts())) if r]
    said = _by_source(column, stated)
    return f"{said}: {'; '.join(reviews)}" if reviews else said


def _by_source(column: Column, stated: Mapping[str, str]) -> str:
    each = {fact: stated.get(fact, column.standing(fact)) for fact in column.facts()}
    if len(set(each.values())) == 1:
        return next(iter(each.values()))
    by_source: dict[str, list[str]] = {}
    for fact, source in each.items():
        by_source.setdefault(source, []).append(fact)
    return "; ".join(f"{', '.join(facts)} {source}" for source, facts in by_source.items())
