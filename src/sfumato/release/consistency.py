"""Whether the parts of a certificate and its model can come from one fit: figures, charges, ledger, and words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from sfumato.errors import CertificateError, SfumatoError
from sfumato.models.choose import Choice
from sfumato.privacy.distributed import inexact
from sfumato.privacy.events import OVERFLOWS, DistributedGaussian, Event, Gaussian, PoissonSampledGaussian, Threshold
from sfumato.privacy.guarantee import Guarantee, check_promise
from sfumato.privacy.mechanisms.lattice import FEATURE_BITS, INEXACT, norm
from sfumato.privacy.mechanisms.threshold import leak
from sfumato.privacy.spending import Spending
from sfumato.release.artifact import Artifact
from sfumato.release.certificate import Certificate, section_of
from sfumato.release.issuing import ACCOUNTANT, ISSUED
from sfumato.release.ledger_statement import LedgerStatement
from sfumato.release.process import Process, declared
from sfumato.release.words import TRUST, words
from sfumato.results.plain import Json
from sfumato.schema import Schema
from sfumato.tables import examples

ROUNDING = 1e-6
"""Share by which a figure may be off."""
_MOST_TERMS = 10**7
"""Terms of the leaks of all thresholds: more took the fit itself hours, and would stall who checks."""
_SECTIONS = frozenset(
    {"certificate", "issued", "composition", "data_domain", "implementation", "members", "federation", "signature"}
)
_COMPOSITION = frozenset({"accountant", "epsilon_spent", "epsilon_composed", "epsilon_by_renyi", "events", "ledger"})
_VERSION = re.compile(r"[\w.+!-]{1,60}|not installed")


def check_claim(artifact: Artifact, guarantee: Guarantee) -> None:
    """That the promise is one that a fit accepts, and the one that the model itself states."""
    try:
        check_promise(guarantee)
    except SfumatoError as error:
        raise CertificateError(f"no fit promises this: {error}") from None
    stated = {"epsilon": guarantee.epsilon, "delta": guarantee.delta, "unit": guarantee.unit}
    if artifact.model.get("promised") != stated:
        raise CertificateError("the model states another promise than the certificate")


def check_charges(events: Sequence[Event], max_rows: int) -> None:
    """That each event can be what a fit charges for a unit of ``max_rows`` rows; CertificateError otherwise."""
    kinds = set(events)
    thresholds = [e for e in kinds if isinstance(e, Threshold)]
    if sum(12 * e.sigma * e.sensitivity for e in thresholds) > _MOST_TERMS:
        raise CertificateError("the events hold thresholds that no fit can have planned")
    if any(e.delta < leak(e.sigma, e.threshold, e.sensitivity) * (1 - ROUNDING) for e in thresholds):
        raise CertificateError("a threshold shows a unit's own values more often than the delta it was charged with")
    if any(e.delta < INEXACT for e in kinds if isinstance(e, Gaussian)):
        raise CertificateError("a noisy sum was charged without the delta of its noise")
    shared = [e for e in kinds if isinstance(e, DistributedGaussian)]
    if any(e.delta < inexact(e.scale / e.weight, e.shares, 1) for e in shared):
        raise CertificateError("a noisy sum was charged without the delta of its shares of noise")
    if any(e.sensitivity < max_rows * norm(FEATURE_BITS, 1) for e in shared if e.sampling_probability == 1):
        raise CertificateError("a noisy sum of sites was charged for less than one unit moves it")
    steps = [e for e in kinds if isinstance(e, PoissonSampledGaussian)]
    steps += [e for e in shared if e.sampling_probability < 1]
    if not steps:
        return
    if max_rows != 1:
        raise CertificateError(f"gradients are clipped per row, but a unit may hold {max_rows} rows")
    if any(e.delta < OVERFLOWS for e in steps):
        raise CertificateError("DP-SGD was charged without the delta of its batches and its noise")


def check_ledger(stated: LedgerStatement | None, schema: Schema, guarantee: Guarantee, events: Sequence[Event]) -> None:
    """That the cumulative figures do not contradict each other: they are the curator's word, like the events."""
    if stated is None:
        raise CertificateError("the certificate names no ledger")
    if stated.kept == "public example" and not _of_an_example(schema):
        raise CertificateError("the certificate calls the rows a public example, which the schema does not describe")
    if stated.kept == "sites" and (stated.id, stated.run, stated.cap) != (None, None, None):
        raise CertificateError("the certificate's ledger is that of each site, and states the figures of one")
    if stated.cap is None:
        if stated.before is not None or stated.after is not None:
            raise CertificateError("the certificate's ledger states figures without a cap")
        return
    if stated.before is None or stated.after is None:
        raise CertificateError("the certificate's ledger states a cap without its figures")
    cap = Guarantee(stated.cap.epsilon, stated.cap.delta, guarantee.unit)
    if stated.after < stated.before or stated.after > cap.epsilon * (1 + ROUNDING):
        raise CertificateError("the certificate's ledger holds more than its cap, or less after the run than before")
    if stated.after < Spending.of(events).epsilon(cap.delta) * (1 - ROUNDING):
        raise CertificateError("the certificate's ledger holds less after the run than the run alone costs")


