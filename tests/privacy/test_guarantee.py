"""A promise whose delta is large: refused, or said."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from sfumato.errors import SfumatoError
from sfumato.privacy.guarantee import MOST_DELTA, Guarantee
from sfumato.privacy.ledger import Ledger


def test_a_delta_of_a_hundredth_is_the_most_that_is_promised(tmp_path: Path) -> None:
    for refused in (lambda: Ledger.open(tmp_path / "l", Guarantee(1, 0.011)), lambda: begun(Guarantee(1, 0.011))):
        with pytest.raises(SfumatoError, match=r"delta 0.011: more than 0.01 promises nothing, .* one over the number"):
            refused()
    assert not (tmp_path / "l").exists()
    begun(Guarantee(1, MOST_DELTA))
    begun(Guarantee(math.inf, 0.5))


def begun(guarantee: Guarantee) -> None:
    Ledger.open(None).begin(guarantee, "fit")


def test_a_delta_that_allows_publishing_a_record_is_said() -> None:
    said = Guarantee(1, 1e-3).large_delta(1234.4)
    assert said is not None
    assert "about 1,234, a noisy number" in said
    assert Guarantee(1, 1e-3).large_delta(999) is None
    assert Guarantee(math.inf, 0.5).large_delta(999) is None
