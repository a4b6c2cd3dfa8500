"""The certificate: what was promised, to whom, on which facts, at what cost, and where the promise ends.

Its fields follow tier 3 of the OpenDP / NIST deployment registry; ``pyramid`` follows the blocks of NIST SP 800-226
(March 2025), which asks of every claim of differential privacy what holds it up from below.

A certificate in a file is input that nobody vouches for: it is read into these types, or refused. Its stored form is
kept beside them, for signatures and hashes are over that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import get_args

from pydantic import PrivateAttr, ValidationError

from sfumato.errors import CertificateError
from sfumato.models.settings import settings_in_words
from sfumato.printable import printable, printable_parts
from sfumato.privacy.events import Event
from sfumato.release.federation import FederationStatement
from sfumato.release.sections import (
    Algorithm,
    ColumnFacts,
    Composition,
    DataDomain,
    Product,
    Promise,
    ReleasedBlock,
    Section,
    Signature,
    TableFact,
)
from sfumato.results.notebook import table
from sfumato.results.plain import Json

KIND = "sfumato/certificate/2"
KINDS = ("sfumato/certificate/1", KIND)
"""Kinds of certificates that are read; those before the last lack fixes of the promise."""

_MECHANISMS = frozenset(kind.__name__ for kind in get_args(Event))
_UNFIT = "the certificate lacks fields or holds numbers out of range"


class Certificate(Section):
    """A certificate that has every field it must have; whether it is true is for ``verify`` to say.

    Attributes:
        kind: the version of its form.
        issued: when, in UTC.
        product, promise, unprotected, trust_model, algorithm, pyramid, limits: what is promised, and where that ends.
        composition: what was charged.
        data_domain: the public facts.
        implementation: versions of the libraries that took part.
        members: SHA-256 of each part of the model, by name.
        federation: who took part where the rows lay at several sites; None otherwise.
        signature: over all else, or None.

    >>> import sfumato as sf
    >>> fitted = sf.Synthesizer(sf.examples.adult_schema(), "independent", sf.Guarantee(epsilon=1, delta=1e-9))
    >>> fitted.fit(sf.examples.adult()).certificate
    Certificate(epsilon 1, delta 1e-09, unit row, independent, not signed)
    """

    kind: str
    issued: str
    product: Product
    promise: Promise
    unprotected: tuple[str, ...]
    trust_model: str
    algorithm: Algorithm
    pyramid: tuple[ReleasedBlock, ...]
    limits: tuple[str, ...]
    composition: Composition
    data_domain: DataDomain
    implementation: Mapping[str, str]
    members: Mapping[str, str]
    federation: FederationStatement | None = None
    signature: Signature | None = None
    _stored: str = PrivateAttr(default="")

    @classmethod
    def parse(cls, stored: Mapping[str, Json]) -> Certificate:
        """Read the stored form.

        Raises:
            CertificateError: another kind, a mechanism that this version does not know, or a field that is missing or
                holds what it cannot hold.
        """
        kind = stored.get("certificate")
        if kind not in KINDS:
            raise CertificateError(
                f"certificate of an unknown kind; this version of sfumato reads {', '.join(KINDS)}: upgrade sfumato"
            )
        try:
            text = json.dumps(stored, ensure_ascii=False, allow_nan=False)
            fields = json.loads(text)
            _check_mechanisms(fields["composition"]["events"])
            if kind != KIND:
                fields["composition"]["ledger"] = None
            found = cls.model_validate_json(json.dumps({"kind": fields.pop("certificate"), **fields}))
        except (ValidationError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError):
            raise CertificateError(_UNFIT) from None
        found._stored = text
        return found

    def to_dict(self) -> dict[str, Json]:
        """Exactly the JSON object that is stored, hashed and signed."""
        return json.loads(self._stored)

    def __str__(self) -> str:
        """All of it as text for people: whatever its fields hold, each stays in its line and shows all of itself."""
        return _rendered(Certificate.parse(printable_parts(self.to_dict())))

    def __repr__(self) -> str:
        signed = "signed" if self.signature else "not signed"
        p = self.promise
        return f"Certificate(epsilon {p.epsilon:g}, delta {p.delta:g}, unit {p.unit}, {self.algorithm.model}, {signed})"

    def _repr_html_(self) -> str:
        p = self.promise
        rows = (
            ("promise", f"epsilon {p.epsilon:g}, delta {p.delta:g}, unit {p.unit}, {p.neighbours}"),
            ("in words", p.in_words),
            ("spent", f"epsilon {self.composition.epsilon_spent:.6g} in {len(self.composition.events)} charges"),
            ("model", f"{self.algorithm.model}: {self.algorithm.why}"),
            ("settings", settings_in_words(self.algorithm.settings or {}) or "none"),
            ("trust", self.trust_model),
            ("signature", "Ed25519" if self.signature else "none"),
        )
        return table("Certificate", (), rows, "What it says is checked by sfumato.verify, not by showing it.")


def _rendered(certificate: Certificate) -> str:
    """All fields, a line each where they are short."""
    p, c, facts = certificate.promise, certificate.composition, certificate.data_domain
    images = any(column.kind == "image" for column in facts.columns)
    row, rows = ("row (an image)", "images") if images else ("row", "rows")
    unit = f"{p.unit} (at most {p.max_rows_per_unit} {rows} each)" if p.unit != "row" else row
    lines = [
        f"CERTIFICATE  {certificate.kind}  issued {certificate.issued}",
        f"  promise     epsilon {p.epsilon:g}, delta {p.delta:g}; unit: {unit}; neighbours: {p.neighbours}",
        f"  in words    {p.in_words}",
        f"  spent       epsilon {c.epsilon_spent:.6g} in {len(c.events)} charges ({c.accountant})",
        *([] if c.ledger is None else [f"  ledger      {c.ledger.in_words()}"]),
        f"  curator     {certificate.product.curator}; purpose: {certificate.product.purpose}",
        f"  trust       {certificate.trust_model}",
        f"  model       {certificate.algorithm.model}: {certificate.algorithm.why}",
        *_settings_line(certificate.algorithm),
        f"  signature   {'Ed25519' if certificate.signature else 'none'}",
        "  facts",
        *(line for column in facts.columns for line in _facts_lines(column)),
        *(f"    {fact.fact}: {_source_words(fact)}" for fact in facts.table),
        *_types_line(facts.types),
        "  what holds it up (NIST SP 800-226)",
        *(f"    {b.block}: {b.status}. {b.text}" for b in certificate.pyramid),
        "  not protected",
        *(f"    - {x}" for x in certificate.unprotected),
        "  limits",
        *(f"    - {x}" for x in certificate.limits),
        "  members",
        *(f"    {digest}  {name}" for name, digest in certificate.members.items()),
    ]
    return "\n".join(lines) + "\n"


def _facts_lines(column: ColumnFacts) -> list[str]:
    """One line for a column whose facts all come from one place; else the facts by their sources, and the reviews."""
    by_source: dict[str, list[str]] = {}
    for fact, source in column.sources.items():
        by_source.setdefault(source, []).append(fact)
    said = "; ".join(f"{', '.join(facts)} {source}" for source, facts in by_source.items())
    whole = f"all facts {next(iter(by_source))}" if len(by_source) == 1 else said
    return [f"    {column.name}: {column.kind} ({whole})", *(f"      {r.in_words()}" for r in column.reviews)]


def _settings_line(algorithm: Algorithm) -> list[str]:
    return [f"  settings    {settings_in_words(algorithm.settings)}"] if algorithm.settings else []


def _types_line(types: Mapping[str, str]) -> list[str]:
    said = ", ".join(f"{name} {kind}" for name, kind in types.items())
    return [f"    stored as: {said}"] if types else []


def _source_words(fact: TableFact) -> str:
    return fact.source if fact.review is None else fact.review.in_words()


class NoCertificate(Section):
    """What stands in a certificate's place when there is no guarantee.

    Attributes:
        reason: why.

    >>> import sfumato as sf
    >>> print(sf.NoCertificate(reason="epsilon is infinite"))
    NO CERTIFICATE. epsilon is infinite
    <BLANKLINE>
    """

    reason: str

    def to_dict(self) -> dict[str, Json]:
        """The JSON object that is stored."""
        return {"certificate": None, "guarantee": "none", "reason": self.reason}

    def __str__(self) -> str:
        return f"NO CERTIFICATE. {printable(self.reason)}\n"

    def __repr__(self) -> str:
        return f"NoCertificate({self.reason!r})"

    def _repr_html_(self) -> str:
        return table("No certificate", (), [(self.reason,)])


def certificate_of(stored: Mapping[str, Json]) -> Certificate | NoCertificate:
    """What a saved model holds in its certificate's place; CertificateError where it is neither."""
    if stored.get("certificate") is not None:
        return Certificate.parse(stored)
    try:
        return NoCertificate.model_validate({"reason": stored.get("reason", "none was issued")})
    except ValidationError:
        raise CertificateError(_UNFIT) from None


def section_of(stored: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    """A section of the stored form; CertificateError where it is none."""
    found = stored.get(name)
    if not isinstance(found, Mapping):
        raise CertificateError(_UNFIT)
    return found


def _check_mechanisms(events: Sequence[Mapping[str, Json]]) -> None:
    """Refuse what this version cannot judge, by its name."""
    named = [str(event["mechanism"]) for event in events]
    unknown = next((name for name in named if name not in _MECHANISMS), None)
    if unknown is not None:
        raise CertificateError(
            f"the certificate lists a mechanism that this version does not know ({unknown[:40]!r}): upgrade sfumato"
        )
