"""Rows outside the schema's facts: counted for the curator, without telling which, and paid for."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest

from sfumato.encoding.codec import Codec
from sfumato.privacy.events import DiscreteGaussian
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.schema import Schema
from sfumato.tables import Rows
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.gathering import gather

SCHEMA = """
sfumato: schema/1
unit: row
columns:
  age: {kind: integer, bounds: [0, 100], source: public, outside: clip}
  sex: {kind: category, categories: [M, F], source: public, outside: other}
"""


def setting(epsilon: float, run_of: Ledger) -> tuple[Central, Budget]:
    codec = Codec.from_schema(Schema.parse(SCHEMA, "schema.yaml"))
    rows = Rows.open(pa.table({"age": [5, 500, -3, 100] * 1000, "sex": ["M", "F", "X", "Y"] * 1000}))
    budget = Budget(run_of.begin(Guarantee(epsilon, 1e-6), "test"))
    return Central(gather(rows, codec, Silent()), budget), budget


def test_without_a_guarantee_the_count_is_exact() -> None:
    with Ledger.open(None, Guarantee(math.inf)) as ledger:
        central, budget = setting(math.inf, ledger)
        assert central.outside(budget.mu(0.005))() == (3000.0, 0.0)


def test_with_a_guarantee_it_is_noised_and_charged_for_one_record() -> None:
    with Ledger.open(None) as ledger:
        central, budget = setting(1.0, ledger)
        estimate, noise = central.outside(budget.mu(0.005))()
        (event,) = budget.run.events
        assert isinstance(event, DiscreteGaussian)
        assert event.sigma == noise
        assert event.sensitivity == 1  # a record outside in both columns counts once
        assert budget.remaining == pytest.approx(0.995, abs=1e-6)
        assert abs(estimate - 3000) < 8 * noise  # false alarm below 1e-14
        assert noise < 100
