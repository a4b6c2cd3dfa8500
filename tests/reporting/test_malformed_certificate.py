"""A malformed certificate is never a defect: it is refused in one line, or reported not to hold."""

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
from sfumato.reporting import charts
from sfumato.schema import Schema

SCHEMA = """\
sfumato: schema/1
rows: unknown
columns:
  sex: {kind: category, categories: [F, M], source: public}
"""
GONE = object()
VALUES = (GONE, None, "x", -1, 1e300, [], {"a": 1}, [[1]], True, 10**30)
TRIED = 3
"""Wrong values of each field; all kinds of them come round over the fields."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    path = tmp_path_factory.mktemp("model") / "m.sfm"
    synthesizer = sf.Synthesizer(Schema.parse(SCHEMA), "independent", ledger=sf.Ledger.open(None))
    synthesizer.fit(pa.table({"sex": ["F", "M", "M"] * 9}))
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
    """Every field with several wrong values, through all that reads a saved model; a report is made or refused.

    Charts are laid out, but not drawn, which would be most of the time and depends on no field.
    """
    monkeypatch.setattr(charts, "_svg", lambda figure, label: f"<svg aria-label={label!r}></svg>")
    path, page = tmp_path / "m.sfm", tmp_path / "r.html"
    fields, malformed = [*places(whole.certificate)], set()
    assert len(fields) > 60
    for number, at in enumerate(fields):
        for turn in range(TRIED):
            value = VALUES[(TRIED * number + turn) % len(VALUES)]
            replace(whole, certificate=changed(whole.certificate, at, value)).save(path)
            assert len(sf.load(path).sample(2)) == 2
            with suppress(SfumatoError):
                sf.verify(path)
            page.unlink(missing_ok=True)
            try:
                sf.report(path, page)
            except SfumatoError as error:
                malformed |= {at} if "its certificate is malformed" in str(error) else set()
                assert not page.exists()
            else:
                assert page.exists()
    assert len(malformed) > len(fields) / 2
