"""A saved model to one HTML report: what is promised, what attackers achieved, what the data is good for."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Literal

import numpy as np

from sfumato.atomic import atomic_write, check_writable
from sfumato.auditing.result import Suite
from sfumato.errors import ArtifactError, CertificateError, SfumatoError
from sfumato.extras import require
from sfumato.outputs import REPORT
from sfumato.progress import Progress, shown
from sfumato.release.certificate import Certificate, NoCertificate
from sfumato.release.checked_sites import CheckedSite
from sfumato.release.release import Release
from sfumato.reporting.contents import Build, Charts, LedgerBook, LedgerRun, Report, ReportPage, Risk, Verdict
from sfumato.reporting.purposes import Purpose, purposes
from sfumato.tables.databases import display_url, is_url
from sfumato.tables.source import RowSource
from sfumato.version import VERSION

Path_ = str | os.PathLike[str]
_ROWS = 50_000
"""Synthetic rows that are shown and attacked at most: as many as ``sf.audit`` draws."""
_PICTURED = 2000
"""Rows among which the picture of samples finds some of each label."""
_PRIORS = (0.001, 0.01, 0.1, 0.5, 0.9)
"""Beliefs before the release that the table of risk begins at."""
_LARGE = 50.0
"""An epsilon at which every belief may become certain; a larger one would overflow."""


def report(
    model: Path_,
    output: Path_,
    real: RowSource | None = None,
    holdout: RowSource | None = None,
    *,
    others: Sequence[Path_] = (),
    ledger: Path_ | None = None,
    build: Build | None = None,
    suite: Suite = "full",
    seed: int = 0,
    progress: Progress | None = None,
    verbose: bool = False,
) -> Report:
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
        Where it is, which build, its verdict, its size and how long it took.

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
    >>> sf.report(path, f"{path}.html").build
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
    sources: tuple[RowSource | None, RowSource | None],
    others: Sequence[Path_],
    ledger: Path_ | None,
    build: Build,
    suite: Suite,
    seed: int,
    seen: Progress,
) -> Report:
    """Draw, measure and write."""
    from threadpoolctl import threadpool_limits

    from sfumato.reporting.page import render

    began = perf_counter()
    seen.stage("drawing rows")
    release = Release.load(model)
    if build == "releasable" and not release.guarantee.private:
        raise SfumatoError(
            "this model was fitted without noise: what is drawn from it may reveal rows, and no report of it may be"
            " released; give --real and --holdout for an internal one"
        )
    if release.schema.image is not None:
        require("images", "a report of images")
    codes = release.fitted.sample(min(_ROWS, release.default_rows), np.random.default_rng(seed), {})
    page = _public(model, release, codes, build, perf_counter() - began)
    real, holdout = sources
    with threadpool_limits(1):  # several threads of small jobs mostly wait for each other
        if build == "releasable" or real is None or holdout is None:
            seen.stage("charts")
            page = replace(page, charts=_public_charts(page.charts, release, codes))
        else:
            from sfumato.evaluation.data import EvaluationData
            from sfumato.reporting.measuring import measured

            page = replace(page, book=None if ledger is None else _book(ledger))
            data = EvaluationData.of_model(release.codec, real, holdout, codes)
            page = measured(page, release, data, others, suite, seed, seen)
    commands = _again(model, page.images, seed)
    if build == "internal":
        commands += _attacked_again((model, *others), sources, ledger, suite, output)
    page = replace(page, commands=tuple(commands), verdict=_verdict(page), purposes=_purposes(page))
    text = render(page).encode()
    with atomic_write(output, REPORT) as out:
        out.write(text)
    seconds = round(perf_counter() - began, 1)
    return Report(os.fspath(output), build, page.verdict.headline, len(text), seconds)


def _public(model: Path_, release: Release, codes: np.ndarray, build: Build, seconds: float) -> ReportPage:
    """The page of a saved model without any row; its commands and its verdict are still to come."""
    from sfumato.reporting import charts, wording

    certificate = _certificate(model, release)
    reason, sites = _checked(model)
    page = ReportPage(
        title=Path(model).name,
        version=VERSION,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        build=build,
        model=release.choice.name,
        why=release.choice.why,
        images=release.schema.image is not None,
        drawn=len(codes),
        verdict=Verdict("", (), "bad"),
        purposes=(),
        reason=reason,
        signature="Not signed: it is whole, but shows no author.",
        columns=wording.public_facts(release.codec.schema, {}),
        charts=Charts(grid=_samples(release, codes)),
        seconds={f"loading, drawing {len(codes):,} rows": seconds},
        commands=(),
    )
    if isinstance(certificate, NoCertificate):
        return replace(page, reason=certificate.reason)
    stated = {column.name: column.sources for column in certificate.data_domain.columns}
    ledger = certificate.composition.ledger
    return replace(
        page,
        signature=page.signature if certificate.signature is None else "Signed (Ed25519).",
        columns=wording.public_facts(release.codec.schema, stated),
        charts=replace(page.charts, belief=charts.belief(certificate.promise.epsilon)),
        promise=certificate.promise,
        composition=certificate.composition,
        unprotected=certificate.unprotected,
        limits=certificate.limits,
        pyramid=certificate.pyramid,
        members=certificate.members,
        implementation=certificate.implementation,
        risk=_risk(certificate.promise.epsilon),
        charges=wording.charges(certificate.composition.events),
        ledger="" if ledger is None else ledger.in_words(),
        sites=sites,
    )


def _certificate(model: Path_, release: Release) -> Certificate | NoCertificate:
    """The certificate; one line for a malformed one, of which there is nothing to show."""
    try:
        return release.certificate
    except CertificateError:
        raise ArtifactError(
            f"{os.fspath(model)}: its certificate is malformed, so nothing can be reported; `sfumato verify` says more"
        ) from None


def _book(path: Path_) -> LedgerBook:
    from sfumato.privacy.ledger import Ledger

    with Ledger.open(path, create=False) as ledger:
        said = ledger.summary()
    runs = (LedgerRun(r["label"], r["began"], r["guarantee"]["epsilon"], r["epsilon_spent"]) for r in said["runs"])
    return LedgerBook(tuple(runs), said["epsilon_spent"], said["cap"]["epsilon"], said["cap"]["delta"])


def _checked(model: Path_) -> tuple[str, tuple[CheckedSite, ...]]:
    """Why the certificate does not hold, empty where it does; and the sites whose signatures were checked."""
    from sfumato.release.verification import verify

    try:
        return "", verify(model).sites
    except CertificateError as e:
        return str(e), ()


def _risk(epsilon: float) -> tuple[Risk, ...]:
    factor = math.exp(min(epsilon, _LARGE))
    return tuple(Risk(p, p * factor / (p * factor + 1 - p), p / (p + (1 - p) * factor)) for p in _PRIORS)


def _public_charts(drawn: Charts, release: Release, codes: np.ndarray) -> Charts:
    """With what the synthetic rows show alone."""
    from sfumato.reporting import tables, wording

    codec = release.codec
    return replace(
        drawn,
        marginals=tables.marginal_charts({"synthetic": codes}, codec.domain, wording.axis_labels(codec)),
        pairs=tables.heat_map(codes, None, codec.domain),
    )


def _samples(release: Release, codes: np.ndarray) -> str:
    """A picture of some images, where the table has a column of them."""
    image = release.schema.image
    if image is None:
        return ""
    from sfumato.reporting.pictures import image_grid

    some = release.codec.decode(codes[:_PICTURED], np.random.default_rng(0))
    return image_grid(some, image.name, release.schema.target)


def _verdict(page: ReportPage) -> Verdict:
    """The first thing a reader sees."""
    kind: Literal["good", "warn", "bad"] = "bad"
    if page.promise is None:
        headline, lines = "No guarantee", ["Treat these rows like the real ones."]
    elif page.reason:
        headline, lines = "The certificate does not hold", [f"{page.reason}."]
    else:
        headline, lines = f"The certificate holds: epsilon {page.promise.epsilon:g}, recomputed from its charges", []
        kind = "good"
    if page.audit is None:
        lines.append("Attacks and comparisons with real rows are in the internal report.")
    elif page.audit.violation:
        headline, kind = page.audit.verdict, "bad"
    else:
        kind = "warn" if page.audit.verdict.startswith(("LEAK", "powerless")) and kind == "good" else kind
        lines.append(f"Attacks: {page.audit.verdict}.")
    return Verdict(headline, tuple(lines), kind)


def _purposes(page: ReportPage) -> tuple[Purpose, ...]:
    """What the rows may be used for."""
    broken = page.utility.violations.rows.synthetic if page.utility and page.utility.violations else None
    epsilon = page.promise.epsilon if page.promise is not None and not page.reason else None
    return purposes(epsilon, page.audit, page.utility, broken)


def _again(model: Path_, images: bool, seed: int) -> list[str]:
    """The lines that check and sample it again; without folders, which are nobody's business."""
    name = shlex.quote(Path(model).name)
    return [f"sfumato verify {name}", f"sfumato sample {name} -o synthetic.{'npz' if images else 'csv'} --seed {seed}"]


def _attacked_again(
    models: Sequence[Path_],
    sources: tuple[RowSource | None, RowSource | None],
    ledger: Path_ | None,
    suite: str,
    output: Path_,
) -> list[str]:
    """The lines that make an internal report again; none where the rows were no files."""
    named = [_shown(s) for s in sources if isinstance(s, str | os.PathLike)]
    if len(named) < len(sources):
        return []
    real, holdout = named
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
