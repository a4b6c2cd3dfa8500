"""The certificate of a finished fit is issued: its charges are summed once more, and its words follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sfumato.errors import CertificateError
from sfumato.privacy.events import (
    to_json,
)
from sfumato.release.certificate import KIND, Certificate
from sfumato.release.implementation import implementation
from sfumato.release.process import Process
from sfumato.release.words import words
from sfumato.results.plain import as_dict

ISSUED = "%Y-%m-%dT%H:%M:%SZ"
ACCOUNTANT = "a filter in Gaussian differential privacy, valid for choices made after seeing answers"


def issue(process: Process, members: Mapping[str, str]) -> Certificate:
    """The certificate of a finished fit; ``members`` are the SHA-256 of what was learnt.

    *Formal guarantee.* Only restates events that were charged before their answers were released; touches no rows.
    """
    from sfumato.privacy.accounting import epsilon, epsilon_rdp
    from sfumato.privacy.spending import Spending

    g, events = process.guarantee, tuple(process.events)
    spent = Spending.of(events)
    if not spent.within(g):
        found = spent.epsilon(g.delta)
        raise CertificateError(f"no certificate: the events cost epsilon {found:.6g}, more than {g.epsilon:g}")
    return Certificate.parse(
        {
            "certificate": KIND,
            "issued": datetime.now(UTC).strftime(ISSUED),
            **words(process),
            "composition": {
                "accountant": ACCOUNTANT,
                "epsilon_spent": spent.epsilon(g.delta),
                "epsilon_composed": epsilon(events, g.delta),
                "epsilon_by_renyi": epsilon_rdp(events, g.delta),
                "events": [to_json(e) for e in events],
                "ledger": as_dict(process.ledger),
            },
            "data_domain": {
                "columns": [c.to_dict() for c in process.columns],
                "table": [f.to_dict() for f in process.table],
                "types": dict(process.types),
            },
            "implementation": implementation(),
            "members": dict(members),
            **({} if process.federation is None else {"federation": process.federation.to_dict()}),
        }
    )