def _of_an_example(schema: Schema) -> bool:
    """Whether its columns are some of an example's, images of the same size."""
    known = (Schema.load(path) for path in (examples.adult_schema(), examples.digits_schema()))
    return any(_forms(schema) <= _forms(example) for example in known)


def _forms(schema: Schema) -> set[tuple[str | int | None, ...]]:
    """Of each column its name, and the size of an image."""
    size = ("height", "width", "channels")
    return {(c.name, *(getattr(c, side, None) for side in size)) for c in schema.columns}


def check_words(certificate: Mapping[str, Json], process: Process) -> None:
    """That each sentence of the stored form follows from the figures, the schema and the model, and no other stands."""
    expected = words(process)
    unknown = certificate.keys() - expected.keys() - _SECTIONS
    if unknown:
        raise CertificateError(f"the certificate holds a section that none has ({min(unknown)[:40]!r})")
    for name, section in expected.items():
        if certificate[name] != section:
            raise CertificateError(f"its section {name!r} says something else than follows from its figures and model")
    composition = section_of(certificate, "composition")
    if composition["accountant"] != ACCOUNTANT or composition.keys() != _COMPOSITION:
        raise CertificateError("its section 'composition' says something else than follows from its figures and model")
    if section_of(certificate, "data_domain").keys() != {"columns", "table", "types"}:
        raise CertificateError("its section 'data_domain' says something else than follows from its figures and model")
    datetime.strptime(str(certificate["issued"]), ISSUED)
    if not all(_VERSION.fullmatch(str(version)) for version in section_of(certificate, "implementation").values()):
        raise CertificateError("its section 'implementation' holds more than versions")


def check_federation(artifact: Artifact, certificate: Certificate, guarantee: Guarantee) -> None:
    """That sites are told of where there were some, and nowhere else: in the trust model, the events and the ledger."""
    stated, composition = certificate.federation, certificate.composition
    told = [name for name in ("federated", "mpc") if certificate.trust_model == TRUST[name]]
    if told != ([] if stated is None else [stated.setting]):
        raise CertificateError("the certificate tells of sites in one place alone: its trust model or its federation")
    if composition.ledger is not None and (composition.ledger.kept == "sites") != (stated is not None):
        raise CertificateError("the certificate tells of sites in one place alone: its ledger or its federation")
    local = [e for e in composition.events if isinstance(e, PoissonSampledGaussian)]
    shares = {getattr(e, "shares", None) for e in composition.events if not isinstance(e, PoissonSampledGaussian)}
    if stated is None:
        if shares - {None}:
            raise CertificateError("noise was shared by sites, of which the certificate does not tell")
        return
    stated.check()
    if stated.split is not None:
        stated.split.check_against(Schema.parse(artifact.schema), guarantee)
        stated.split.check_events(composition.events, guarantee)
    if section_of(artifact.certificate, "federation") != stated.model_dump(mode="json", exclude_unset=True):
        raise CertificateError("the certificate's federation holds more than its fields")
    if local and (stated.averaging is None or any(e.count % stated.averaging.local_steps for e in local)):
        raise CertificateError("the events hold steps that no site of the certificate's federation took by itself")
    if shares != {stated.honest_shares}:
        raise CertificateError("the events count other shares of noise than the federation has honest sites")
    if stated.rounds > sum(event.count for event in composition.events):
        raise CertificateError("the certificate's federation opened more sums than were charged")


def process_of(artifact: Artifact, certificate: Certificate, guarantee: Guarantee) -> Process:
    """The process that the certificate restates, from the model where that says it."""
    setting = next((name for name, text in TRUST.items() if text == certificate.trust_model), None)
    if setting is None:
        raise CertificateError("the certificate names a trust model that no fit has")
    check_federation(artifact, certificate, guarantee)
    total = artifact.model.get("facts", {}).get("total")
    return Process(
        guarantee=guarantee,
        events=certificate.composition.events,
        columns=declared(Schema.parse(artifact.schema)),
        choice=Choice(artifact.model["name"], artifact.model["why"], artifact.model.get("settings")),
        max_rows=certificate.promise.max_rows_per_unit,
        setting=setting,
        records=None if total is None else max(1, round(total)),
        about={"curator": certificate.product.curator, "purpose": certificate.product.purpose},
        federation=certificate.federation,
    )
