"""The end of a run at the coordinator: who has not heard of it is told by the same command, and nothing is asked."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.journeys.hospitals import NAMES, Hospitals

from sfumato.errors import ArtifactError, FederationError
from sfumato.federation import coordinator
from sfumato.federation.coordinator import Federation
from sfumato.federation.coordinator_folder import Over
from sfumato.federation.reached import ReachedSites
from sfumato.federation.site_service import FINISH
from sfumato.progress import Progress
from sfumato.trust.federated.transport import Replies


class Stated(SimpleNamespace):
    """What stands for a certificate."""


class Told:
    """What stands for the sites: those that are asked for are there, and ``deaf`` ones do not answer."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []
        self.deaf: set[str] = set()
        self.signed: dict[str, bytes] = {}
        self.saved: list[Path] = []

    def connect(self, reached: ReachedSites, progress: Progress, names: Sequence[str] = ()) -> None:
        self.asked.append(tuple(names))
        reached._names = list(names)
        reached._transport = SimpleNamespace(call=self.call)  # type: ignore[assignment]

    def call(self, method: str, requests: dict[int, bytes], deadline: float) -> Replies:
        assert method == FINISH
        names = self.asked[-1]
        return Replies({place: b"signed" for place in requests if names[place] not in self.deaf})

    def keep(self, model: object, given: dict[str, bytes]) -> tuple[str, ...]:
        self.signed.update(given)
        return tuple(name for name in NAMES if name in self.signed)


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A coordinator's folder with a plan; to be copied."""
    return Hospitals(tmp_path_factory.mktemp("planned")).folder / "co"


@pytest.fixture
def federation(planned: Path, tmp_path: Path) -> Federation:
    return Federation(shutil.copytree(planned, tmp_path / "co"))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, federation: Federation) -> Told:
    """The sites, and a model of the plan wherever one is looked for, but at ``none.sfm``."""
    made = Told()
    monkeypatch.setattr(ReachedSites, "connect", lambda *arguments, **more: made.connect(*arguments, **more))
    monkeypatch.setattr(coordinator, "Certificate", Stated)
    plan = federation.plan.digest.hex()

    def load(path: Path) -> SimpleNamespace:
        if path.name == "none.sfm":
            raise ArtifactError("no such file")
        sites = Stated(plan="0" * 64 if path.name == "other.sfm" else plan)
        certificate = Stated(federation=sites, to_dict=dict)
        return SimpleNamespace(certificate=certificate, path=path, save=made.saved.append)

    monkeypatch.setattr(coordinator, "load", load)
    monkeypatch.setattr(coordinator, "keep_certified", made.keep)
    return made


def test_who_has_not_heard_of_the_end_is_told_by_the_same_command(federation, told, tmp_path):
    model = tmp_path / "model.sfm"
    federation._folder.keep_over(Over(model, NAMES))
    told.deaf = {"east"}
    assert federation.fit(model).path == model
    assert federation.untold == ("east",)
    assert federation.status()["sites_certified"] == ["north", "west"]
    told.deaf = set()
    federation.fit(model)
    assert told.asked == [NAMES, ("east",)]
    assert told.signed == dict.fromkeys(NAMES, b"signed")
    assert told.saved == [model, model]
    assert federation.untold == ()
    assert federation.status()["stage"] == "done"
    with pytest.raises(FederationError, match="has been carried out, and its model is"):
        federation.fit(model)


def test_the_model_of_a_plan_that_was_carried_out_lies_at_one_place(federation, told, tmp_path):
    federation._folder.keep_over(Over(tmp_path / "model.sfm", ("east",)))
    with pytest.raises(FederationError, match="has been carried out, and its model is"):
        federation.fit(tmp_path / "elsewhere.sfm")
    assert told.asked == []


@pytest.mark.parametrize("name", ["none.sfm", "other.sfm"])
def test_a_run_that_ended_before_its_model_was_saved_is_not_over(federation, told, tmp_path, name):
    """What lies at that place is nothing yet, or an older model of another plan."""
    federation._folder.keep_over(Over(tmp_path / name, NAMES))
    assert federation.untold == ()
    assert federation._over() is None
