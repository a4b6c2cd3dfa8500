"""A report of a model whose certificate is malformed is refused in one line, or says that it does not hold."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import sfumato as sf
from sfumato.errors import SfumatoError
from sfumato.release.artifact import Artifact
from sfumato.schema import Schema

SCHEMA = """\
sfumato: schema/1
rows: unknown
columns:
  age: {kind: integer, bounds: [0, 9], source: public}
  sex: {kind: category, categories: [F, M], source: public}
"""
GONE = object()
VALUES = (GONE, None, "x", -1, 1e300, [], {"a": 1}, [[1]])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    path = tmp_path_factory.mktemp("model") / "m.sfm"
    synthesizer = sf.Synthesizer(Schema.parse(SCHEMA), "independent", ledger=sf.Ledger.open(None))
    synthesizer.fit(pa.table({"age": [1, 2, 3] * 9, "sex": ["F", "M", "M"] * 9}))
    synthesizer.save(path)
    return Artifact.load(path)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every field of a JSON value, of lists the first alone."""
    if at:
        yield at
    keys = list(value) if isinstance(value, dict) else range(min(len(value), 1)) if isinstance(value, list) else ()
    for key in keys:
        yield from places(value[key], (*at, key))


def changed(certificate: Any, at: tuple[Any, ...], value: Any) -> Any:
    certificate = copy.deepcopy(certificate)
    inner = certificate
    for key in at[:-1]:
        inner = inner[key]
    if value is GONE:
        del inner[at[-1]]
    else:
        inner[at[-1]] = value
    return certificate


def test_no_field_of_any_kind_is_a_defect(whole: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second field with one wrong value, of all kinds over the fields; charts of rows are left out, for speed."""
    monkeypatch.setattr("sfumato.reporting.report._public_charts", lambda drawn, *_: drawn)
    refused = 0
    for number, at in enumerate([*places(whole.certificate)][::2]):
        value = VALUES[number % len(VALUES)]
        forged = replace(whole, certificate=changed(whole.certificate, at, value))
        forged.save(tmp_path / "m.sfm")
        with suppress(SfumatoError):
            sf.verify(tmp_path / "m.sfm")
        try:
            sf.report(tmp_path / "m.sfm", tmp_path / "r.html")
        except SfumatoError as error:
            refused += "its certificate is malformed" in str(error)
    assert refused > 2
