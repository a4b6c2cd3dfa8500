"""What a coordinator's people see of a run: a site that shows no life is named before its deadline is over."""

from __future__ import annotations

from collections.abc import Mapping

from sfumato.federation.run_status import KeptProgress
from sfumato.results.plain import Json


class Seen:
    """Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def stage(self, name: str, total: int | None = None) -> None:
        self.told.append((name, total))

    def step(self, n: int = 1) -> None:
        self.told.append(n)

    def spent(self, epsilon: float) -> None:
        self.told.append(epsilon)


def test_a_silent_site_is_named_in_place_of_the_stage_until_it_is_back() -> None:
    seen, kept = Seen(), list[Mapping[str, Json]]()
    progress = KeptProgress(seen, kept.append, "0" * 64, 1.0)
    progress.stage("rounds", 5)
    progress.step(2)
    seen.told.clear()
    for _ in range(3):
        progress.silent({"east"})
    assert seen.told == [("no sign of life: east", None)], "once, however often it is looked"
    assert (kept[-1]["sites_lost"], kept[-1]["stage"], kept[-1]["step"]) == (["east"], "rounds", 2)
    progress.silent(set())
    assert seen.told[1:] == [("rounds", 5), 2]
    assert kept[-1]["sites_lost"] == []
    progress.silent({"east"})
    progress.lost({"east"})
    assert kept[-1]["sites_lost"] == ["east"], "what the call found stands"
