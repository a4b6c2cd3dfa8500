"""The schemas that the benchmarks use are wholly public and fit the real tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sfumato.encoding.codec import Codec
from sfumato.schema import Schema
from sfumato.tables import Rows

SCHEMAS = Path(__file__).resolve().parents[2] / "benchmarks" / "schemas"


@pytest.mark.parametrize(
    ("schema", "table"),
    [
        ("nist_acs", "nist_acs/national2019.csv"),
        ("nist_acs", "nist_acs/ma2019.csv"),
        ("nafld_subjects", "nafld/subjects.csv"),
    ],
)
def test_all_facts_are_public_and_no_cell_lies_outside(shared_data: Path, schema: str, table: str) -> None:
    declared = Schema.load(SCHEMAS / f"{schema}.yaml")
    assert declared.unreviewed() == []
    assert declared.measured() == ()
    assert declared.target is not None
    codec = Codec.from_schema(declared)
    for batch in Rows.open(shared_data / table).batches():
        encoded = codec.encode_rows(batch)
        assert not encoded.outside.any()
        assert (encoded.codes.max(axis=0) < np.array(codec.domain.sizes)).all()
