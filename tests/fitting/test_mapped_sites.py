"""Sites whose tables are written otherwise, fitted together through their own files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

import sfumato as sf
from sfumato.errors import FederationError, SchemaError

SCHEMA = sf.Schema.parse("""\
sfumato: schema/1
columns:
  height: {kind: integer, bounds: [150, 159], unit: cm, source: public}
  sex: {kind: category, categories: [F, M], source: public}
""")
WITHOUT = sf.Guarantee(float("inf"))
OURS = "height,sex\n" + "".join(f"{150 + i % 10},{'FM'[i % 2]}\n" for i in range(40))
THEIRS = "sex;ward;m\n" + "".join(f"{'wm'[i % 2]};1;1,5{i % 10}\n" for i in range(40))
SITE = """\
sfumato: site/1
file: {delimiter: ";"}
columns:
  height: {from: m, unit: {times: 100}, decimal: ","}
  sex: {from: sex, labels: {w: F, m: M}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("a.csv", OURS), ("b.csv", THEIRS), ("c.csv", OURS + "151,F\n"), ("site.yaml", SITE)):
        (tmp_path / name).write_text(text)
    return tmp_path


def fitted(folder: Path, **terms: object) -> sf.Synthesizer:
    sources = [folder / name for name in ("a.csv", "b.csv", "c.csv")]
    source = sf.federated(sources, curious=0, **terms)  # type: ignore[arg-type]
    return sf.Synthesizer(SCHEMA, "independent", WITHOUT).fit(source)


def test_a_site_that_writes_otherwise_adds_what_it_would_add(folder: Path) -> None:
    together = fitted(folder, mappings=[None, folder / "site.yaml", None])
    rows = pa.csv.read_csv(folder / "a.csv")
    whole = pa.concat_tables([rows, rows, pa.csv.read_csv(folder / "c.csv")])
    alone = sf.Synthesizer(SCHEMA, "independent", WITHOUT).fit(whole)
    assert together.sample(300, seed=1).arrow == alone.sample(300, seed=1).arrow
    assert together.outside == (0.0, 0.0)


def test_a_site_whose_file_does_not_fit_is_named(folder: Path) -> None:
    theirs = (folder / "b.csv").read_text()
    (folder / "b.csv").write_text("sex,ward,m\nF,1,1.5\n")
    with pytest.raises(SchemaError, match="site b: the table lacks the column 'height'"):
        fitted(folder)
    (folder / "b.csv").write_text(theirs)
    (folder / "site.yaml").write_text(SITE.replace("w: F", "w: female"))
    with pytest.raises(SchemaError, match=r"site b: .*site\.yaml:5:20: column 'sex': labels: 'w' stands for 'female'"):
        fitted(folder, mappings=[None, folder / "site.yaml", None])
    with pytest.raises(FederationError, match="3 sites have 3 names, 3 ledgers, 1 mappings"):
        fitted(folder, mappings=[None])
