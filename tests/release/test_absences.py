"""A certificate names the sites that were missing, and what it says of them must be possible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.release.signed_model import SignedModel, resealed, signed_model
from tests.trust.federated.test_attendance import MissingAt
from tests.trust.federation import LostAt

import sfumato as sf
from sfumato.errors import CertificateError
from sfumato.release.absences import StatedAbsence


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SignedModel:
    """Four sites: one was missing once and came back, another is lost in the last round."""
    folder = tmp_path_factory.mktemp("missed")
    there = ("north", "east", "west")
    return signed_model(
        folder,
        4,
        lost=1,
        certified=there,
        wrap=lambda all_: [all_[0], MissingAt(all_[1], "masked", 1), all_[2], LostAt(all_[3], "masked", 3)],
    )


def test_lost_and_returned_sites_are_named(made: SignedModel) -> None:
    found = sf.verify(made.path, sites=made.told)
    stated = found.certificate.federation
    assert stated is not None
    assert [a.to_dict() for a in stated.absences] == [
        {"site": "east", "times": 1, "round": 1, "stage": "vector", "returned": 2},
        {"site": "site-3", "times": 1, "round": 3, "stage": "vector", "returned": None},
    ]
    said = str(found.certificate)
    assert "Site east was missing once, in round 1, where it did not send its sum, and was back in round 2." in said
    assert "Site site-3 was missing once, in round 3, where it did not send its sum, and did not come back." in said
    assert "is not covered by the promise" in said
    assert [s.certified for s in found.sites] == [True, True, True, False]
    assert "site site-3 signed the plan, not this certificate" in str(found)


def stated(**facts: Any) -> Any:
    def change(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
        sites["certified"] = {}
        certificate["federation"]["absences"][0].update(facts)

    return change


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"site": "south"}, "misses a site that is none of its own"),
        ({"site": "site-3"}, "or one twice"),
        ({"round": 2, "returned": 1}, "none can be missing"),
        ({"round": 0}, "none can be missing"),
        ({"times": 0}, "none can be missing"),
        ({"returned": 10**6}, "had more rounds than the plan"),
    ],
)
def test_an_absence_that_cannot_be_is_refused(made: SignedModel, tmp_path: Path, facts: Any, says: str) -> None:
    resealed(made.artifact, stated(**facts)).save(tmp_path / "forged.sfm")
    with pytest.raises(CertificateError, match=says):
        sf.verify(tmp_path / "forged.sfm")


def test_an_absence_from_a_stage_that_no_round_has_is_refused() -> None:
    with pytest.raises(CertificateError, match="none can be missing"):
        StatedAbsence(site="east", times=1, round=1, stage="lunch", returned=None).check()


def test_an_absence_that_is_kept_back_is_one_that_no_site_certified(made: SignedModel, tmp_path: Path) -> None:
    """Who takes a site's absence out of a finished certificate breaks the signatures of all that were there."""

    def change(certificate: dict[str, Any], model: dict[str, Any], sites: dict[str, Any]) -> None:
        certificate["federation"]["absences"] = []

    resealed(made.artifact, change).save(tmp_path / "forged.sfm")
    with pytest.raises(CertificateError, match="signature of site north does not fit the certificate"):
        sf.verify(tmp_path / "forged.sfm")
