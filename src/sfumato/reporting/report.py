"""A saved model to one HTML report: what is promised, what attackers achieved, what the data is good for."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sfumato.atomic import atomic_write, check_writable
from sfumato.auditing.audit import white_box_of
from sfumato.encoding.domain import Domain
from sfumato.errors import ArtifactError, SfumatoError
from sfumato.extras import require
from sfumato.outputs import REPORT
from sfumato.progress import Progress, shown
from sfumato.release.release import Release
from sfumato.reporting.purposes import purposes
from sfumato.tables.databases import display_url, is_url
from sfumato.version import VERSION

if TYPE_CHECKING:
    from sfumato.evaluation.result import Utility

Path_ = str | os.PathLike[str]
Build = Literal["internal", "releasable"]
_ROWS = 50_000
_PICTURED = 2000
_CHARTS = (
    "belief",
    "marginals",
    "pairs",
    "grid",
    "bounds",
    "roc",
    "learning",
    "errors",
    "subgroups",
    "curve",
    "beside",
)


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
    progress: Progress | None = None,
    verbose: bool = False,
) -> dict[str, Any]:
    """Write a self-contained HTML report of a saved model.

    Args:
        model: the saved model.
        output: the HTML file.
        real: the rows the model was fitted to; with ``holdout`` it makes an internal report.
        holdout: rows of the same population that the model never saw.
        others: more saved models of the same table, for the curve of utility against epsilon.
        ledger: the data set's ledger, to list its runs in an internal report (a run that stopped may tell of rows).
        build: ``internal`` or ``releasable``; default: internal where real rows are given.
        suite: how thoroughly an internal report attacks and compares; ``quick`` leaves out the attacks on single rows,
            detection, coverage, coefficients, subgroups and the slowest learner.
        seed: fixes the synthetic rows that are shown and attacked.
        progress: receives stages and steps.
        verbose: draw bars of the progress where none is given.

    Returns:
        ``output``, ``build``, ``verdict``, ``bytes`` and ``seconds``.

    Raises:
        MissingExtra: an extra that this needs is not installed.
        SfumatoError: a file that cannot be read, written or does not fit, with the fix.

    *Formal guarantee.* A releasable report is computed from the saved model alone, so it is post-processing of noised
    answers and public facts. An internal report is not private.

    >>> import tempfile
    >>> import sfumato as sf
    >>> fitted = sf.Synthesizer(sf.examples.adult_schema(), "independent", sf.Guarantee(epsilon=1, delta=1e-9))
    >>> path = f"{tempfile.mkdtemp()}/model.sfm"
    >>> fitted.fit(sf.examples.adult()).save(path)
    >>> sf.report(path, f"{path}.html")["build"]
    'releasable'
    """
    require("report", "a report")
    build = build or ("internal" if real is not None else "releasable")
    if build == "internal" and (real is None or holdout is None):
        raise SfumatoError("an internal report needs --real and --holdout; for one without real rows ask releasable")
    if ledger is not None and build == "releasable":
        raise SfumatoError(
            "a releasable report lists no runs, for one that stopped may tell of the rows: leave --ledger out"
        )
    if others and build == "releasable":
        raise SfumatoError("more models are compared with real rows: give --real and --holdout, or one model")
    check_writable(output, REPORT, (model, real, holdout, *others, ledger))
    with shown(progress, verbose) as seen:
        return _written(model, output, (real, holdout), others, ledger, build, suite, seed, seen)


def _written(
    model: Path_,
    output: Path_,
    sources: tuple[Any, Any],
    others: Sequence[Path_],
    ledger: Path_ | None,
    build: Build,
    suite: Literal["quick", "full"],
    seed: int,
    seen: Progress,
) -> dict[str, Any]:
    """Draw, measure and write."""
    from threadpoolctl import threadpool_limits

    began = perf_counter()
    seen.stage("drawing rows")
    release = Release.load(model)
    if release.schema.image is not None:
        require("images", "a report of images")
    codes = release.fitted.sample(min(_ROWS, release.default_rows), np.random.default_rng(seed), {})
    drawn = perf_counter() - began
    held, problem = _verified(model)
    with _malformed_unless(held, model):
        facts = _promised(model, release, held, problem)
    facts |= {"build": build, "rows": {"synthetic": len(codes)}, "audit": None, "utility": None, "criteria": {}}
    facts |= {"subgroups": [], "coefficients": [], "regions": [], "quality": [], "worst": [], "violations": None}
    facts["charts"] = dict.fromkeys(_CHARTS, "") | facts["charts"] | _samples(release, codes)
    facts["book"] = None if ledger is None else _book(ledger)
    facts["seconds"] = {f"loading, drawing {len(codes):,} rows": drawn}
    with threadpool_limits(1):  # several threads of small jobs mostly wait for each other
        if build == "internal":
            _measure(facts, release, codes, sources, others, suite, seed, seen)
        else:
            seen.stage("charts")
            facts["charts"] |= _public_charts(release, codes)
    facts["images"] = release.schema.image is not None
    facts["commands"] = _again(model, facts["images"], seed)
    if build == "internal":
        facts["commands"] += _attacked_again((model, *others), sources, ledger, suite, output)
    facts["verdict"] = _verdict(facts)
    broken = facts["violations"].rows.synthetic if facts["violations"] else None
    certified = bool(facts["promise"]) and facts["verified"]
    facts["purposes"] = purposes(certified, facts["audit"], facts["utility"], broken)
    from sfumato.reporting.page import render

    with _malformed_unless(held, model):
        page = render(facts).encode()
    with atomic_write(output, REPORT) as out:
        out.write(page)
    return {
        "output": os.fspath(output),
        "build": build,
        "verdict": facts["verdict"]["headline"],
        "bytes": len(page),
        "seconds": round(perf_counter() - began, 1),
    }


@contextmanager
def _malformed_unless(held: bool, model: Path_) -> Iterator[None]:
    """One line for a certificate that does not hold, and whose parts are not even of the kinds that can be shown."""
    from jinja2 import TemplateError

    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, TemplateError):
        if held:
            raise
        raise ArtifactError(
            f"{os.fspath(model)}: its certificate is malformed, so nothing can be reported; `sfumato verify` says more"
        ) from None


def _promised(model: Path_, release: Release, held: bool, problem: str) -> dict[str, Any]:
    """All that is known of the saved model without any row."""
    from sfumato.reporting import charts, wording

    c: Mapping[str, Any] = release.certificate
    certified = c.get("certificate") is not None
    promise = c["promise"] if certified else None
    composition = c["composition"] if certified else {}
    return {
        "title": Path(model).name,
        "version": VERSION,
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "model": release.choice.name,
        "why": release.choice.why,
        "promise": promise,
        "composition": composition,
        "verified": held,
        "reason": problem if held is False else c.get("reason", ""),
        "risk": _risk(promise["epsilon"]) if promise else [],
        "unprotected": list(c.get("unprotected", [])),
        "limits": list(c.get("limits", [])),
        "pyramid": list(c.get("pyramid", [])),
        "events": wording.charges(composition.get("events", [])),
        "ledger": _ledger_in_words(c),
        "columns": wording.public_facts(
            release.codec.schema, {col["name"]: col["sources"] for col in c.get("data_domain", {}).get("columns", [])}
        ),
        "members": dict(c.get("members", {})),
        "signature": "Signed (Ed25519)." if c.get("signature") else "Not signed: it is whole, but shows no author.",
        "implementation": dict(c.get("implementation", {})),
        "charts": {"belief": charts.belief(promise["epsilon"])} if promise else {},
    }


def _ledger_in_words(certificate: Mapping[str, Any]) -> str:
    """Where the ledger stood; empty for certificates that do not say."""
    from sfumato.release.certificate import KIND
    from sfumato.release.ledger_statement import LedgerStatement

    if certificate.get("certificate") != KIND:
        return ""
    return LedgerStatement.from_json(certificate["composition"]["ledger"]).in_words()


def _book(path: Path_) -> dict[str, Any]:
    from sfumato.privacy.ledger import Ledger

    if not Path(path).exists():
        raise SfumatoError(f"{os.fspath(path)}: there is no such ledger")
    with Ledger.open(path) as ledger:
        return ledger.summary()


def _verified(model: Path_) -> tuple[bool, str]:
    from sfumato.errors import CertificateError
    from sfumato.release.verification import verify

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


def _public_charts(release: Release, codes: np.ndarray) -> dict[str, Any]:
    """What the synthetic rows show alone."""
    from sfumato.reporting import tables, wording

    codec = release.codec
    return {
        "marginals": tables.marginal_charts({"synthetic": codes}, codec.domain, wording.axis_labels(codec)),
        "pairs": tables.heat_map(codes, None, codec.domain),
    }


def _samples(release: Release, codes: np.ndarray) -> dict[str, str]:
    """A picture of some images, where the table has a column of them."""
    image = release.schema.image
    if image is None:
        return {}
    from sfumato.reporting.pictures import grid

    some = release.codec.decode(codes[:_PICTURED], np.random.default_rng(0))
    return {"grid": grid(some, image.name, release.schema.target)}


def _measure(
    facts: dict[str, Any],
    release: Release,
    codes: np.ndarray,
    sources: tuple[Any, Any],
    others: Sequence[Path_],
    suite: Literal["quick", "full"],
    seed: int,
    seen: Progress,
) -> None:
    """Add what needs real rows to ``facts``."""
    from sfumato.auditing.suite import run_attacks
    from sfumato.evaluation.data import EvaluationData
    from sfumato.evaluation.meaning import meaning
    from sfumato.evaluation.summary import utility
    from sfumato.reporting import tables, wording

    data = EvaluationData.of_model(release.codec, *sources, codes)
    domain, real, holdout = data.domain, data.real, data.holdout
    target, quick = data.position(release.schema.target), suite == "quick"
    found = utility(real, holdout, codes, domain, target, seed=seed, quick=quick, progress=seen)
    claimed, white_box = release.guarantee if facts["promise"] else None, white_box_of(release, real)
    attacked = run_attacks(real, holdout, codes, domain, claimed, suite, seed=seed, white_box=white_box, progress=seen)
    seen.stage("charts")
    labels = wording.axis_labels(release.codec)
    facts |= {"utility": found, "violations": data.violations(seed), "audit": attacked, "rows": found.rows}
    facts["measures"] = [(wording.measure_name(k), meaning(k), m) for k, m in found.measures.items()]
    facts["criteria"] = {
        wording.criterion(a.attack): a for a in attacked.attacks if a.attack.split(":")[0] in wording.CRITERIA
    }
    anchors = {"synthetic rows": codes, "holdout rows": holdout, "independent columns": _apart(real, seed)}
    facts["charts"] |= {
        "marginals": tables.marginal_charts({"synthetic": codes, "real": real}, domain, labels),
        "learning": tables.learning_chart(found.learning) if found.learning else "",
        **tables.attack_charts(attacked),
    }
    facts["charts"]["curve"] = _curve(release, codes, others, real, anchors, seed)
    if domain.pixels is None:
        _detail(facts, real, anchors, domain, labels)
    facts["seconds"] |= {"utility": found.seconds, f"attacks ({suite})": attacked.seconds}


def _detail(
    facts: dict[str, Any], real: np.ndarray, anchors: Mapping[str, np.ndarray], domain: Domain, labels: Any
) -> None:
    """What a table of columns has and one of images has not."""
    from sfumato.reporting import tables, wording

    found: Utility = facts["utility"]
    facts["quality"] = tables.column_quality(real, anchors, domain)
    facts["worst"] = tables.worst_pairs(real, anchors, domain)
    facts["coefficients"] = [(wording.effect(c.name, domain, labels), c) for c in found.coefficients]
    groups = [(wording.group(g, domain, labels), g) for g in found.subgroups]
    facts["subgroups"] = groups
    facts["regions"] = [
        (wording.where(r.conditions, domain, labels), r) for r in (found.detection.regions if found.detection else ())
    ]
    facts["charts"] |= {
        "pairs": tables.heat_map(anchors["synthetic rows"], real, domain),
        "errors": tables.error_chart(real, anchors, domain),
        "beside": tables.beside_chart(real, anchors["synthetic rows"], domain, labels),
        "subgroups": tables.subgroup_chart(groups) if groups else "",
    }


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
    """Distance from the real rows against epsilon, where several models are given."""
    from sfumato.reporting import charts

    if not others:
        return ""
    epsilons, drawn = [release.guarantee.epsilon], [codes]
    for path in others:
        other = Release.load(path)
        if other.codec.domain != release.codec.domain:
            raise SfumatoError(f"{os.fspath(path)}: is a model of another table or schema; leave it out")
        epsilons.append(other.guarantee.epsilon)
        drawn.append(other.fitted.sample(len(codes), np.random.default_rng(seed), {}))
    name, (*found, holdout, apart) = _distances(
        real, [*drawn, anchors["holdout rows"], anchors["independent columns"]], release.codec.domain
    )
    finite = [point for point in zip(epsilons, found, strict=True) if math.isfinite(point[0])]
    return charts.utility_curve(finite, name, (holdout, apart))


def _distances(real: np.ndarray, others: Sequence[np.ndarray], domain: Domain) -> tuple[str, list[float]]:
    """What is measured, and the distance of each table from the real one."""
    from sfumato.evaluation.images import pixel_distances
    from sfumato.evaluation.marginals import Binning, cliques, tvds

    if domain.pixels is not None:
        return "Fréchet distance of pixels", pixel_distances(real, others, domain.pixels)
    binning = Binning.of(domain, 32)
    pairs = cliques(binning.domain, min(2, len(binning.domain)), 500)
    reference = binning.apply(real)
    found = [float(tvds(reference, binning.apply(rows), binning.domain, pairs).mean()) for rows in others]
    return "mean distance of pairs (TVD)", found


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
    elif audit.violation:
        headline, kind = audit.verdict, "bad"
    else:
        kind = "warn" if audit.verdict.startswith(("LEAK", "powerless")) and kind == "good" else kind
        lines.append(f"Attacks: {audit.verdict}.")
    return {"headline": headline, "lines": lines, "kind": kind}


def _again(model: Path_, images: bool, seed: int) -> list[str]:
    """The lines that check and sample it again; without folders, which are nobody's business."""
    name = shlex.quote(Path(model).name)
    return [f"sfumato verify {name}", f"sfumato sample {name} -o synthetic.{'npz' if images else 'csv'} --seed {seed}"]


def _attacked_again(
    models: Sequence[Path_], sources: tuple[Any, Any], ledger: Path_ | None, suite: str, output: Path_
) -> list[str]:
    """The lines that make an internal report again; none where the rows were no files."""
    if not all(isinstance(s, str | os.PathLike) for s in sources):
        return []
    real, holdout = (_shown(s) for s in sources)
    names = [shlex.quote(Path(m).name) for m in models]
    book = "" if ledger is None else f" --ledger {shlex.quote(Path(ledger).name)}"
    quick, out = " --quick" * (suite == "quick"), shlex.quote(Path(output).name)
    return [
        f"sfumato report {' '.join(names)} --real {real} --holdout {holdout}{book}{quick} -o {out}",
        f"sfumato audit --real {real} --holdout {holdout} --model {names[0]}{' --full' * (suite == 'full')}",
    ]


def _shown(source: Path_) -> str:
    """How a command names a source: without folders, and without a password where it is the address of a database."""
    text = os.fspath(source)
    return shlex.quote(display_url(text) if is_url(text) else Path(text).name)
