"""Who took part is what sites signed: forgeries that their keys show are refused, and what they cannot show is said."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pytest
from tests.release.signed_model import NAMES, Change, SignedModel, planned, resealed, signed_model

import sfumato as sf
from sfumato.errors import CertificateError, FederationError
from sfumato.federation.certifying import certify
from sfumato.privacy.accounting import epsilon, epsilon_rdp
from sfumato.privacy.events import from_json, to_json
from sfumato.privacy.spending import Spending
from sfumato.release.artifact import Artifact, canonical_json
from sfumato.release.certificate import Certificate
from sfumato.release.site_signatures import SiteSignatures
from sfumato.trust.federated.agreement import sign_plan
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.secure_sum.identity import SiteIdentity, fingerprint


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SignedModel:
    return signed_model(tmp_path_factory.mktemp("signed"))


def edited(made: SignedModel, folder: Path, change: Change) -> Path:
    resealed(made.artifact, change).save(folder / "forged.sfm")
    return folder / "forged.sfm"


def signed(plan: FederationPlan, keys: tuple[SiteIdentity, ...]) -> dict[str, Any]:
    """What sites with these keys sign of a plan."""
    named = zip((m.name for m in plan.roster.members), keys, strict=True)
    return SiteSignatures(plan.to_dict(), {name: sign_plan(plan, key) for name, key in named}).to_dict()


def of_plan(plan: FederationPlan, keys: tuple[SiteIdentity, ...]) -> Change:
    """All that a certificate says of a plan, and the signatures under it, in the place of another's."""

    def change(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
        sites.update(signed(plan, keys))
        members = plan.roster.members
        certificate["federation"].update(
            plan=plan.digest.hex(), sites=[{"name": m.name, "fingerprint": m.fingerprint} for m in members]
        )

    return change


def test_all_sites_signed_the_plan_and_the_certificate(made: SignedModel) -> None:
    found = sf.verify(made.path)
    assert [(s.name, s.agreed, s.certified, s.confirmed) for s in found.sites] == [
        (name, True, True, False) for name in NAMES
    ]
    assert all(
        f"{s.name} signed the plan and this certificate, by the key {s.fingerprint}" in str(found) for s in found.sites
    )
    assert "compare it with what that site tells you" in str(found)
    assert found.certificate.federation is not None
    assert found.certificate.federation.signed is True
    assert "not whose keys they are" in str(found.certificate)
    told = sf.verify(made.path, sites=made.told)
    assert all(s.confirmed for s in told.sites)
    assert "as you were told" in str(told)
    assert "compare it" not in str(told)
    some = sf.verify(made.path, sites={"east": made.told["east"]})
    assert [s.confirmed for s in some.sites] == [False, True, False]


def test_a_loaded_model_is_saved_with_what_its_sites_signed(made: SignedModel, tmp_path: Path) -> None:
    sf.load(made.path).save(tmp_path / "again.sfm")
    assert (tmp_path / "again.sfm").read_bytes() == made.path.read_bytes()


def swapped(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
    agreed = sites["agreed"]
    agreed["north"], agreed["east"] = agreed["east"], agreed["north"]


def removed(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
    del sites["agreed"]["north"]


def whole_member_removed(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
    sites.clear()


def renamed(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
    certificate["federation"]["sites"][0]["name"] = "state-hospital"


def added(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
    """A fourth site, and one more that may be curious, so that the noise is still right."""
    stated = certificate["federation"]
    stated["sites"].append({"name": "state-hospital", "fingerprint": "0" * 64})
    stated.update(curious=2, threshold=4)


def more_rounds(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
    """The plan is changed, and its hash with it; the signatures are left."""
    sites["plan"]["rounds"] += 1
    restated(certificate, sites)


def restated(certificate: dict[str, Any], sites: dict[str, Any]) -> None:
    plan = FederationPlan.from_dict(sites["plan"])
    certificate["federation"]["plan"] = plan.digest.hex()


def half_the_epsilon(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
    """A smaller promise, with events that cost no more, and all figures that follow."""
    events = [from_json(dict(event)) for event in certificate["composition"]["events"]]
    events = [dataclasses.replace(event, scale=event.scale * 3) for event in events]  # type: ignore[type-var]
    certificate["promise"]["epsilon"] = model["promised"]["epsilon"] = 0.5
    certificate["composition"].update(
        events=[to_json(event) for event in events],
        epsilon_spent=Spending.of(events).epsilon(1e-6),
        epsilon_composed=epsilon(events, 1e-6),
        epsilon_by_renyi=epsilon_rdp(events, 1e-6),
    )


def another_model(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
    """What was learnt is another; the plan is left as it was."""
    model["facts"]["total"] += 100.0


def an_invented_certifier(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
    sites["certified"]["state-hospital"] = sites["certified"]["north"]


def a_note(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
    sites["note"] = "audited by the state"


def spelt_otherwise(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
    sites["agreed"]["north"] = sites["agreed"]["north"].upper()


def uncertified(change: Change) -> Change:
    """With the signatures under the certificate taken out, which fit no other: what is left is the plan's to refuse."""

    def both(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
        sites["certified"] = {}
        change(certificate, model, sites)

    return both


FORGED: dict[str, tuple[Change, str]] = {
    "swapped between sites": (uncertified(swapped), "signature of site north does not fit the plan"),
    "removed": (uncertified(removed), "did not sign it, .*: 'north'"),
    "of another plan": (uncertified(more_rounds), "signature of site north does not fit the plan"),
    "all removed": (whole_member_removed, "says otherwise than the file whether its sites signed"),
    "a site under another name": (uncertified(renamed), "names other sites than the certificate"),
    "a site more": (uncertified(added), "another curious than the certificate"),
    "another epsilon": (uncertified(half_the_epsilon), "another guarantee than the certificate"),
    "another model": (another_model, "signature of site north does not fit the certificate"),
    "a certifier that is no site": (an_invented_certifier, "that it does not name: 'state-hospital'"),
    "a note": (a_note, "is damaged, or was written by another version"),
    "another spelling": (spelt_otherwise, "is damaged, or was written by another version"),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_the_sites_did_not_sign_is_refused(made: SignedModel, tmp_path: Path, name: str) -> None:
    change, says = FORGED[name]
    with pytest.raises(CertificateError, match=says):
        sf.verify(edited(made, tmp_path, change))


@pytest.mark.parametrize(
    "name", ["swapped between sites", "removed", "of another plan", "another epsilon", "another model"]
)
def test_where_signatures_are_not_checked_each_is_accepted(made, tmp_path, monkeypatch, name) -> None:
    """Planted: the seals of the file alone, as before; so that each case above is one for the keys of the sites."""
    monkeypatch.setattr(SiteSignatures, "check", lambda *_: None)
    assert sf.verify(edited(made, tmp_path, FORGED[name][0])).model == "mst"


def test_a_plan_of_more_sites_lacks_the_signature_of_the_site_more(made: SignedModel, tmp_path: Path) -> None:
    """The forger owns the invented key, but not those of the other sites, who never signed such a plan."""
    keys = (*made.keys, SiteIdentity.fresh())
    plan = planned(keys, curious=2)

    def change(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
        before = dict(sites["agreed"])
        of_plan(plan, keys)(certificate, model, sites)
        certificate["federation"].update(curious=2, threshold=4)
        sites["agreed"] |= before
        sites["certified"] = {}

    with pytest.raises(CertificateError, match="signature of site north does not fit the plan"):
        sf.verify(edited(made, tmp_path, change))


def test_one_key_of_the_forgers_own_is_refused_by_the_other_sites(made: SignedModel, tmp_path: Path) -> None:
    keys = (SiteIdentity.fresh(), *made.keys[1:])
    plan = planned(keys)

    def change(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
        others = {name: sites["agreed"][name] for name in NAMES[1:]}
        of_plan(plan, keys)(certificate, model, sites)
        sites["agreed"] |= others

    with pytest.raises(CertificateError, match="signature of site east does not fit the plan"):
        sf.verify(edited(made, tmp_path, change))


def test_keys_that_are_all_the_forgers_own_are_caught_by_fingerprints_alone(made: SignedModel, tmp_path: Path) -> None:
    """Whoever draws all keys anew signs whatever they like: nothing in a file can show it, and ``verify`` says so."""
    keys = tuple(SiteIdentity.fresh() for _ in NAMES)
    path = edited(made, tmp_path, of_plan(planned(keys), keys))
    found = sf.verify(path)
    assert all(site.agreed and not site.confirmed for site in found.sites)
    assert str(found).count("compare it with what that site tells you") == len(NAMES)
    for name in NAMES:
        with pytest.raises(CertificateError, match=rf"site {name} signed by the key [0-9a-f]{{64}}, and you were told"):
            sf.verify(path, sites={name: made.told[name]})


def test_a_key_that_nobody_can_have_is_refused(made: SignedModel, tmp_path: Path) -> None:
    """Under a point of small order one signature fits every message."""

    def change(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
        weak = (1).to_bytes(32, "little")
        sites["plan"]["sites"][0]["key"] = weak.hex()
        certificate["federation"]["sites"][0]["fingerprint"] = hashlib.sha256(weak).hexdigest()
        restated(certificate, sites)
        sites["agreed"]["north"] = (weak + bytes(32)).hex()

    with pytest.raises(CertificateError, match="a key that nobody can have"):
        sf.verify(edited(made, tmp_path, change))


def test_another_model_under_the_same_plan_is_one_that_no_site_certified(made: SignedModel, tmp_path: Path) -> None:
    """The signatures under the plan alone can be put beside any model that the plan allows; the words say it."""
    found = sf.verify(edited(made, tmp_path, uncertified(another_model)), sites=made.told)
    assert [(s.agreed, s.certified) for s in found.sites] == [(True, False)] * 3
    assert "north signed the plan, not this certificate" in str(found)


def test_names_and_fingerprints_that_were_told_are_held_against_the_file(made: SignedModel) -> None:
    with pytest.raises(CertificateError, match="no site 'south' took part; the sites of the certificate: north, east"):
        sf.verify(made.path, sites={"south": "0" * 64})
    with pytest.raises(FederationError, match="copy all of it"):
        sf.verify(made.path, sites={"north": made.told["north"][:16]})


def before_signatures_were_kept(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
    """As a version wrote it that knew of none of this."""
    sites.clear()
    del certificate["federation"]["signed"]


def test_a_model_from_before_signatures_were_kept_is_accepted(made: SignedModel, tmp_path: Path) -> None:
    path = edited(made, tmp_path, before_signatures_were_kept)
    assert Artifact.load(path).sites is None
    found = sf.verify(path)
    assert [s.agreed for s in found.sites] == [False] * 3
    assert "site north signed nothing in this file" in str(found)
    with pytest.raises(CertificateError, match="site north signed nothing in this file"):
        sf.verify(path, sites=made.told)


def test_simulated_sites_sign_nothing_and_are_asked_for_nothing(tmp_path: Path) -> None:
    rows = sf.examples.adult().arrow
    parts = [sf.Table(rows.slice(start, 500)) for start in (0, 500, 1000)]
    source = sf.federated(parts, ledgers=[sf.Ledger.open(None) for _ in parts])
    sf.Synthesizer(sf.examples.adult_schema(), "independent", sf.Guarantee(1, 1e-9)).fit(source).save(
        tmp_path / "m.sfm"
    )
    assert Artifact.load(tmp_path / "m.sfm").sites is None
    found = sf.verify(tmp_path / "m.sfm")
    assert not any(site.agreed for site in found.sites)
    assert "no institution has signed anything" in str(found.certificate)
    with pytest.raises(CertificateError, match="signed nothing in this file"):
        sf.verify(tmp_path / "m.sfm", sites={"site-1": "0" * 64})


def test_a_site_signs_no_certificate_that_says_otherwise_than_its_plan(made: SignedModel) -> None:
    model, key = made.artifact, made.keys[0]
    assert certify(canonical_json(model.certificate), made.plan, key)
    for change in (half_the_epsilon, renamed, before_signatures_were_kept):
        forged = canonical_json(resealed(model, change).certificate)
        with pytest.raises(CertificateError, match=r"states another|names other sites|does not say that its sites"):
            certify(forged, made.plan, key)
    for words in ({"curator": "audited by the state"}, {"purpose": "certified as anonymous"}):
        titled = {**model.certificate, "product": {**model.certificate["product"], **words}}  # type: ignore[dict-item]
        with pytest.raises(CertificateError, match="of which the plan says nothing"):
            certify(canonical_json(titled), made.plan, key)
    other = planned((*made.keys[1:], SiteIdentity.fresh()))
    with pytest.raises(CertificateError, match="is not the one that the certificate names"):
        certify(canonical_json(model.certificate), other, key)
    for data in (b"", b"{", b"[" * 100_000, canonical_json({"certificate": None})):
        with pytest.raises(CertificateError):
            certify(data, made.plan, key)


def test_a_signature_that_does_not_fit_is_not_kept(made: SignedModel) -> None:
    model = made.artifact
    assert model.sites is not None
    whole = SiteSignatures.parse(model.sites)
    kept = whole.with_certified({"north": whole.certified["east"], "east": whole.certified["east"]}, model.certificate)
    assert sorted(kept.certified) == ["east", "west"]  # what west signed before stays
    assert Certificate.parse(model.certificate).federation is not None
    assert fingerprint(made.keys[0].public_key) == made.told["north"]
