"""A saved model to one HTML report: what is promised, what attackers achieved, what the data is good for."""

from __future__ import annotations

import math
import os
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np

from sfumato.atomic import atomic_write
from sfumato.encoding.codec import Codec
from sfumato.encoding.domain import Domain
from sfumato.errors import SfumatoError, TableError
from sfumato.release import Release
from sfumato.tables import Rows
from sfumato.tables.databases import display_url, is_url

Path_ = str | os.PathLike[str]
Build = Literal["internal", "releasable"]
_ROWS = 50_000
_ABOUT = {
    "singling_out": "singling out",
    "linkability": "linkability",
    "attribute_inference": "inference",
    "linear_reconstruction": "inference by reconstruction",
}


def report(
    model: Path_,
    output: Path_,
    real: Any = None,
    holdout: Any = None,
    *,
    others: Sequence[Path_] = (),
    ledger: Path_ | None = None,
    build: Build | None = None,
    suite: Literal["quick", "full"] = "full",
    seed: int = 0,
) -> dict[str, Any]:
    """Write a self-contained HTML report of a saved model.

    Args:
        model: the saved model.
        output: the HTML file.
        real: the rows the model was fitted to; with ``holdout`` it makes an internal report.
        holdout: rows of the same population that the model never saw.
        others: more saved models of the same table, for the curve of utility against epsilon.
        ledger: the data set's ledger, to list its runs.
        build: ``internal`` or ``releasable``; default: internal where real rows are given.
        suite: how thoroughly an internal report attacks.
        seed: fixes the synthetic rows that are shown and attacked.

    Returns:
        ``output``, ``build``, ``verdict``, ``bytes`` and ``seconds``.

    Raises:
        SfumatoError: a file that cannot be read, written or does not fit, with the mend.

    *Formal guarantee.* A releasable report is computed from the saved model alone, so it is post-processing of noised
    answers and public facts. An internal report is not private.
    """
    began = perf_counter()
    build = build or ("internal" if real is not None else "releasable")
    if build == "internal" and (real is None or holdout is None):
        raise SfumatoError("an internal report needs --real and --holdout; for one without real rows ask releasable")
    release = Release.load(model)
    codes = release.fitted.sample(min(_ROWS, release.default_rows), np.random.default_rng(seed), {})
    facts = _promised(model, release)
    facts |= {"build": build, "rows": {"synthetic": len(codes)}, "audit": None, "utility": None, "criteria": []}
    facts["charts"] |= _public_charts(release, codes)
    facts["book"] = None if ledger is None else _book(ledger)
    facts["seconds"] = {}
    if build == "internal":
        _measure(facts, release, codes, (real, holdout), others, suite, seed)
    facts["commands"] = _commands(model, real, holdout, output)
    facts["verdict"] = _verdict(facts)
    from sfumato.reports import render

    page = render(facts).encode()
    with atomic_write(output) as out:
        out.write(page)
    return {
        "output": os.fspath(output),
        "build": build,
        "verdict": facts["verdict"]["headline"],
        "bytes": len(page),
        "seconds": round(perf_counter() - began, 1),
    }


def _promised(model: Path_, release: Release) -> dict[str, Any]:
    """All that is known of the saved model without any row."""
    from sfumato import __version__
    from sfumato.reports import charts

    c: Mapping[str, Any] = release.certificate
    held, problem = _verified(model)
    certified = c.get("certificate") is not None
    promise = c["promise"] if certified else None
    composition = c["composition"] if certified else {}
    return {
        "title": Path(model).name,
        "version": __version__,
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "model": release.model,
        "why": release.why,
        "promise": promise,
        "composition": composition,
        "verified": held,
        "reason": problem if held is False else c.get("reason", ""),
        "risk": _risk(promise["epsilon"]) if promise else [],
        "unprotected": list(c.get("unprotected", [])),
        "limits": list(c.get("limits", [])),
        "pyramid": list(c.get("pyramid", [])),
        "events": _events(composition.get("events", [])),
        "ledger": composition.get("ledger") or None,
        "columns": [
            {
                "name": col["name"],
                "kind": col["kind"],
                "facts": ", ".join(f"{k} {v}" for k, v in col["sources"].items()),
            }
            for col in c.get("data_domain", {}).get("columns", [])
        ],
        "members": dict(c.get("members", {})),
        "signature": "Signed (Ed25519)." if c.get("signature") else "Not signed: it is whole, but shows no author.",
        "implementation": dict(c.get("implementation", {})),
        "charts": {"belief": charts.belief(promise["epsilon"])} if promise else {},
    }


def _book(path: Path_) -> dict[str, Any]:
    from sfumato.privacy.ledger import Ledger

    if not Path(path).exists():
        raise SfumatoError(f"{os.fspath(path)}: there is no such ledger")
    with Ledger.open(path) as ledger:
        return ledger.summary()


