"""What can be promised: a delta that is large is refused, or said; wider noise promises less."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from sfumato.errors import SfumatoError
from sfumato.privacy import gdp
from sfumato.privacy.guarantee import MOST_DELTA, MOST_EPSILON, Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.synthesizer import Synthesizer
from sfumato.tables import examples


def test_a_delta_of_a_hundredth_is_the_most_that_is_promised(tmp_path: Path) -> None:
    for refused in (lambda: Ledger.open(tmp_path / "l", Guarantee(1, 0.011)), lambda: begun(Guarantee(1, 0.011))):
        with pytest.raises(SfumatoError, match=r"delta 0.011: more than 0.01 promises nothing, .* one over the number"):
            refused()
    assert not (tmp_path / "l").exists()
    begun(Guarantee(1, MOST_DELTA))
    begun(Guarantee(math.inf, 0.5))


def test_an_epsilon_of_20_is_the_most_that_is_promised(tmp_path: Path) -> None:
    """Inexact samplers add (1 + e^epsilon) times their distance to delta, which is accounted up to there."""
    for refused in (
        lambda: Ledger.open(tmp_path / "l", Guarantee(20.1, 1e-6)),
        lambda: begun(Guarantee(20.1, 1e-6)),
        lambda: Synthesizer(examples.adult_schema(), guarantee=Guarantee(20.1, 1e-6)),
    ):
        with pytest.raises(SfumatoError, match=r"epsilon 20.1: a promise, or a cap on all runs, has at most 20"):
            refused()
    assert not (tmp_path / "l").exists()
    begun(Guarantee(MOST_EPSILON, 1e-6))
    begun(Guarantee(math.inf))


def test_a_ledger_of_an_older_version_with_a_larger_cap_is_refused(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "l", Guarantee(20, 1e-6))
    ledger._connection.execute("UPDATE cap SET epsilon = 50")
    with Ledger.open(tmp_path / "l") as older, pytest.raises(SfumatoError, match="epsilon 50: a promise, or a cap"):
        older.begin(Guarantee(1, 1e-6), "fit")


def begun(guarantee: Guarantee) -> None:
    Ledger.open(None).begin(guarantee, "fit")


def test_a_delta_that_allows_publishing_a_record_is_said() -> None:
    said = Guarantee(1, 1e-3).large_delta(1234.4)
    assert said is not None
    assert "about 1,234, a noisy number" in said
    assert Guarantee(1, 1e-3).large_delta(999) is None
    assert Guarantee(math.inf, 0.5).large_delta(999) is None


@pytest.mark.parametrize("times", [0.5, 1.0, 1.2247, 4.0])
def test_noise_so_many_times_as_wide_costs_so_much_less(times: float) -> None:
    promised = Guarantee(1, 1e-9, unit="person")
    wider = promised.with_noise(times)
    assert gdp.mu(wider.epsilon, wider.delta) == pytest.approx(gdp.mu(1, 1e-9) / times, rel=1e-9)
    assert (wider.delta, wider.unit) == (promised.delta, "person")
    assert not Guarantee(math.inf).with_noise(times).private
