"""The certificate: complete, honest, recomputed, and bound to its model."""

import json

import numpy as np
import pyarrow as pa
import pytest

import sfumato as sf
from sfumato.encoding.codec import Codec
from sfumato.encoding.facts import MeasuredFact
from sfumato.errors import ArtifactError, CertificateError
from sfumato.models.choose import Choice
from sfumato.privacy import accounting
from sfumato.privacy.events import (
    DiscreteGaussian,
    DistributedDiscreteGaussian,
    DistributedGaussian,
    Exponential,
    Gaussian,
    NoisyMax,
    PoissonSampledGaussian,
    Threshold,
)
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.mechanisms import lattice
from sfumato.privacy.mechanisms.lattice import INEXACT
from sfumato.privacy.sampling import OVERFLOWS
from sfumato.release.artifact import Artifact
from sfumato.release.certificate import Certificate, NoCertificate
from sfumato.release.federation import FederationStatement, StatedSite
from sfumato.release.issuing import issue
from sfumato.release.ledger_statement import LedgerStatement
from sfumato.release.process import Process, declared, declared_of_the_table
from sfumato.release.release import promised
from sfumato.release.signature import generate, load_signing_key, sign
from sfumato.release.verification import verify
from sfumato.release.words import best_posterior, limits
from sfumato.schema import Schema

SCHEMA = "sfumato: schema/1\ncolumns:\n  a: {kind: integer, bounds: [0, 1], source: public}\n"
GUARANTEE = Guarantee(epsilon=1, delta=1e-9)

UNSAID = [{"fact": "rows", "source": "public", "review": None}]
"""A fact of the table that no schema of these tests states."""


def sigma_for(guarantee: Guarantee) -> float:
    return accounting.discrete_gaussian_sigma(accounting.mu_for(guarantee))


def process(**changes) -> Process:
    fields = {
        "guarantee": GUARANTEE,
        "events": (DiscreteGaussian(sigma=sigma_for(GUARANTEE)),),
        "columns": declared(Schema.parse(SCHEMA)),
        "table": declared_of_the_table(Schema.parse(SCHEMA)),
        "choice": Choice("independent", "asked for by name"),
    }
    return Process(**(fields | changes))


def saved(path, certificate=None, change=None, codec=None, model=None, **changes):
    """A model file with a certificate of ``process(**changes)``, edited by ``change`` as a careful forger would."""
    content = {
        "schema": SCHEMA,
        "codec": json.loads(Codec.from_schema(Schema.parse(SCHEMA)).to_json()) if codec is None else codec,
        "model": {
            "name": "independent",
            "why": "asked for by name",
            "promised": promised(changes.get("guarantee", GUARANTEE)),
            "facts": {"total": 1.0},
        }
        | (model or {}),
        "arrays": {"w": np.arange(3.0)},
    }
    hashes = Artifact(**content, certificate={}).hashes
    certificate = certificate if certificate is not None else issue(process(**changes), hashes).to_dict()
    if change is not None:
        certificate = change(certificate)
    Artifact(**content, certificate=certificate).save(path)
    return path


def test_a_right_certificate_is_verified(tmp_path):
    found = verify(saved(tmp_path / "m.sfm"))
    assert 0.9 < found.epsilon <= 1
    assert 0.9 < found.epsilon_composed < found.epsilon
    assert found.epsilon_rdp >= found.epsilon_composed
    assert (found.guarantee, found.events, found.model, found.signer) == (GUARANTEE, 1, "independent", None)


def distributed(**changes):
    """Counts, a vector and a training with the noise of nine parties, which use the promise up."""
    square = accounting.mu_for(GUARANTEE) ** 2
    sigma = accounting.discrete_gaussian_sigma((square / 3) ** 0.5)
    multiplier = accounting.poisson_noise_multiplier(0.01, 100, (square / 3) ** 0.5, 1e-11)
    scale, moved = 2.0**20 / 3, lattice.norm(lattice.FEATURE_BITS, 1)
    return (
        DistributedDiscreteGaussian(sigma / 3 * (1 + 1e-9), 9),
        DistributedGaussian(moved / 3 * 1.001 * (3 / square) ** 0.5, 9, moved, delta=90 * INEXACT),
        DistributedGaussian(
            scale * multiplier * 1.001,
            9,
            2.0**20,
            1.0,
            0.01,
            100,
            **{"delta": OVERFLOWS + 90 * INEXACT, "tail": 1e-11} | changes,
        ),
    )


