"""Verification: a saved model is whole, and its events cost no more than its certificate promises."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sfumato.encoding.codec import Codec
from sfumato.encoding.facts import agrees
from sfumato.errors import CertificateError, OutdatedCertificate
from sfumato.printable import printable
from sfumato.privacy.guarantee import Guarantee
from sfumato.release.artifact import Artifact
from sfumato.release.certificate import KIND, Certificate, NoCertificate, certificate_of, section_of
from sfumato.release.checked_sites import CheckedSite, checked_sites
from sfumato.release.consistency import ROUNDING, check_charges, check_claim, check_ledger, check_words, process_of
from sfumato.release.guarantee_fixes import lacking
from sfumato.release.process import declared, declared_of_the_table
from sfumato.release.sections import DataDomain
from sfumato.schema import Schema

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_AGREES = 1e-3
"""Share by which a stated epsilon may differ: accountants of other versions round differently."""
_FAR = 10.0
"""Times the promised epsilon, and above it, that one accountant may find before the slower one is asked."""


@dataclass(frozen=True)
class Verification:
    """What was found; an instance exists only for a file that passed.

    Attributes:
        guarantee: what is promised.
        epsilon: what the events cost at the promised delta as a filter counts, so that each may have been chosen after
            seeing the answers to the others. (In certificates of the first kind as ``epsilon_composed``.)
        epsilon_composed: what they cost by privacy loss distributions, had all been chosen beforehand.
        epsilon_rdp: the same by Renyi divergence: another bound, found independently.
        events: number of charges.
        model: the model's name.
        signer: fingerprint of the key that signed, None if unsigned.
        trusted: whether the signature was checked against a public key given by the caller.
        certificate: all that it states.
        sites: where the rows lay, what each of them signed, and whether its key is the one that the caller was told.
    """

    guarantee: Guarantee
    epsilon: float
    epsilon_composed: float
    epsilon_rdp: float
    events: int
    model: str
    signer: str | None
    trusted: bool
    certificate: Certificate = field(repr=False)
    sites: tuple[CheckedSite, ...] = ()

    def in_words(self) -> str:
        """What was checked, what the events cost, and who signed, in one sentence."""
        signed = "by no one" if self.signer is None else f"by key {self.signer}"
        if self.signer is not None and not self.trusted:
            signed += " (give its public key to check whose it is)"
        return (
            f"every byte as saved; {self.events} events cost epsilon {self.epsilon:.6g} of the promised"
            f" {self.guarantee.epsilon:g} at delta {self.guarantee.delta:g}, whichever was chosen after seeing others"
            f" (had all been fixed beforehand: {self.epsilon_composed:.6g} by PLD, {self.epsilon_rdp:.6g} by RDP);"
            f" signed {signed}"
        )

    def __str__(self) -> str:
        return "\n".join(map(printable, (f"VALID  {self.in_words()}", *(f"  {s.in_words()}" for s in self.sites))))


def verify(
    path: str | os.PathLike[str],
    public_key: str | os.PathLike[str] | None = None,
    *,
    sites: Mapping[str, str] | None = None,
) -> Verification:
    """Check every byte of a saved model, its hashes, its signatures, and recompute epsilon from its events.

    Without a ``public_key`` this shows that the file is consistent, not that it is true: anybody can write a file whose
    events were never charged, or leave some out.

    Args:
        path: the saved model.
        public_key: file of the Ed25519 key that must have signed; without it a signature is checked for itself only.
        sites: by name of a site where the rows lay, the fingerprint that this site told you. Without it the signatures
            of sites are checked by the keys that the file brings along: anybody can draw keys.

    Raises:
        ArtifactError: the file is damaged, edited or of another format.
        OutdatedCertificate: all of it fits, but it was issued before fixes of the promise, which its ``lacks`` lists.
        CertificateError: there is no certificate, it does not fit its model, signatures, or events, it names a kind
            or a mechanism that this version does not know, or a site has another fingerprint than it told.
        FederationError: what is given for one of the ``sites`` is no fingerprint.
        KeyFileError: ``public_key`` is no key.

    >>> import tempfile
    >>> import sfumato as sf
    >>> fitted = sf.Synthesizer(sf.examples.adult_schema(), "independent", sf.Guarantee(epsilon=1, delta=1e-9))
    >>> path = f"{tempfile.mkdtemp()}/model.sfm"
    >>> fitted.fit(sf.examples.adult()).save(path)
    >>> found = sf.verify(path)
    >>> print(found)
    VALID  every byte as saved; ... of the promised 1 at delta 1e-09, ...; signed by no one
    >>> found.model, found.epsilon <= 1
    ('independent', True)
    """
    from sfumato.release.signature import load_public_key

    trusted = load_public_key(public_key) if public_key is not None else None
    artifact = Artifact.load(path)
    name = os.fspath(path)
    try:
        found = verify_artifact(artifact, trusted, sites)
    except CertificateError as e:
        raise CertificateError(f"{name}: {e}") from None
    lacks = tuple(fix.title for fix in lacking(found.certificate.kind))
    if lacks:
        raise OutdatedCertificate(name, found, lacks)
    return found


def verify_artifact(
    artifact: Artifact, trusted: Ed25519PublicKey | None = None, told: Mapping[str, str] | None = None
) -> Verification:
    """The checks of :func:`verify` on contents that are whole, of a certificate of any known kind."""
    from sfumato.release.signature import check_signature

    certificate = certificate_of(artifact.certificate)
    if isinstance(certificate, NoCertificate):
        raise CertificateError(f"no certificate: {certificate.reason}")
    signer = check_signature(artifact.certificate, trusted)
    try:
        guarantee, events = certificate.promise.guarantee, certificate.composition.events
        if certificate.members != artifact.hashes:
            raise CertificateError("the certificate belongs to another model (its hashes differ)")
        _check_model(artifact, certificate, guarantee)
        found = _recompute(certificate, guarantee)
        str(certificate)  # as whoever reads it will
        if certificate.kind == KIND:  # what the first kind says is one of its faults
            _check_consistent(artifact, certificate, guarantee)
        sites = checked_sites(artifact, certificate, told)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        raise CertificateError("the certificate lacks fields or holds numbers out of range") from None
    model = str(artifact.model.get("name"))
    epsilons = (found["epsilon_spent"], found["epsilon_composed"], found["epsilon_by_renyi"])
    return Verification(guarantee, *epsilons, len(events), model, signer, trusted is not None, certificate, sites)


def _recompute(certificate: Certificate, guarantee: Guarantee) -> dict[str, float]:
    """Each epsilon that a certificate of this kind states, found again; CertificateError where it states another."""
    from sfumato.privacy.accounting import epsilon, epsilon_rdp, renyi_floor
    from sfumato.privacy.spending import Spending

    events = certificate.composition.events
    try:
        rdp = epsilon_rdp(events, guarantee.delta)
        if rdp > _FAR * guarantee.epsilon + _FAR:  # spares the slower accountant what cannot be
            raise CertificateError(f"the events cost epsilon {rdp:.6g} by RDP, far above {guarantee.epsilon:g}")
        pld = epsilon(events, guarantee.delta)
        floor = renyi_floor(events, guarantee.delta)
        found = {"epsilon_spent": pld, "epsilon_composed": pld, "epsilon_by_renyi": rdp}
        if certificate.kind == KIND:  # the first kind composed the list as if it had been fixed beforehand
            found["epsilon_spent"] = Spending.of(events).epsilon(guarantee.delta)
    except (ArithmeticError, ValueError, MemoryError):
        raise CertificateError("the events hold numbers that no accountant can sum") from None
    if not found["epsilon_spent"] <= guarantee.epsilon * (1 + ROUNDING):
        raise CertificateError(
            f"the events cost epsilon {found['epsilon_spent']:.6g}, more than the promised {guarantee.epsilon:g}"
        )
    if rdp < floor * (1 - ROUNDING):
        raise CertificateError(
            f"two accountants disagree: epsilon {pld:.6g} by PLD, {rdp:.6g} by RDP, which is too small"
        )
    stated = certificate.composition
    figures = {"epsilon_by_renyi": stated.epsilon_by_renyi, "epsilon_spent": stated.epsilon_spent}
    if stated.epsilon_composed is not None:  # the first kind has none
        figures["epsilon_composed"] = stated.epsilon_composed
    for name, value in sorted(figures.items()):
        if not math.isclose(value, found[name], rel_tol=_AGREES, abs_tol=ROUNDING):
            raise CertificateError(f"the events cost {name} {found[name]:.6g}, not what the certificate states")
    return found


def _check_model(artifact: Artifact, certificate: Certificate, guarantee: Guarantee) -> None:
    """That the certificate speaks of this model: of its schema's unit and facts, at the sensitivity these imply."""
    events = certificate.composition.events
    schema = Schema.parse(artifact.schema)
    unit, max_rows = (schema.unit.column, schema.unit.max_rows) if schema.unit.kind == "id" else ("row", 1)
    if unit != guarantee.unit:
        raise CertificateError(f"the certificate protects {guarantee.unit!r}, the schema declares the unit {unit!r}")
    if not events:
        raise CertificateError("the certificate lists no events, and nothing can be learnt for nothing")
    if certificate.promise.max_rows_per_unit != max_rows:
        raise CertificateError(f"a unit holds up to {max_rows} rows by the schema, not what the certificate states")
    moved = _moved(certificate)
    if any(getattr(event, "sensitivity", moved) < moved for event in events):
        raise CertificateError(f"an event was charged for fewer rows than the {moved} a unit may hold")
    if certificate.algorithm.model != artifact.model.get("name"):
        raise CertificateError("the certificate names another model")
    if certificate.kind == KIND:  # what the first kind says of its facts is one of its faults
        _check_facts(artifact, schema)


