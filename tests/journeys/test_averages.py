"""A network that real sites train by averages: local steps at each, and what they changed in a secure sum."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.journeys.hospitals import Hospitals, hospitals

import sfumato as sf
from sfumato.privacy.events import PoissonSampledGaussian

pytestmark = pytest.mark.processes

FEW = """
from functools import partial
from sfumato.cli.main import main
from sfumato.models import vae

vae.Vae = partial(vae.Vae, warm_steps=4, steps=20)
main()
"""
"""The commands with a recipe of few steps; those of all sites are the same."""
LOCAL = 5
PATIENCE = 300
"""Seconds: every process compiles the steps."""


def test_three_processes_train_by_averages_under_the_label_that_they_have(tmp_path: Path) -> None:
    with hospitals(tmp_path, "vae", capacity=500, local_steps=LOCAL) as made:
        sites = [made.site(name, program=FEW) for name in made.names]
        coordinator = made.coordinator(program=FEW)
        assert coordinator.wait(PATIENCE) == 0, made.said("coordinator")
        assert [site.wait(PATIENCE) for site in sites] == [0, 0, 0], [made.said(n) for n in made.names]
    labelled(made)


def labelled(made: Hospitals) -> None:
    """The certificate says how it was trained, and each site paid for steps with noise of full strength."""
    found = sf.verify(made.folder / "model.sfm").certificate
    averaging = found.federation.averaging
    assert (averaging.local_steps, averaging.proximal, averaging.secure, averaging.level) == (LOCAL, 0, True, "record")
    (steps,) = [e for e in found.composition.events if isinstance(e, PoissonSampledGaussian)]
    assert steps.count == 20
    assert "trained by averages (FedAvg): 5 steps at each site" in str(found)
    assert all("Networks are trained by averages (FedAvg): 5 steps at your site" in made.said(n) for n in made.names)