TOGETHER = FederationStatement(
    plan="0" * 64,
    sites=tuple(StatedSite(name=f"site-{i}", fingerprint=f"{i:064x}") for i in range(10)),
    curious=1,
    lost=0,
    threshold=6,
    simulated=False,
    rounds=102,
    bytes_sent=10,
    bytes_received=10,
)
"""Ten sites, of which one may be curious: nine shares of noise are counted on."""


def test_the_noise_of_several_parties_is_verified_and_put_in_words(tmp_path):
    sites = {"setting": "federated", "federation": TOGETHER, "ledger": LedgerStatement("sites")}
    found = verify(saved(tmp_path / "m.sfm", events=distributed(), **sites))
    assert 0.99 < found.epsilon <= 1
    assert 0.9 < found.epsilon_composed < found.epsilon
    assert found.epsilon_rdp >= found.epsilon_composed
    said = str(found.certificate)
    assert "counts the parts of 9 honest parties" in said
    assert "That the gradient of a record is computed alike" in said
    assert "That the vector of a record is computed alike" in said
    with pytest.raises(CertificateError, match="without the delta of its shares of noise"):
        verify(saved(tmp_path / "m.sfm", events=distributed(delta=0.0), **sites))
    with pytest.raises(CertificateError, match="of which the certificate does not tell"):
        verify(saved(tmp_path / "m.sfm", events=distributed()))
    with pytest.raises(CertificateError, match="other shares of noise than the federation has honest sites"):
        verify(saved(tmp_path / "m.sfm", **sites))


def test_of_images_it_speaks_of_images(tmp_path):
    schema = Schema.parse(
        "sfumato: schema/1\ncolumns:\n  photo: {kind: image, height: 64, width: 64, channels: 3, source: public}\n"
        "  a: {kind: category, categories: [x], source: public}\n"
    )
    certificate = issue(process(columns=declared(schema)), {})
    assert "images" in certificate.product.kind
    assert "table" not in certificate.product.kind
    assert "but one image, and" in certificate.promise.in_words
    assert certificate.data_domain.columns[0].to_dict() == {
        "name": "photo",
        "kind": "image",
        "sources": {"kind": "public", "size": "public"},
        "reviews": [],
        "refuses": ["missing or unreadable"],
    }
    text = str(certificate)
    assert "unit: row (an image)" in text
    assert "somebody with several images" in text
    assert "photo: image (all facts public)" in text
    assert len(text.splitlines()) < 60  # not a line a pixel
    by_person = limits(process(columns=declared(schema), guarantee=Guarantee(1, 1e-9, unit="patient"), max_rows=3))
    assert any("at most 3 images" in x for x in by_person)


def event(**changes):
    return {"mechanism": "DiscreteGaussian", "sigma": 40.0, "sensitivity": 1, "count": 1, **changes}


def without(*path):
    def change(certificate):
        copy = dict(certificate)
        if len(path) == 1:
            del copy[path[0]]
        else:
            copy[path[0]] = {k: v for k, v in copy[path[0]].items() if k != path[1]}
        return copy

    return change