def _moved(certificate: Certificate) -> int:
    """Rows of one unit, at all sites together."""
    together = certificate.federation
    return certificate.promise.max_rows_per_unit * (1 if together is None else together.max_sites)


def _check_facts(artifact: Artifact, schema: Schema) -> None:
    """That the facts are reviewed, those of the certificate, and those by which rows became codes."""
    if schema.unreviewed():
        raise CertificateError("the schema holds unreviewed or unstated facts, so there can be no certificate")
    stated = section_of(artifact.certificate, "data_domain")  # the stored form, which may hold more than is read
    codec = Codec.from_json(json.dumps(artifact.codec))
    expected = DataDomain(
        columns=declared(schema), table=declared_of_the_table(schema), types=dict(codec.types)
    ).to_dict()
    if any(stated.get(part) != expected[part] for part in ("columns", "table")):
        raise CertificateError("the certificate states other facts than the schema")
    if not agrees(codec.schema, schema):
        raise CertificateError("the model's codec was made from other facts than the schema's")
    if stated.get("types") != expected["types"]:
        raise CertificateError("the certificate states other stored types than the model's codec")


def _check_consistent(artifact: Artifact, certificate: Certificate, guarantee: Guarantee) -> None:
    """That promise, charges, ledger and words can come from one fit."""
    events, ledger = certificate.composition.events, certificate.composition.ledger
    check_claim(artifact, guarantee)
    check_charges(events, _moved(certificate))
    check_ledger(ledger, Schema.parse(artifact.schema), guarantee, events)
    check_words(artifact.certificate, process_of(artifact, certificate, guarantee))
