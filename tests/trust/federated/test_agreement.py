"""Every site signs the plan, and answers nothing before it has seen that all others did."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.models.marginals.population import DOMAIN, people
from tests.trust.federated.test_setting import run_of
from tests.trust.federation import Federation, unevenly

from sfumato.errors import FederationError
from sfumato.trust.budget import Budget
from sfumato.trust.federated.agreement import sign_plan, write_signatures
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.questions import Count
from sfumato.trust.secure_sum.identity import SiteIdentity


@pytest.fixture
def made() -> Federation:
    return Federation(unevenly(people(300), 3), DOMAIN, Budget(run_of(1.0)), rounds=8)


def test_a_site_answers_nothing_before_all_have_signed(made: Federation) -> None:
    site = made.sites[0]
    own = site.call("agree", made.plan.digest)
    with pytest.raises(FederationError, match="before all sites have signed"):
        site.call("key", b"")
    stranger = sign_plan(made.plan, SiteIdentity.fresh())
    others = {**made.rounds.signatures, 0: own}
    for forged in (write_signatures({**others, 2: stranger}), write_signatures({0: own, 1: others[1]}), b""):
        with pytest.raises(FederationError, match=r"the signature of site site-2 does not fit|each signs it"):
            site.call("begin", forged)
        with pytest.raises(FederationError, match="before all sites have signed"):
            site.call("key", b"")
    site.call("begin", write_signatures(others))
    assert site.call("key", b"")


def test_a_site_signs_no_other_plan(made: Federation) -> None:
    other = replace(made.plan, rounds=9)
    with pytest.raises(FederationError, match="another plan"):
        made.sites[0].call("agree", other.digest)


def test_a_signature_is_of_one_plan(made: Federation) -> None:
    """One under a plan with more rounds is none under this."""
    other = replace(made.plan, rounds=9)
    signatures = {place: sign_plan(other, SiteIdentity.fresh()) for place in range(3)}
    with pytest.raises(FederationError, match="does not fit"):
        made.sites[0].call("begin", write_signatures(signatures))


def test_a_coordinator_that_begins_anew_gets_new_keys(made: Federation) -> None:
    def key() -> bytes:
        made.sites[0].call("agree", made.plan.digest)
        made.sites[0].call("begin", write_signatures(made.rounds.signatures))
        return made.sites[0].call("key", b"")

    assert key() != key()


def test_sites_that_encode_by_other_codes_open_nothing(made: Federation) -> None:
    """Told other bounds than the rest, one site's rows alone would lie in the cells that are opened."""
    made.sites[0]._facts.codec = bytes(32)
    with pytest.raises(FederationError, match="nothing was opened"):
        made.rounds.opened(Count(), (0.1,), 1)


def test_a_plan_is_read_as_it_was_written(made: Federation) -> None:
    data = json.loads(made.plan.data)
    again = FederationPlan.from_dict(data)
    assert again == made.plan
    assert again.digest == made.plan.digest


@pytest.mark.parametrize(
    "changed",
    [
        {"threshold": 1},
        {"format": "sfumato federation plan/9"},
        {"rounds": 0},
        {"curious": -1},
        {"rounds": "8"},
        {"bits": 16},
        {"more": 1},
        {"guarantee": {"epsilon": 21.0, "delta": 1e-9, "unit": "row", "neighbours": "add/remove"}},
        {"schema": "sfumato: schema/1"},
        {"sites": []},
        {"sites": [{"name": "a", "key": "00"}]},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_plan_that_was_changed_by_hand_is_refused(made: Federation, changed: dict[str, object]) -> None:
    data = {**json.loads(made.plan.data), **changed}
    with pytest.raises(FederationError, match="a plan that"):
        FederationPlan.from_dict(data)
