"""The plan of a federation as its sites signed it, held against the certificate of the model that came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from sfumato.errors import CertificateError
from sfumato.release.certificate import Certificate
from sfumato.release.signature import check_order
from sfumato.results.plain import Json, sorted_json
from sfumato.trust.secure_sum.identity import fingerprint


def check_plan(plan: Mapping[str, Json], certificate: Certificate, schema: str) -> None:
    """CertificateError unless the certificate states what the plan does; ``schema`` is that of the model, as text."""
    stated, promise = certificate.federation, certificate.promise
    if stated is None or not stated.signed:
        raise CertificateError("the certificate does not say that its sites signed a plan")
    if hashlib.sha256(sorted_json(plan)).hexdigest() != stated.plan:
        raise CertificateError("the plan that the sites signed is not the one that the certificate names")
    expected: dict[str, Json] = {
        "schema": schema,
        "model": certificate.algorithm.model,
        "guarantee": {
            "epsilon": promise.epsilon,
            "delta": promise.delta,
            "unit": promise.unit,
            "neighbours": promise.neighbours,
        },
        "curious": stated.curious,
        "lost": stated.lost,
        "threshold": stated.threshold,
        "max_sites": stated.max_sites,
        "averaging": None if stated.averaging is None else stated.averaging.to_dict(),
        "split": None if stated.split is None else stated.split.planned(),
    }
    for fact, value in expected.items():
        if plan.get(fact) != value:
            raise CertificateError(f"the plan that the sites signed states another {fact} than the certificate")
    named = [(name, fingerprint(key)) for name, key in keys_of(plan).items()]
    if named != [(site.name, site.fingerprint) for site in stated.sites]:
        raise CertificateError("the plan that the sites signed names other sites than the certificate")
    rounds = plan.get("rounds")
    if type(rounds) is not int or max(stated.rounds, *(a.returned or a.round for a in stated.absences), 1) > rounds:
        raise CertificateError("the certificate's federation had more rounds than the plan of its sites allows")


def owner_keys_of(plan: Mapping[str, Json]) -> dict[str, bytes]:
    """By name, the public signing key of each owner whose columns servers have; none in any other plan."""
    match plan.get("split"):
        case {"outsourced": {"owners": owners}}:
            return _keys(owners)
    return {}


def keys_of(plan: Mapping[str, Json]) -> dict[str, bytes]:
    """By name, the public signing key of each site of a plan; CertificateError where one has none."""
    return _keys(plan.get("sites"))


def _keys(stated: Json) -> dict[str, bytes]:
    sites = stated if isinstance(stated, list) else []
    found: dict[str, bytes] = {}
    try:
        for site in sites:
            match site:
                case {"name": str(name), "key": str(key)}:
                    found[name] = bytes.fromhex(key)
                    check_order(found[name])
    except ValueError:
        raise CertificateError("the plan that the sites signed holds a key that nobody can have") from None
    if not sites or len(found) != len(sites):
        raise CertificateError("the plan that the sites signed does not name each site with its key")
    return found
