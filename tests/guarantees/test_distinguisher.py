"""The observer of one step, short: nothing beyond the claim, and noise of 2^32 values is caught."""

from __future__ import annotations

from benchmarks.edges.distinguisher import figures


def test_last_bits_tell_nothing_and_planted_noise_is_caught() -> None:
    """A right build is accused with probability 5 % at most, were its bound tight; it is far below the claim."""
    right, broken = figures(200, 100_000)
    assert right["met"]
    assert right["value"] <= right["limit"]
    assert broken["met"], "the attack would not notice coarse values in the tails"
