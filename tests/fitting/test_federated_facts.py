"""Bounds left to be measured, over sites: found by secure sums, told to all, checked by each, and paid for."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import sfumato as sf
from sfumato.encoding.measure import MEASURED_SHARE
from sfumato.errors import FederationError
from sfumato.privacy.randomness import SeededEntropy
from sfumato.privacy.spending import mu_squared
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.questions import Count
from sfumato.trust.secure_sum.sum_site import SumSite

SCHEMA = sf.Schema.parse("""\
sfumato: schema/1
target: job
columns:
  age: {kind: integer, nullable: true, source: {bounds: measured, rest: public}}
  pay: {kind: real, step: 0.5, source: {bounds: measured, nullable: measured, rest: public}}
  since: {kind: date, source: {bounds: measured, rest: public}}
  job: {kind: category, categories: [a, b], source: public}
""")
WITHOUT = sf.Guarantee(float("inf"))


def rows(n: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    age = rng.integers(20 + 10 * seed, 50 + 10 * seed, n)
    days = pa.array(rng.integers(15_000, 18_000, n), pa.int32()).cast(pa.date32())
    return pa.table({"age": age, "pay": age * 100.5, "since": days, "job": np.where(age > 45, "a", "b")})


PARTS = [rows(2000, seed) for seed in range(3)]


def fitted(guarantee: sf.Guarantee, model: str = "independent", schema: sf.Schema = SCHEMA) -> sf.Synthesizer:
    ledgers = [sf.Ledger.open(None) for _ in PARTS]
    source = sf.federated([sf.Table(part) for part in PARTS], ledgers=ledgers, curious=0)
    return sf.Synthesizer(schema, model, guarantee).fit(source)


def test_without_noise_the_facts_and_the_model_are_those_of_one_curator() -> None:
    together = fitted(WITHOUT)
    alone = sf.Synthesizer(SCHEMA, "independent", WITHOUT).fit(pa.concat_tables(PARTS))
    assert together._release is not None
    assert alone._release is not None
    assert together._release.codec.schema == alone._release.codec.schema
    assert together._release.codec.schema.column("age").bounds == (20, 69)  # type: ignore[union-attr]
    assert together.sample(500, seed=1).arrow == alone.sample(500, seed=1).arrow


def test_with_noise_they_are_near_and_certified_and_every_site_has_paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one noise of all: bounds are wide where noise stands out, which it does in one of forty searches."""
    monkeypatch.setattr(SumSite, "entropy", lambda site, number, _: SeededEntropy(1000 * site.place + number.round))
    for name, part in zip("abc", PARTS, strict=True):
        sf.Table(part).write(tmp_path / f"{name}.csv")
    source = sf.federated([tmp_path / f"{name}.csv" for name in "abc"])
    sf.Synthesizer(SCHEMA, "auto", sf.Guarantee(1, 1e-6)).fit(source).save(tmp_path / "model.sfm")
    found = sf.verify(tmp_path / "model.sfm").certificate
    assert [c.sources["bounds"] for c in found.data_domain.columns[:3]] == ["measured"] * 3
    assert sf.load(tmp_path / "model.sfm").model == "aim"
    search = found.composition.events[:3]
    assert sum(map(mu_squared, search)) < 1.02 * MEASURED_SHARE * sum(map(mu_squared, found.composition.events))
    for name in "abc":
        with sf.Ledger.open(tmp_path / f"{name}.csv.ledger", create=False) as ledger:
            (run,) = ledger.summary()["runs"]
        assert len(run["events"]) == len(found.composition.events)
    loaded = sf.load(tmp_path / "model.sfm").sample(2000, seed=0).arrow["age"].drop_null().to_numpy()
    assert np.quantile(loaded, [0.02, 0.98]).tolist() == pytest.approx([22, 67], abs=4)


ASKED = FederatedSite.call


def telling(change: Callable[[str], str], times: int = 1) -> Callable[[FederatedSite, str, bytes], bytes]:
    """A coordinator that tells other facts than were found."""

    def call(site: FederatedSite, method: str, body: bytes) -> bytes:
        if method != "facts":
            return ASKED(site, method, body)
        for _ in range(times):
            made = ASKED(site, method, change(body.decode()).encode())
        return made

    return call


OUTSIDE = "facts that are not those which the plan's schema leaves open, or lie beyond its search"


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (telling(lambda text: text.replace("[a, b]", "[a, c]")), OUTSIDE),
        (telling(lambda text: text.replace("target: job\n", "")), OUTSIDE),
        (telling(lambda text: text.replace("step: 0.5", "step: 0.25")), OUTSIDE),
        (telling(lambda text: text.replace("bounds: [20, 69]", "bounds: [20, 4000000000000000]")), OUTSIDE),
        (telling(lambda text: text.replace("bounds: [20, 69]", "bounds: [69, 20]")), OUTSIDE),
        (telling(lambda text: text.replace("    bounds: [20, 69]\n", "")), OUTSIDE),
        (telling(lambda _: SCHEMA.dump()), OUTSIDE),
        (telling(lambda _: "{" * 100), OUTSIDE),
        (telling(lambda _: ""), OUTSIDE),
        (telling(lambda text: text, times=2), "or all were told already"),
        (
            telling(lambda text: text.replace("bounds: [20, 69]", "bounds: [21, 69]")),
            "has made another codec of the facts",
        ),
    ],
    ids=[
        *("a declared category", "the target", "a declared step", "beyond the search", "the wrong way round"),
        *("none for a column", "none", "no YAML", "nothing", "twice", "others than were found"),
    ],
)
def test_facts_that_do_not_fit_are_refused_by_each_site(
    monkeypatch: pytest.MonkeyPatch, told: Callable[[FederatedSite, str, bytes], bytes], says: str
) -> None:
    monkeypatch.setattr(FederatedSite, "call", told)
    with pytest.raises(FederationError, match=rf"site site-1 .*{says}"):
        fitted(WITHOUT)


def test_a_site_answers_nothing_but_the_search_before_the_facts_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def asking(rounds: SecureRounds, facts: bytes) -> dict[str, bytes]:
        rounds.opened(Count(), [math.inf], 1)
        return {}

    monkeypatch.setattr(SecureRounds, "tell_facts", asking)
    with pytest.raises(FederationError, match="before the facts are told, tables of their search are answered alone"):
        fitted(WITHOUT)


def test_a_plan_without_open_facts_has_none_to_be_told() -> None:
    declared = sf.Schema.parse("""\
sfumato: schema/1
columns:
  job: {kind: category, categories: [a, b], source: public}
""")
    asked: list[str] = []

    def call(site: FederatedSite, method: str, body: bytes) -> bytes:
        if method == "masked" and not asked:
            asked.append(method)
            with pytest.raises(FederationError, match="leaves no fact to be told"):
                ASKED(site, "facts", declared.dump().encode())
        return ASKED(site, method, body)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FederatedSite, "call", call)
        parts = [sf.Table(part.select(["job"])) for part in PARTS]
        source = sf.federated(parts, ledgers=[sf.Ledger.open(None) for _ in PARTS])
        sf.Synthesizer(declared, "independent", WITHOUT).fit(source)
    assert asked


def test_categories_are_declared_not_measured_over_sites() -> None:
    town = "  town: {kind: category, outside: other, source: {categories: measured, rest: public}}\n"
    schema = sf.Schema.parse(SCHEMA.dump() + town)
    with pytest.raises(FederationError, match=r"column 'town': its categories .*: declare all that may occur"):
        fitted(WITHOUT, schema=schema)
