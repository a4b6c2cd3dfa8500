"""sfumato: synthetic data about people under a formal privacy guarantee.

>>> import sfumato as sf
>>> sorted(sf.__all__)[:3]
['AuditReport', 'Certificate', 'CertificateError']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sfumato.version import VERSION

if TYPE_CHECKING:
    from sfumato.auditing.audit import audit
    from sfumato.auditing.result import AuditReport
    from sfumato.errors import CertificateError, Overdraft, SfumatoError
    from sfumato.evaluation.evaluate import evaluate
    from sfumato.evaluation.result import Utility
    from sfumato.federation.coordinator import Federation
    from sfumato.federation.site import Site
    from sfumato.fitting.parties import parties
    from sfumato.fitting.sites import federated
    from sfumato.privacy.guarantee import Guarantee
    from sfumato.privacy.ledger import Ledger
    from sfumato.progress import Progress
    from sfumato.release.certificate import Certificate, NoCertificate
    from sfumato.release.signature import generate as generate_key
    from sfumato.release.verification import Verification, verify
    from sfumato.reporting.contents import Report
    from sfumato.reporting.report import report
    from sfumato.schema import Schema
    from sfumato.schema.sketch import sketch
    from sfumato.synthesizer import Synthesizer, load
    from sfumato.tables import Table, examples
    from sfumato.trust.mpc.engine.engine import Engine

__version__ = VERSION

_WHERE = {
    "AuditReport": "sfumato.auditing.result:AuditReport",
    "Certificate": "sfumato.release.certificate:Certificate",
    "CertificateError": "sfumato.errors:CertificateError",
    "Engine": "sfumato.trust.mpc.engine.engine:Engine",
    "Federation": "sfumato.federation.coordinator:Federation",
    "Guarantee": "sfumato.privacy.guarantee:Guarantee",
    "Ledger": "sfumato.privacy.ledger:Ledger",
    "NoCertificate": "sfumato.release.certificate:NoCertificate",
    "Overdraft": "sfumato.errors:Overdraft",
    "Progress": "sfumato.progress:Progress",
    "Report": "sfumato.reporting.contents:Report",
    "Schema": "sfumato.schema:Schema",
    "SfumatoError": "sfumato.errors:SfumatoError",
    "Site": "sfumato.federation.site:Site",
    "Synthesizer": "sfumato.synthesizer:Synthesizer",
    "Table": "sfumato.tables:Table",
    "Utility": "sfumato.evaluation.result:Utility",
    "Verification": "sfumato.release.verification:Verification",
    "audit": "sfumato.auditing.audit:audit",
    "evaluate": "sfumato.evaluation.evaluate:evaluate",
    "examples": "sfumato.tables.examples",
    "federated": "sfumato.fitting.sites:federated",
    "generate_key": "sfumato.release.signature:generate",
    "load": "sfumato.synthesizer:load",
    "parties": "sfumato.fitting.parties:parties",
    "report": "sfumato.reporting.report:report",
    "sketch": "sfumato.schema.sketch:sketch",
    "verify": "sfumato.release.verification:verify",
}

__all__ = [
    "AuditReport",
    "Certificate",
    "CertificateError",
    "Engine",
    "Federation",
    "Guarantee",
    "Ledger",
    "NoCertificate",
    "Overdraft",
    "Progress",
    "Report",
    "Schema",
    "SfumatoError",
    "Site",
    "Synthesizer",
    "Table",
    "Utility",
    "Verification",
    "audit",
    "evaluate",
    "examples",
    "federated",
    "generate_key",
    "load",
    "parties",
    "report",
    "sketch",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562), so that the door itself costs nothing."""
    if name not in _WHERE:
        raise AttributeError(f"module 'sfumato' has no attribute {name!r}")
    path, _, attribute = _WHERE[name].partition(":")
    module = import_module(path)
    value = getattr(module, attribute) if attribute else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
