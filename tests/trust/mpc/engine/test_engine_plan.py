"""What three parties agree on, and what no plan may hold."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from tests.trust.mpc.engine.parties import made_plan

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.engine_plan import EnginePlan
from sfumato.trust.mpc.engine.identities import certify, check_keys, fresh_identity


@pytest.fixture(scope="module")
def plan(tmp_path_factory) -> EnginePlan:
    return made_plan(tmp_path_factory.mktemp("plan"))


def test_a_plan_comes_back_as_it_was(plan):
    again = EnginePlan.from_bytes(plan.to_bytes())
    assert again == plan
    assert again.digest == plan.digest


def changed(plan: EnginePlan, **fields: object) -> EnginePlan:
    return EnginePlan.from_bytes(json.dumps({**json.loads(plan.to_bytes()), **fields}).encode())


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("protocol", "REF2K", "REF2K is refused .it opens everything"),
        ("protocol", "SEMI2K", "its first party deals the others' randomness"),
        ("protocol", "CHEETAH", "only ABY3 is run"),
        ("protocol", "moon", "moon is refused .it is not known"),
        ("ring", "FM32", "FM32 is refused"),
        ("ring", "FM128", "only FM64 is run"),
        ("parties", [], "3 parties of different names, not by 0"),
        ("format", "sfumato-engine/1", "no plan of an engine"),
        ("subject", None, "no plan of an engine"),
        ("more", 1, "no plan of an engine"),
    ],
)
def test_what_is_not_run_is_refused_with_its_reason(plan, field, value, said):
    with pytest.raises(EngineError, match=said):
        changed(plan, **{field: value})


def test_two_parties_with_one_certificate_are_refused(plan):
    parties = [*plan.parties[:2], replace(plan.parties[2], certificate=plan.parties[0].certificate)]
    with pytest.raises(EngineError, match="two parties have one certificate"):
        replace(plan, parties=tuple(parties))


def test_two_parties_with_one_key_are_refused(plan, tmp_path):
    """Also under another name, in another certificate."""
    fresh_identity(tmp_path, "north")
    key = load_pem_private_key((tmp_path / "key.pem").read_bytes(), None)
    certificates = [certify(key, name) for name in ("north", "west")]
    assert certificates[0] != certificates[1]
    north, east, west = plan.parties
    two = (replace(north, certificate=certificates[0]), east, replace(west, certificate=certificates[1]))
    check_keys(plan)
    with pytest.raises(EngineError, match="two parties have one key"):
        check_keys(replace(plan, parties=two))
