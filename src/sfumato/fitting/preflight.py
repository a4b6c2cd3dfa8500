"""All that can fail without the rows is tried before a fit charges anything."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sfumato.atomic import check_writable
from sfumato.encoding.codec import Codec
from sfumato.encoding.measure import preliminary
from sfumato.errors import MissingPackage, OutputError, SchemaError, UnsupportedUnit
from sfumato.extras import require
from sfumato.fitting.plan import Plan
from sfumato.fitting.rehearsal import rehearse
from sfumato.models import MODELS, settings_of
from sfumato.models.choose import Choice, check_width, choose
from sfumato.outputs import KEPT, MODEL, REPORT, same_file
from sfumato.privacy.accounting import discrete_gaussian_sigma, mu_for
from sfumato.privacy.events import DiscreteGaussian, Event
from sfumato.release.artifact import Artifact
from sfumato.release.certificate import Certificate, NoCertificate
from sfumato.release.federation import FederationStatement
from sfumato.release.issuing import issue
from sfumato.release.ledger_statement import LedgerStatement
from sfumato.release.process import Process, declared, declared_of_the_table
from sfumato.release.release import stated
from sfumato.release.signature import load_signing_key, sign
from sfumato.schema.review import open_in_words
from sfumato.tables import Rows

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SPACE = 64 << 20
"""Bytes that must be free where a model or its answers go: the largest models of the benchmarks take a third of it."""

_TRAINING = ("jax", "equinox", "optax", "sfumato.trust.training")
"""Imported by models that ask for gradients, some of them only when half of the budget is spent."""


@dataclass(frozen=True)
class Places:
    """Where the fit will write; None: nowhere, or not known yet.

    Attributes:
        output: the saved model.
        report: an HTML report.
        ledger: the ledger's file.
        answers: the folder of the answer log.
    """

    output: Path | None = None
    report: Path | None = None
    ledger: Path | None = None
    answers: Path | None = None


def check_installed(plan: Plan, report: bool) -> None:
    """MissingExtra where the model that is asked for, or a report, needs packages that are not installed.

    Asked before the table is opened. ``auto`` chooses among models that need no extra.
    """
    if plan.model != "auto":
        MODELS[plan.model, plan.schema.content].recipe()
    if report:
        require("report", "a report")


@dataclass(frozen=True)
class Together:
    """Several sites that fit together, as a certificate tells of them.

    Attributes:
        statement: who takes part.
        event: what they would charge for a table at the cost of the whole promise.
    """

    statement: FederationStatement
    event: Event


def preflight(plan: Plan, rows: Rows | None, places: Places, together: Together | None = None) -> None:
    """Try everything that can fail without reading a row.

    In turn: the schema and the table's columns, the model and its imports, the places that will be written to, the
    signing key, and the whole certificate with placeholder figures, which is rendered, signed, saved to memory and
    verified.

    ``together`` says who takes part, where the rows are those of one of several sites; without ``rows`` all of these
    are elsewhere.

    Raises:
        SfumatoError: the first thing that fails, with the fix.

    *Formal guarantee.* Of the table only the names and types of its columns are looked at, which are public.
    """
    if plan.schema.unreviewed() and not plan.no_certificate:
        raise SchemaError(open_in_words(plan.schema.open_facts()))
    if rows is not None:
        plan.schema.check_columns(rows.columns)
    choice = _check_model(plan, rows)
    _check_places(plan, rows, places)
    key = None if plan.key is None else load_signing_key(plan.key)
    if plan.uncertified is None:
        _check_certificate(plan, choice, _setting(rows, together), key, together)


def _check_model(plan: Plan, rows: Rows | None) -> Choice:
    """The model with its settings, once its codec, its imports and all before its first question went well."""
    if plan.schema.content == "table":
        check_width(plan.model, sum(column.modelled for column in plan.schema.columns))
    if plan.schema.measured():
        preliminary(plan.schema)
        domain, target = None, None
    else:
        codec = Codec.from_schema(plan.schema, types=None if rows is None else rows.stored_types)
        domain = codec.domain
        target = None if plan.schema.target is None else codec.position(plan.schema.target)
    if plan.model != "auto":
        name = plan.model
    else:
        name = "independent" if domain is None else choose(domain, target, plan.guarantee).name
    entry = MODELS[name, plan.schema.content]
    recipe = entry.recipe()
    if "gradients" in entry.asks:
        for module in _TRAINING:
            _import(module, name)
        if plan.max_rows != 1:
            raise UnsupportedUnit(
                f"model {name!r} clips gradients per row, but a unit may hold {plan.max_rows} rows: declare max_rows 1,"
                " or take a model over marginals"
            )
    if domain is not None:
        rehearse(recipe, domain, target, plan)
    return Choice(name, "", settings_of(recipe))


def _import(module: str, model: str) -> None:
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        raise MissingPackage(error.name or module, f"model {model!r}") from None


def _check_places(plan: Plan, rows: Rows | None, places: Places) -> None:
    written = {path: kind for path, kind in ((places.output, MODEL), (places.report, REPORT)) if path is not None}
    read = [p for p in (plan.key, places.ledger, *_files(rows)) if p is not None]
    for path, kind in written.items():
        others = [other for other in written if other is not path]
        check_writable(path, kind, [*read, *others])
    if places.answers is not None and any(same_file(places.answers, other) for other in (*read, *written)):
        raise OutputError(f"{places.answers} is read or added to by this fit; name another folder for its answers")
    if places.report is not None:
        _check_report()
    for folder in {
        Path(os.path.realpath(p)).parent for p in (*written, places.ledger, places.answers) if p is not None
    }:
        if folder.is_dir() and shutil.disk_usage(folder).free < SPACE:
            raise OutputError(f"{folder}: less than {SPACE >> 20} MB are free, which a model may need; make room first")
    if places.answers is not None:
        _check_folder(places.answers)


def _check_report() -> None:
    from sfumato.reporting.page import template

    template()


_TRIED = "tried"
"""A file that is never left: whether the answers that lie there already are sound is told where they are read."""


def _check_folder(folder: Path) -> None:
    """That files can be written to ``folder``; made, where it is not there, and left as it was."""
    if not folder.parent.is_dir():
        return  # one that the caller named is made with all its parents; beside a ledger, opening that tells
    new = not folder.exists()
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror}") from None
    try:
        check_writable(folder / _TRIED, KEPT)
    finally:
        if new:
            with suppress(OSError):  # another fit has begun to use it
                folder.rmdir()


def _files(rows: Rows | None) -> list[Path]:
    """The file that is read, where it is one."""
    if rows is None:
        return []
    path = Path(rows.name)
    return [path] if path.exists() else []


def setting_of(rows: Rows) -> str:
    """The name of the trust setting in which one curator fits these rows."""
    return "database" if rows.kind == "database" else "central"


def _setting(rows: Rows | None, together: Together | None) -> str:
    if together is not None:
        return together.statement.setting
    assert rows is not None, "without a promise nothing is certified; with one, somebody has the rows"
    return setting_of(rows)


def _check_certificate(
    plan: Plan, choice: Choice, setting: str, key: Ed25519PrivateKey | None, together: Together | None
) -> None:
    """Issue, render, sign and verify a certificate of nothing: what fails here would fail after the last charge."""
    from sfumato.release.verification import verify_artifact

    codec = {} if plan.schema.measured() else json.loads(Codec.from_schema(plan.schema).to_json())
    model = stated(choice, plan.guarantee)
    unsigned = Artifact(plan.schema.dump(), codec, model, {}, NoCertificate(reason="a rehearsal").to_dict())
    mu = mu_for(plan.guarantee)
    event = DiscreteGaussian(discrete_gaussian_sigma(mu, plan.max_rows), plan.max_rows)
    process = Process(
        guarantee=plan.guarantee,
        events=(event if together is None else together.event,),
        columns=declared(plan.schema),
        choice=choice,
        max_rows=plan.max_rows,
        setting=setting,
        table=declared_of_the_table(plan.schema),
        ledger=LedgerStatement() if together is None else LedgerStatement("sites"),
        about=plan.about,
        federation=None if together is None else together.statement,
    )
    certificate = issue(process, unsigned.hashes).to_dict()
    certificate = certificate if key is None else sign(certificate, key)
    artifact = replace(unsigned, certificate=certificate)
    Artifact.from_bytes(artifact.to_bytes())
    if codec:
        verify_artifact(artifact)
    else:
        str(Certificate.parse(certificate))