def with_field(section, name, value):
    return lambda certificate: {**certificate, section: {**certificate[section], name: value}}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (with_field("promise", "epsilon", 0.5), "more than the promised 0.5"),
        (with_field("promise", "delta", 1e-12), "more than the promised 1"),
        (with_field("promise", "epsilon", -1), "numbers out of range"),
        (with_field("promise", "epsilon", "1"), "numbers out of range"),
        (with_field("promise", "unit", "person"), "unit"),
        (with_field("composition", "epsilon_spent", 0.1), "cost epsilon_spent .*, not what the certificate states"),
        (
            with_field("composition", "epsilon_composed", 0.1),
            "cost epsilon_composed .*, not what the certificate states",
        ),
        (with_field("composition", "epsilon_by_renyi", 0.1), "not what the certificate states"),
        (with_field("composition", "events", []), "nothing can be learnt for nothing"),
        (with_field("composition", "events", [event(count=0)]), "out of range"),
        (with_field("composition", "events", [event(), event(count=-1)]), "out of range"),
        (with_field("composition", "events", [event(count=True)]), "out of range"),
        (with_field("composition", "events", [event(sensitivity=0.01)]), "out of range"),
        (with_field("composition", "events", [event(sigma=1e-300)]), "no accountant can sum"),
        (with_field("composition", "events", [event(sigma=0.5, count=10**7)]), "far above 1"),
        (with_field("promise", "delta", 1e-30), "more than the promised 1"),
        (with_field("promise", "max_rows_per_unit", 2), "holds up to 1 rows"),
        (with_field("data_domain", "columns", []), "other facts than the schema"),
        (with_field("algorithm", "model", "aim"), "another model"),
        (with_field("composition", "events", [event(sigma=10**400)]), "out of range"),
        (lambda c: {**c, "algorithm": 7, "data_domain": 7}, "lacks fields"),
        (lambda c: {**c, "pyramid": True}, "lacks fields"),
        (without("limits"), "lacks fields"),
        (with_field("composition", "events", [{"mechanism": "Skellam"}]), "does not know .'Skellam'"),
        (with_field("composition", "events", [{"mechanism": "DiscreteGaussian", "sigma": -1}]), "out of range"),
        (with_field("composition", "events", [7]), "numbers out of range"),
        (with_field("members", "model.json", "0" * 64), "belongs to another model"),
        (without("members"), "lacks fields"),
        (without("promise"), "lacks fields"),
        (without("composition", "events"), "lacks fields"),
        (lambda c: {**c, "certificate": "other/9"}, "unknown kind"),
        (lambda c: NoCertificate(reason="epsilon is infinite").to_dict(), "no certificate: epsilon is infinite"),
    ],
)
def test_a_certificate_that_does_not_fit_is_refused(tmp_path, change, says):
    path = saved(tmp_path / "m.sfm", change=change)
    with pytest.raises(CertificateError, match=says) as caught:
        verify(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_accountants_that_disagree_are_refused(tmp_path, monkeypatch):
    path = saved(tmp_path / "m.sfm")
    monkeypatch.setattr(accounting, "epsilon_rdp", lambda events, delta: 0.5)
    with pytest.raises(CertificateError, match="two accountants disagree"):
        verify(path)


def test_events_that_cost_more_than_promised_are_refused(tmp_path):
    more = [event(sigma=sigma_for(GUARANTEE) / 2)]
    with pytest.raises(CertificateError, match="more than the promised 1"):
        verify(saved(tmp_path / "m.sfm", change=with_field("composition", "events", more)))


def test_an_unreviewed_schema_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "SCHEMA", SCHEMA.replace("public", "unreviewed"))
    with pytest.raises(CertificateError, match="unreviewed"):
        verify(saved(tmp_path / "m.sfm"))


@pytest.mark.parametrize(("charged", "passes"), [((5, 5), True), ((1, 1), False), ((5, 1), False)])
def test_events_charged_for_one_row_of_a_unit_with_several_are_refused(tmp_path, monkeypatch, charged, passes):
    by_person = SCHEMA.replace(
        "columns:", "unit: {column: p, max_rows: 5, source: public}\ncolumns:\n  p: {kind: identifier, source: public}"
    )
    monkeypatch.setitem(globals(), "SCHEMA", by_person)
    promise = Guarantee(epsilon=1, delta=1e-9, unit="p")
    sigma = accounting.discrete_gaussian_sigma(accounting.mu_for(promise), 5) * 2
    events = tuple(DiscreteGaussian(sigma, rows) for rows in charged)
    path = saved(tmp_path / "m.sfm", guarantee=promise, max_rows=5, events=events)
    if passes:
        assert verify(path).guarantee == promise
    else:
        with pytest.raises(CertificateError, match="fewer rows than the 5"):
            verify(path)


