"""A fit over three parties, from their files to a verified model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv
from tests.trust.parties import HELD, SCHEMA

import sfumato as sf
from sfumato.privacy.accounting import epsilon
from sfumato.privacy.events import from_json
from sfumato.release.artifact import Artifact
from sfumato.release.verification import verify_artifact

PROMISE = sf.Guarantee(2, 1e-6)
WITHOUT = sf.Guarantee(np.inf, 1e-6)
KEYS = [f"person-{i:04d}" for i in range(600)]


def table() -> pa.Table:
    """All columns of all persons; b follows from a, and e from d, at another party than c, which follows from both."""
    rng = np.random.default_rng(5)
    a, d = rng.integers(0, 7, len(KEYS)), rng.integers(0, 4, len(KEYS))
    columns = {
        "a": a,
        "b": np.array(["x", "y", "z"])[a % 3],
        "c": (a + d) % 2 == 0,
        "d": np.array(["p", "q", "r", "s"])[d],
        "e": np.where(d > 1, 4, d),
    }
    return pa.table({"who": KEYS, **columns})


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """The table of each party: its columns, its persons in an order of its own, and somebody nobody else has."""
    whole, rng = table(), np.random.default_rng(6)
    paths = []
    for place, held in enumerate(HELD):
        own = whole.select(["who", *held]).take(rng.permutation(len(KEYS)))
        stranger = own.slice(0, 1).set_column(0, "who", pa.array([f"stranger {place}"]))
        paths.append(tmp_path / f"party{place}.csv")
        csv.write_csv(pa.concat_tables([own, stranger]), paths[-1])
    (tmp_path / "persons.txt").write_text("\n".join(KEYS))
    return paths


def fitted(files: list[Path], model: str, promise: sf.Guarantee) -> sf.Synthesizer:
    source = sf.parties(files, key="who", persons=files[0].parent / "persons.txt")
    return sf.Synthesizer(SCHEMA, model, promise).fit(source)


def test_without_noise_a_model_of_parties_is_that_of_one_curator(files: list[Path]) -> None:
    alone = sf.Synthesizer(SCHEMA, "mst", WITHOUT).fit(table())
    together = fitted(files, "mst", WITHOUT)
    drawn = [s.sample(500, seed=1).arrow.drop_columns("who") for s in (together, alone)]
    assert drawn[0] == drawn[1]
    assert together.default_rows == len(KEYS)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parties")
    whole = table()
    tables = [whole.select(["who", *held]) for held in HELD]
    source = sf.parties(tables, key="who", persons=KEYS, ledgers=[folder / f"{i}.ledger" for i in range(3)])
    sf.Synthesizer(SCHEMA, "aim", PROMISE).fit(source).save(folder / "model.sfm")
    return folder / "model.sfm"


def test_the_certificate_says_who_held_what_and_is_verified(saved: Path) -> None:
    found = sf.verify(saved)
    said = str(found.certificate)
    for text in ("site-1 held a, b; site-2 held c; site-3 held d, e", "Any two together can read", "the 600 of a list"):
        assert text in said
    assert "has rows at several sites" not in said
    assert found.certificate.federation.split.toward_a_party > PROMISE.epsilon
    assert found.epsilon <= PROMISE.epsilon


def test_every_party_has_paid_more_than_the_promise_and_no_more_than_the_plan(saved: Path) -> None:
    toward = sf.verify(saved).certificate.federation.split.toward_a_party
    for place in range(3):
        with sf.Ledger.open(saved.parent / f"{place}.ledger", create=False) as ledger:
            (run,) = ledger.summary()["runs"]
        paid = epsilon([from_json(event) for event in run["events"]], PROMISE.delta)
        assert 0.9 * toward < paid <= toward


def test_no_file_of_a_party_or_the_model_holds_a_cell_of_another(files: list[Path]) -> None:
    """Beside the model, which lists what the schema says, there is what each party had: and a ledger."""
    fitted(files, "independent", PROMISE).save(files[0].parent / "model.sfm")
    assert sorted(p.name for p in files[0].parent.iterdir()) == [
        "model.sfm",
        *(f"party{i}.csv{end}" for i in range(3) for end in ("", ".ledger")),
        "persons.txt",
    ]
    data = (files[0].parent / "model.sfm").read_bytes()
    assert not [key for key in KEYS if key.encode() in data]


def test_parties_without_a_list_fit_whom_they_have_in_common(files: list[Path]) -> None:
    """Each party lacks others, and has a stranger: the model is that of a curator of those that all three have."""
    whole, there = table(), [range(580), range(20, 600), range(600)]
    for path, some in zip(files, there, strict=True):
        own = csv.read_csv(path)
        known = {KEYS[i] for i in some}
        csv.write_csv(
            own.filter(pa.array([k in known or k.startswith("stranger") for k in own["who"].to_pylist()])), path
        )
    source = sf.parties(files, key="who", most_persons=700)
    together = sf.Synthesizer(SCHEMA, "mst", WITHOUT).fit(source)
    alone = sf.Synthesizer(SCHEMA, "mst", WITHOUT).fit(whole.slice(20, 560))
    drawn = [s.sample(500, seed=1).arrow.drop_columns("who") for s in (together, alone)]
    assert drawn[0] == drawn[1]
    assert together.default_rows == 560


def test_the_certificate_of_an_intersection_tells_its_two_sides_apart(tmp_path: Path) -> None:
    tables = [table().select(["who", *held]) for held in HELD]
    ledgers = [tmp_path / f"{i}.ledger" for i in range(3)]
    source = sf.parties(tables, key="who", most_persons=700, ledgers=ledgers)
    sf.Synthesizer(SCHEMA, "independent", PROMISE).fit(source).save(tmp_path / "model.sfm")
    found = sf.verify(tmp_path / "model.sfm").certificate
    said = str(found)
    for text in (
        "found by private set intersection among up to 700 keys of each",
        "Each party learnt who they are, and so how many, exactly",
        "their number was opened with noise alone",
        "not of who the persons are",
    ):
        assert text in said
    split = found.federation.split
    assert (split.alignment, split.persons, split.number) == ("private intersection", None, 700)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c["federation"].pop("split"), "in one place alone|lacks"),
        (lambda c: c["federation"].update(split=None), "in one place alone"),
        (lambda c: c["federation"]["split"].update(toward_a_party=1.0), "another promise toward a party"),
        (lambda c: c["federation"]["split"]["columns"][0].append("f"), "other columns than the schema"),
        (lambda c: c["federation"]["split"].update(number=601), "something else"),
        (lambda c: c["federation"]["split"].update(persons="none"), "numbers that none can have"),
        (lambda c: c["federation"]["split"].update(persons=None), "numbers that none can have"),
        (lambda c: c["federation"]["split"].update(alignment="private intersection"), "numbers that none can have"),
        (lambda c: c["federation"]["split"].update(key="a"), "other columns than the schema"),
        (lambda c: c["federation"].update(curious=0, threshold=2), "numbers that none can have"),
    ],
    ids=["gone", "none", "epsilon", "column", "number", "hash", "no list", "alignment", "key", "curious"],
)
def test_a_certificate_whose_split_was_edited_is_refused(saved: Path, change, says: str) -> None:
    artifact = Artifact.load(saved)
    certificate = json.loads(json.dumps(artifact.certificate))
    change(certificate)
    with pytest.raises(sf.CertificateError, match=says):
        verify_artifact(replace(artifact, certificate=certificate))


@pytest.mark.parametrize("model", ["vae", "gan", "diffusion"])
def test_a_model_that_asks_for_more_than_counts_is_refused_before_anything_is_charged(
    files: list[Path], model: str
) -> None:
    with pytest.raises(sf.SfumatoError, match="and parties count: take a model over"):
        fitted(files, model, PROMISE)
    assert not list(files[0].parent.glob("*.ledger"))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"persons": ["nobody"]}, "are both written alike"),
        ({"persons": [*KEYS, KEYS[0]]}, "each key once"),
        ({"persons": None}, "neither persons nor most_persons"),
        ({"most_persons": 700}, "leave most_persons out"),
        ({"persons": None, "most_persons": 500}, "more persons than the 500"),
        ({"names": ["a", "b"]}, "2 names"),
        ({"key": "d"}, "lies at two parties|describe it as"),
    ],
    ids=["nobody", "twice", "neither", "both", "few", "names", "key"],
)
def test_what_does_not_fit_is_refused(files: list[Path], changed: dict, says: str) -> None:
    with pytest.raises(sf.SfumatoError, match=says):
        sf.Synthesizer(SCHEMA, "mst", PROMISE).fit(sf.parties(files, **{"key": "who", "persons": KEYS} | changed))


def test_the_same_rows_at_two_parties_are_refused(files: list[Path]) -> None:
    with pytest.raises(sf.SfumatoError, match="have the same rows"):
        fitted([files[0], files[0], files[2]], "mst", PROMISE)