def _verified(model: Path_) -> tuple[bool, str]:
    from sfumato.errors import CertificateError
    from sfumato.verification import verify

    try:
        verify(model)
    except CertificateError as e:
        return False, str(e)
    return True, ""


def _risk(epsilon: float) -> list[dict[str, float]]:
    factor = math.exp(min(epsilon, 50.0))
    priors = (0.001, 0.01, 0.1, 0.5, 0.9)
    return [
        {"prior": p, "most": p * factor / (p * factor + 1 - p), "least": p / (p + (1 - p) * factor)} for p in priors
    ]


def _events(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Equal charges put together."""
    grouped: Counter[tuple[str, str]] = Counter()
    for event in events:
        parameters = ", ".join(
            f"{k} {v:.6g}" if isinstance(v, float) else f"{k} {v}"
            for k, v in event.items()
            if k not in ("mechanism", "count")
        )
        grouped[event["mechanism"], parameters] += event.get("count", 1)
    return [{"mechanism": m, "parameters": p, "times": n} for (m, p), n in grouped.items()]


def _labels(codec: Codec) -> Any:
    """Codes of one axis to text, by decoding rows in which only that axis moves."""
    domain = codec.domain
    names = [[c for c in codec.schema.names if _at(codec, c) == i] for i in range(len(domain))]

    def labels(position: int, codes: np.ndarray) -> list[str]:
        rows = np.zeros((len(codes), len(domain)), np.int64)
        rows[:, position] = codes
        table = codec.decode(rows.astype(domain.code_dtype()), np.random.default_rng(0))
        values = [table.column(n).to_pylist() for n in names[position]]
        return [" / ".join(_text(v) for v in row) for row in zip(*values, strict=True)]

    return labels


def _at(codec: Codec, column: str) -> int | None:
    return codec.position(column) if codec.schema.column(column).modelled else None


def _text(value: Any) -> str:
    if value is None or value == "":
        return "missing"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _public_charts(release: Release, codes: np.ndarray) -> dict[str, Any]:
    from sfumato.reports import tables

    domain = release.codec.domain
    return {
        "marginals": tables.marginal_charts({"synthetic": codes}, domain, _labels(release.codec)),
        "pairs": tables.heat_map(codes, None, domain),
    }


def _measure(
    facts: dict[str, Any],
    release: Release,
    codes: np.ndarray,
    sources: tuple[Any, Any],
    others: Sequence[Path_],
    suite: Literal["quick", "full"],
    seed: int,
) -> None:
    """Add what needs real rows to ``facts``."""
    from sfumato.attacks import audit
    from sfumato.metrics import utility
    from sfumato.reports import tables

    codec = release.codec
    domain = codec.domain
    real, fresh = (_encoded(s, codec) for s in sources)
    target = None if release.schema.target is None else codec.position(release.schema.target)
    found = utility(real, fresh, codes, domain, target, seed=seed)
    attacked = audit(real, fresh, codes, domain, release.guarantee if facts["promise"] else None, suite, seed=seed)
    labels = _labels(codec)
    facts |= {"utility": found, "audit": attacked.to_json(), "rows": found["rows"]}
    facts["measures"] = [{"name": _measure_name(k), **m} for k, m in found["measures"].items()]
    for effect in found["coefficients"]:
        effect["name"] = _effect(effect["name"], domain, labels)
    facts["regions"] = [{**r, "where": _where(r["conditions"], domain, labels)} for r in found["detection"]["regions"]]
    facts["criteria"] = [
        {"name": _criterion(a.attack), **a.to_json()} for a in attacked.attacks if a.attack.split(":")[0] in _ABOUT
    ]
    anchors = {"synthetic rows": codes, "fresh rows": fresh, "independent columns": _apart(real, seed)}
    facts["charts"] |= {
        "marginals": tables.marginal_charts({"synthetic": codes, "real": real}, domain, labels),
        "pairs": tables.heat_map(codes, real, domain),
        "errors": tables.error_chart(real, anchors, domain),
        "learning": tables.learning_chart(found["learning"]) if found["learning"] else "",
        "subgroups": tables.subgroup_chart(found["subgroups"], domain, labels) if found["subgroups"] else "",
        "curve": _curve(release, codes, others, real, anchors, seed),
        **tables.attack_charts(attacked),
    }
    facts["seconds"] = {"utility": found["seconds"], f"attacks ({suite})": attacked.seconds}


def _encoded(source: Any, codec: Codec) -> np.ndarray:
    rows = Rows.open(source)
    names = [c for c in codec.schema.names if codec.schema.column(c).modelled]
    lacking = [n for n in names if n not in rows.columns]
    if lacking:
        raise TableError(f"{rows.name}: lacks the column {lacking[0]!r} of the model's schema")
    learnt = Codec.from_schema(
        codec.schema.model_copy(update={"columns": tuple(codec.schema.column(n) for n in names)})
    )
    return np.concatenate([learnt.encode(batch.select(names)) for batch in rows.batches()])


def _apart(real: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permuted(real, axis=0)


def _curve(
    release: Release,
    codes: np.ndarray,
    others: Sequence[Path_],
    real: np.ndarray,
    anchors: Mapping[str, np.ndarray],
    seed: int,
) -> str:
    """Mean distance of pairs against epsilon, where several models are given."""
    from sfumato.metrics import Binning, cliques, tvds
    from sfumato.reports import charts

    if not others:
        return ""
    binning = Binning.of(release.codec.domain, 32)
    pairs = cliques(binning.domain, min(2, len(binning.domain)), 500)
    reference = binning.apply(real)

    def distance(rows: np.ndarray) -> float:
        return float(tvds(reference, binning.apply(rows), binning.domain, pairs).mean())

    points = [(release.guarantee.epsilon, distance(codes))]
    for path in others:
        other = Release.load(path)
        if other.codec.domain != release.codec.domain:
            raise SfumatoError(f"{os.fspath(path)}: is a model of another table or schema; leave it out")
        rows = other.fitted.sample(len(codes), np.random.default_rng(seed), {})
        points.append((other.guarantee.epsilon, distance(rows)))
    finite = [p for p in points if math.isfinite(p[0])]
    ends = distance(anchors["fresh rows"]), distance(anchors["independent columns"])
    return charts.utility_curve(finite, "mean distance of pairs (TVD)", ends)


def _measure_name(name: str) -> str:
    named = {"query3": "random queries, mean error", "association": "association, mean error"}
    if name.startswith("tvd"):
        ways, _, bins = name[3:].partition("_b")
        return f"total variation, {ways} way{'s' * (ways != '1')}" + (f", {bins} bins" if bins else "")
    return named.get(
        name, name.replace("_", " ").replace("tstr auc", "AUC trained on synthetic,").replace("auc", "AUC")
    )


def _criterion(attack: str) -> str:
    kind, _, column = attack.partition(":")
    return f"{_ABOUT[kind]}: {column}" if column else _ABOUT[kind]


def _where(conditions: Sequence[tuple[str, int, int]], domain: Domain, labels: Any) -> str:
    """A box of codes in words."""
    words = []
    for name, low, high in conditions:
        axis = domain.axes[domain.index(name)]
        if axis.ordered:
            ends = labels(domain.index(name), np.array([low, high]))
            words.append(f"{name} {ends[0]}" if low == high else f"{name} {ends[0]} to {ends[1]}")
            continue
        inside = labels(domain.index(name), np.arange(low, high + 1))
        words.append(f"{name} in {', '.join(inside[:4])}{' …' if len(inside) > 4 else ''}")
    return "; ".join(words) or "everywhere"


def _effect(name: str, domain: Domain, labels: Any) -> str:
    """A coefficient's name with the label of its code."""
    column, equals, code = name.rpartition("=")
    if not equals or column not in domain.names:
        return name
    return f"{column}: {labels(domain.index(column), np.array([int(code)]))[0]}"


def _verdict(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The first thing a reader sees."""
    lines, kind = [], "good"
    if not facts["promise"]:
        headline, kind = "No guarantee", "bad"
        lines.append("Treat these rows like the real ones.")
    elif not facts["verified"]:
        headline, kind = "The certificate does not hold", "bad"
        lines.append(f"{facts['reason']}.")
    else:
        headline = f"The certificate holds: epsilon {facts['promise']['epsilon']:g}, recomputed from its charges"
    audit = facts["audit"]
    if audit is None:
        lines.append("Attacks and comparisons with real rows are in the internal report.")
    elif audit["violation"]:
        headline, kind = audit["verdict"], "bad"
    else:
        kind = "warn" if audit["verdict"].startswith(("LEAK", "powerless")) and kind == "good" else kind
        lines.append(f"Attacks: {audit['verdict']}.")
    return {"headline": headline, "lines": lines, "kind": kind}


def _commands(model: Path_, real: Any, holdout: Any, output: Path_) -> list[str]:
    name = Path(model).name
    lines = [f"sfumato verify {name}", f"sfumato sample {name} -o synthetic.csv --seed 0"]
    if isinstance(real, str | os.PathLike) and isinstance(holdout, str | os.PathLike):
        more = f" --real {_shown(real)} --holdout {_shown(holdout)}"
        lines.append(f"sfumato report {name}{more} -o {Path(output).name}")
    return lines


def _shown(source: Path_) -> str:
    """How a command names a source: without folders, and without a password where it is the address of a database."""
    text = os.fspath(source)
    return shlex.quote(display_url(text) if is_url(text) else Path(text).name)