def test_no_certificate_is_issued_for_more_than_was_promised():
    with pytest.raises(CertificateError, match="more than 1"):
        issue(process(events=(DiscreteGaussian(sigma_for(GUARANTEE) / 2),)), {})


def test_limits_name_what_a_finished_fit_gives_away():
    refusing = (
        "sfumato: schema/1\ncolumns:\n  a: {kind: category, categories: [x], nullable: true, source: public}\n"
        "  b: {kind: boolean, source: public}\n"
    )
    columns = declared(Schema.parse(refusing))
    assert [c.refuses for c in columns] == [("outside the facts",), ("missing or unreadable", "outside the facts")]
    assert any("2 columns refuse some" in x and "left out" in x for x in limits(process(columns=columns)))
    assert any("does not parse" in x for x in limits(process(columns=columns)))
    steady = refusing.replace("nullable: true", "nullable: true, outside: missing").partition("  b:")[0]
    assert not any("refuses" in x for x in limits(process(columns=declared(Schema.parse(steady)))))


def test_a_kind_is_never_measured():
    schema = Schema.parse("sfumato: schema/1\ncolumns:\n  a: {kind: integer, source: measured}\n")
    sources = declared(schema)[0].sources
    assert (sources["kind"], sources["step"]) == ("unstated", "unstated")
    assert (sources["bounds"], sources["nullable"]) == ("measured", "measured")


