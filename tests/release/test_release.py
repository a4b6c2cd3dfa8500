"""Models forged with right hashes: whatever they hold, loading and sampling ends in a table or in one clear error."""

import contextlib
import copy
import random
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import sfumato as sf
from sfumato.errors import SfumatoError
from sfumato.release.artifact import Artifact
from sfumato.release.release import condition
from sfumato.schema import CategoryColumn, IntegerColumn, RealColumn, Schema

STRANGE = [None, -1, 0, 1, 1e300, -1e300, 10**12, "x", "", [], {}, [1, 2], True, 0.5, 1e-300]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory) -> Artifact:
    rng = np.random.default_rng(0)
    table = pa.table({"a": rng.integers(0, 9, 500), "b": rng.choice(["x", "y"], 500), "c": rng.random(500)})
    schema = Schema(
        columns=(
            IntegerColumn(name="a", bounds=(0, 9), source="public"),
            CategoryColumn(name="b", categories=("x", "y"), source="public"),
            RealColumn(name="c", bounds=(0, 1), source="public"),
        )
    )
    path = tmp_path_factory.mktemp("model") / "m.sfm"
    sf.Synthesizer(schema, guarantee=sf.Guarantee(5, 1e-6), ledger=sf.Ledger.open(None)).fit(table).save(path)
    return Artifact.load(path)


def places(value, path=()):
    """The path of every value inside a JSON document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def edited(document, rng):
    """The document with one value replaced by something strange, or left out."""
    forged = copy.deepcopy(document)
    *above, last = rng.choice(list(places(forged)))
    parent = forged
    for key in above:
        parent = parent[key]
    if isinstance(parent, dict) and rng.random() < 0.3:
        del parent[last]
    else:
        parent[last] = rng.choice(STRANGE)
    return forged


def bent(arrays, rng):
    """The arrays with one left out, cut, emptied, turned negative, retyped or blown up."""
    name = rng.choice(sorted(arrays))
    array = arrays[name]
    huge = array.copy()
    huge.flat[rng.randrange(array.size)] = 1e300 if array.dtype.kind == "f" else 120
    retyped = array.astype(np.int8 if array.dtype.kind == "f" else np.float64)
    choices = [array[:-1], np.zeros_like(array), -array - 1, retyped, huge]
    return {**arrays, name: rng.choice(choices)} if rng.random() < 0.8 else {k: arrays[k] for k in arrays if k != name}


@pytest.mark.parametrize("seed", range(60))
def test_forged_contents_end_in_a_table_or_an_error(artifact, tmp_path, seed):
    rng = random.Random(seed)
    what = rng.choice(["codec", "model", "arrays"])
    change = bent if what == "arrays" else edited
    forged = replace(artifact, **{what: change(getattr(artifact, what), rng)})
    forged.save(tmp_path / "m.sfm")
    with contextlib.suppress(SfumatoError):
        assert len(sf.load(tmp_path / "m.sfm").sample(5, seed=0)) == 5
    if forged.hashes != artifact.hashes:
        with pytest.raises(sf.CertificateError, match="another model"):
            sf.verify(tmp_path / "m.sfm")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((30, 40), "30..40"),
        ((None, 40), "..40"),
        (["A", "B"], "A|B"),
        ("A", "A"),
        (None, None),
        (3, 3),
    ],
)
def test_conditions_as_a_codec_reads_them(value, text):
    assert condition(value) == text


def forged_total(artifact, total, path):
    model = copy.deepcopy(dict(artifact.model))
    model["facts"]["total"] = total
    replace(artifact, model=model).save(path)
    return path


@pytest.mark.parametrize("total", [1e300, 2.0**41, 0.5, 0, -1])
def test_a_model_cannot_say_that_it_is_of_any_number_of_records(artifact, tmp_path, total):
    with pytest.raises(SfumatoError):
        sf.load(forged_total(artifact, total, tmp_path / "m.sfm"))


def test_rows_beyond_what_is_drawn_by_default_must_be_asked_for(artifact, tmp_path):
    model = sf.load(forged_total(artifact, 3e9, tmp_path / "m.sfm"))
    with pytest.raises(SfumatoError, match=r"of 3,000,000,000 rows, more than the 100,000,000.*say how many"):
        model.sample()
    assert len(model.sample(10)) == 10
