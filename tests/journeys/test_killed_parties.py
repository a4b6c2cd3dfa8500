"""A party that is killed while it deals its masked one-hots, by a signal that nobody can catch."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.journeys.conftest import Done
from tests.journeys.hospitals import PATIENCE
from tests.journeys.test_killed_sites import DEADLINE, GONE, HALTING, at, kill
from tests.journeys.test_parties import PERSONS, parties

import sfumato as sf

pytestmark = pytest.mark.processes


def test_a_party_that_is_killed_while_it_deals_stops_the_run_and_the_next_goes_on(
    tmp_path: Path, run: Callable[..., Done]
) -> None:
    with parties(tmp_path, run) as made:
        sites = {name: made.site(name) for name in made.names if name != "insurer"}
        insurer = made.site("insurer", program=HALTING, told=["deal 1"])
        receiver = made.coordinator(*DEADLINE)
        at(made, "insurer", insurer, "deal 1")
        kill(insurer)
        assert receiver.wait(PATIENCE) == 2, made.said("coordinator")
        assert re.search(f"sfumato: site insurer does not take part: {GONE}\n$", made.said("coordinator"))
        assert not (tmp_path / "model.sfm").exists()
        paid = {name: made.charged(name)[1] for name in made.names}
        assert len(set(paid.values())) == 1, paid  # tables of a party's own columns, before anything was dealt
        sites["insurer"] = made.site("insurer")
        receiver = made.coordinator(*DEADLINE)
        assert receiver.wait(PATIENCE) == 0, made.said("coordinator")
        assert [site.wait(PATIENCE) for site in sites.values()] == [0, 0, 0], [made.said(n) for n in made.names]
    events = len(sf.verify(tmp_path / "model.sfm").certificate.composition.events)
    assert {made.charged(name) for name in made.names} == {("closed", events)}
    assert 0 < paid["insurer"] < events, "what was opened before is not asked again"
    assert abs(sf.load(tmp_path / "model.sfm").default_rows - len(PERSONS)) < 100