def test_signed_and_every_flipped_byte_is_refused(tmp_path):
    generate(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    key = load_signing_key(tmp_path / "key.pem")
    path = saved(tmp_path / "m.sfm", change=lambda c: sign(c, key))
    found = verify(path, tmp_path / "key.pub.pem")
    assert found.trusted
    assert not verify(path).trusted
    data = path.read_bytes()
    for i in range(0, len(data), 7):
        edited = bytearray(data)
        edited[i] ^= 0x10
        path.write_bytes(edited)
        with pytest.raises(ArtifactError):
            verify(path)


def test_a_forger_without_the_key_is_refused(tmp_path):
    generate(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    key = load_signing_key(tmp_path / "key.pem")
    path = saved(tmp_path / "m.sfm", change=lambda c: with_field("product", "curator", "me")(sign(c, key)))
    with pytest.raises(CertificateError, match="signature does not fit"):
        verify(path)


def test_limits_follow_the_events():
    plain = " ".join(limits(process()))
    assert "floating point" not in plain
    assert "somebody with several rows" in plain
    said = limits(process(events=(Gaussian(3.0, 2, 1e-18), Exponential(0.1), Threshold(3.0, 9, 1e-12))))
    assert sum("floating point" in x for x in said) == 1
    assert sum("adds 2e-18 to delta" in x for x in said) == 1
    assert not any("gradient" in x and "not proven" in x for x in said)
    steps = limits(process(events=(PoissonSampledGaussian(0.01, 3.0, 5, 1e-18),)))
    assert sum("adds 5e-18 to delta" in x for x in steps) == sum("not proven" in x for x in steps) == 1
    assert any("passed a threshold" in x for x in said)
    by_person = limits(process(guarantee=Guarantee(1, 1e-9, unit="person"), max_rows=3))
    assert any("at most 3 rows" in x for x in by_person)


def test_a_selection_of_several_parties_says_whose_noise_it_needs():
    (said,) = (x for x in limits(process(events=(NoisyMax(0.01, 2),))) if "honest parties" in x)
    assert "counts the parts of 2 honest parties" in said
    line = "4 selections of the largest score with integer Laplace noise of 2 honest parties, epsilon 0.01 to 0.02"
    assert accounting.describe([NoisyMax(0.01, 2), NoisyMax(0.02, 2, 3)]) == [line]


def test_a_selection_of_several_parties_needs_several_parties(tmp_path):
    with pytest.raises(CertificateError, match="noise was shared by sites, of which the certificate does not tell"):
        verify(saved(tmp_path / "m.sfm", events=(NoisyMax(0.04, 2, 3),)))


def test_rendering_says_what_a_reader_must_know():
    text = str(issue(process(), {"model.json": "ab" * 32}))
    for needed in ("epsilon 1, delta 1e-09", "unit: row", "add/remove", "73.1%", "not protected", "limits", "curator"):
        assert needed in text
    assert (
        str(NoCertificate(reason="the schema has unreviewed facts"))
        == "NO CERTIFICATE. the schema has unreviewed facts\n"
    )


def test_best_posterior():
    assert best_posterior(Guarantee(1e-9)) == pytest.approx(0.5)
    assert best_posterior(Guarantee(1)) == pytest.approx(0.7310586)


OPEN_BOUNDS = SCHEMA.replace("bounds: [0, 1], source: public", "source: {bounds: measured, rest: public}")


def codec_of(text, facts=None, types=None):
    return json.loads(Codec.from_schema(Schema.parse(text), facts, types).to_json())


@pytest.mark.parametrize(
    "forged",
    [
        SCHEMA.replace("[0, 1]", "[0, 2]"),
        SCHEMA.replace("public}", "public, nullable: true}"),
        SCHEMA.replace("public}", "public, outside: refuse}"),
        SCHEMA.replace("public}", "public, nulls: [x]}"),
        SCHEMA.replace("source: public", "reviewed: {by: A, on: 2026-01-02, reason: x}"),
        SCHEMA.replace("a:", "b:"),
        SCHEMA + "  b: {kind: boolean, source: public}\n",
        SCHEMA + "nulls: [x]\n",
    ],
)
def test_a_codec_of_other_facts_is_refused(tmp_path, forged):
    assert verify(saved(tmp_path / "m.sfm", codec=codec_of(SCHEMA))).model == "independent"
    with pytest.raises(CertificateError, match="codec was made from other facts"):
        verify(saved(tmp_path / "m.sfm", codec=codec_of(forged)))


def test_a_codec_may_add_what_was_measured_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "SCHEMA", OPEN_BOUNDS)
    found = {"a": MeasuredFact(bounds=(-7, 7))}
    assert verify(saved(tmp_path / "m.sfm", codec=codec_of(OPEN_BOUNDS, found))).model == "independent"
    stepped = OPEN_BOUNDS.replace("kind: integer", "kind: integer, step: 7")
    with pytest.raises(CertificateError, match="codec was made from other facts"):
        verify(saved(tmp_path / "m.sfm", codec=codec_of(stepped, found)))


def test_the_certificate_lists_every_fact_with_its_source_and_its_review(tmp_path, monkeypatch):
    reviewed = """sfumato: schema/1
unit: {column: p, max_rows: 2, reviewed: {by: B, on: 2026-01-03, reason: protocol}}
rows: {number: 9, source: public}
columns:
  p: {kind: identifier, source: public}
  a:
    kind: integer
    source: {bounds: measured}
    reviewed: [{by: A, on: 2026-01-02, reason: form F2}, {by: B, on: 2026-01-03, reason: whole years, facts: [step]}]
constraints: [{kind: non_null, columns: [a], source: public}]
"""
    schema = Schema.parse(reviewed)
    column = declared(schema)[1]
    assert set(column.sources) == set(schema.column("a").facts())
    assert {f for f, s in column.sources.items() if s != "reviewed"} == {"bounds"}
    by_a, by_b = column.reviews
    assert (by_a.by, by_a.on, by_a.reason) == ("A", "2026-01-02", "form F2")
    assert by_b.to_dict() == {"facts": ["step"], "by": "B", "on": "2026-01-03", "reason": "whole years"}
    assert [fact.to_dict() for fact in declared_of_the_table(schema)] == [
        {"fact": "unit", "source": "reviewed", "review": {"by": "B", "on": "2026-01-03", "reason": "protocol"}},
        {"fact": "rows", "source": "public", "review": None},
        {"fact": "non_null on a", "source": "public", "review": None},
    ]
    text = str(issue(process(columns=declared(schema), table=declared_of_the_table(schema)), {}))
    assert "step: reviewed by B on 2026-01-03: whole years" in text
    assert "unit: reviewed by B on 2026-01-03: protocol" in text


def test_a_certificate_that_hides_who_reviewed_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(
        globals(), "SCHEMA", SCHEMA.replace("source: public", "reviewed: {by: A, on: 2026-01-02, reason: x}")
    )
    assert verify(saved(tmp_path / "m.sfm")).model == "independent"
    unreviewed = Schema.parse(SCHEMA.replace("reviewed: {by: A, on: 2026-01-02, reason: x}", "source: public"))
    public = [column.to_dict() for column in declared(unreviewed)]
    with pytest.raises(CertificateError, match="other facts than the schema"):
        verify(saved(tmp_path / "m.sfm", change=with_field("data_domain", "columns", public)))
    with pytest.raises(CertificateError, match="other facts than the schema"):
        verify(
            saved(
                tmp_path / "m.sfm",
                change=with_field("data_domain", "table", UNSAID),
            )
        )


def test_a_codec_with_other_stored_types_is_refused(tmp_path):
    """The types are what comes out: changed with the hashes recomputed, they passed."""
    stored = codec_of(SCHEMA, types={"a": pa.int16()})
    assert verify(saved(tmp_path / "m.sfm", codec=stored, types={"a": "int16"})).model == "independent"
    for other in ({**stored, "types": {"a": "int64"}}, {**stored, "types": {}}):
        with pytest.raises(CertificateError, match="other stored types"):
            verify(saved(tmp_path / "m.sfm", codec=other, types={"a": "int16"}))


def test_a_fit_states_the_types_that_its_rows_were_stored_in(tmp_path):
    rows = pa.table({"a": pa.array([0, 1] * 20, pa.int16())})
    sf.Synthesizer(Schema.parse(SCHEMA), model="independent", guarantee=GUARANTEE, ledger=sf.Ledger.open(None)).fit(
        rows
    ).save(tmp_path / "m.sfm")
    certificate = verify(tmp_path / "m.sfm").certificate
    assert certificate.data_domain.types == {"a": "int16"}
    assert "stored as: a int16" in str(certificate)


def test_what_is_typed_is_what_is_stored(tmp_path):
    """The stored form comes back key by key and number by number: signatures and hashes are over it."""
    path = saved(tmp_path / "m.sfm", guarantee=Guarantee(epsilon=1, delta=1e-9))
    stored = Artifact.load(path).certificate
    found = Certificate.parse(stored)
    assert json.dumps(found.to_dict()) == json.dumps(stored)
    assert isinstance(found.to_dict()["promise"]["epsilon"], int)
    assert found == verify(path).certificate
    generate(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    signed = sign(found.to_dict(), load_signing_key(tmp_path / "key.pem"))
    assert Certificate.parse(signed).to_dict() == signed
    assert Certificate.parse(signed).signature is not None


def test_a_field_that_nothing_reads_stays_in_the_stored_form_for_verify_to_refuse(tmp_path):
    stored = issue(process(), {}).to_dict() | {"audit": "passed"}
    assert Certificate.parse(stored).to_dict() == stored
    with pytest.raises(CertificateError, match="a section that none has"):
        verify(saved(tmp_path / "m.sfm", change=lambda c: c | {"audit": "passed"}))


def test_a_certificate_cannot_be_changed_and_shows_itself():
    found = issue(process(), {"model.json": "<b>"})
    with pytest.raises(ValueError, match="frozen"):
        found.promise.epsilon = 0.1
    found.to_dict()["promise"]["epsilon"] = 0.1
    assert found.to_dict()["promise"]["epsilon"] == 1
    assert repr(found) == "Certificate(epsilon 1, delta 1e-09, unit row, independent, not signed)"
    assert "epsilon 1, delta 1e-09" in found._repr_html_()
    assert "<script>" not in NoCertificate(reason="<script>")._repr_html_()
