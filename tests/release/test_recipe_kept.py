"""A fitted model knows its recipe, name and settings: saved, certified, verified, and fitted again from the file."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sfumato as sf
from sfumato.auditing import recipe as recipes
from sfumato.auditing.audit import white_box_of
from sfumato.models import MODELS, ModelEntry, settings_of
from sfumato.models.marginals.mst import Mst
from sfumato.models.settings import SettingsError
from sfumato.privacy.guarantee import Guarantee
from sfumato.release.artifact import Artifact
from sfumato.release.release import Release

OTHER = Mst(columns=0.5, choice=0.05, draws=500)
"""Not the settings that the recipe has by itself."""
Change = Callable[[dict[str, Any], dict[str, Any]], None]


@pytest.fixture(scope="module")
def adult() -> Any:
    return sf.examples.adult_test().arrow.select(["age", "sex", "income"])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, adult: Any) -> Path:
    """A model fitted with other settings than its recipe's own."""
    path = tmp_path_factory.mktemp("models") / "m.sfm"
    text = """\
sfumato: schema/1
unit: row
columns:
  age: {kind: integer, bounds: [17, 90], source: public}
  sex: {kind: category, categories: [Female, Male], source: public}
  income: {kind: category, categories: [<=50K, '>50K'], source: public}
"""
    ledger = sf.Ledger.open(None, Guarantee(9, 1e-5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModelEntry, "recipe", lambda self, settings=None: OTHER)
        synthesizer = sf.Synthesizer(sf.Schema.parse(text), "mst", Guarantee(3, 1e-6), ledger)
        synthesizer.fit(adult).save(path)
    return path


def edited(path: Path, into: Path, change: Change) -> Path:
    """The model with a change, its hashes made right again: a careful forger."""
    whole = Artifact.load(path)
    facts: Any = copy.deepcopy(dict(whole.model))
    certificate: Any = copy.deepcopy(dict(whole.certificate))
    change(facts, certificate)
    forged = replace(whole, model=facts)
    certificate["members"] = forged.hashes
    replace(forged, certificate=certificate).save(into)
    return into


def old(facts: dict[str, Any], certificate: dict[str, Any]) -> None:
    """As a version saved it that did not keep settings."""
    del facts["settings"]
    del certificate["algorithm"]["settings"]


def test_a_loaded_model_is_of_the_recipe_that_it_was_fitted_by(model: Path) -> None:
    loaded = sf.load(model)
    assert (loaded.model, loaded.settings) == ("mst", settings_of(OTHER))
    assert Release.load(model).recipe == OTHER != MODELS["mst", "table"].recipe()


def test_saving_a_loaded_model_changes_no_byte(model: Path, tmp_path: Path) -> None:
    sf.load(model).save(tmp_path / "again.sfm")
    assert (tmp_path / "again.sfm").read_bytes() == model.read_bytes()


def test_the_certificate_states_the_settings_and_verify_compares_them(model: Path, tmp_path: Path) -> None:
    found = sf.verify(model).certificate
    assert found.algorithm.settings == settings_of(OTHER)
    assert "settings    columns 0.5, choice 0.05, draws 500\n" in str(found)
    assert "columns 0.5" in found._repr_html_()
    for name, value in (("columns", 0.3), ("draws", 50_000), ("speed", 1)):

        def better(facts: dict[str, Any], certificate: dict[str, Any], name: str = name, value: Any = value) -> None:
            certificate["algorithm"]["settings"][name] = value

        with pytest.raises(sf.SfumatoError, match="'algorithm' says something else"):
            sf.verify(edited(model, tmp_path / "forged.sfm", better))


def audited(path: Path, rows: Any, **options: Any) -> Any:
    return sf.audit(rows.slice(0, 400), rows.slice(400, 400), rows.slice(800, 400), model=path, **options)


def test_an_audit_fits_the_recipe_of_the_file_again(model: Path, adult: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[Mst] = []
    fit = Mst.fit

    def noting(self: Mst, *args: Any, **options: Any) -> Any:
        fitted.append(self)
        return fit(self, *args, **options)

    monkeypatch.setattr(Mst, "fit", noting)
    monkeypatch.setattr(recipes, "_GAMES", {"marginals": 4_000})
    monkeypatch.setattr(recipes, "_SHADOWS", 20)
    audited(model, adult)
    twin = len(fitted)
    assert twin, "the overfitted twin is of the same recipe"
    audited(model, adult, recipe=True)
    assert len(fitted) > 2 * twin
    assert set(fitted) == {OTHER}


def test_a_model_without_settings_is_sampled_and_verified_but_not_fitted_again(
    model: Path, adult: Any, tmp_path: Path
) -> None:
    path = edited(model, tmp_path / "old.sfm", old)
    loaded = sf.load(path)
    assert loaded.settings is None
    assert len(loaded.sample(5)) == 5
    assert "  settings  " not in str(sf.verify(path).certificate)
    loaded.save(tmp_path / "again.sfm")
    assert (tmp_path / "again.sfm").read_bytes() == path.read_bytes()
    assert audited(path, adult).verdict
    with pytest.raises(sf.SfumatoError, match="without the settings of its recipe"):
        audited(path, adult, recipe=True)


NO_SETTINGS: dict[str, tuple[Any, str]] = {
    "no object": ([1], "no object"),
    "null": (None, "no object"),
    "too many": ({f"s{i}": 1 for i in range(100)}, "no object"),
    "nested": ({"draws": {"deep": 1}}, "no number or word"),
    "a truth": ({"draws": True}, "no number or word"),
    "a long text": ({"draws": "x" * 100}, "no number or word"),
    "a name that moves the cursor": ({"\x1b[2J": 1}, "is no name of a setting"),
}


@pytest.mark.parametrize("kind", NO_SETTINGS)
def test_what_are_no_settings_is_refused_when_a_model_is_loaded(model: Path, tmp_path: Path, kind: str) -> None:
    value, said = NO_SETTINGS[kind]
    path = edited(model, tmp_path / "forged.sfm", lambda facts, _: facts.update(settings=value))
    with pytest.raises(sf.SfumatoError, match=said) as refused:
        sf.load(path)
    assert str(refused.value).isprintable()


OTHERS: dict[str, tuple[Any, str]] = {
    "another's": ({"gradients": 0.5}, "'gradients' is no setting"),
    "a text": ({**settings_of(OTHER), "draws": "500"}, "another type"),
    "endless work": ({**settings_of(OTHER), "draws": 10**15}, "which is not"),
    "all of the budget": ({**settings_of(OTHER), "columns": 0.97}, "leave nothing"),
    "those of a version with fewer": ({"columns": 0.3}, "the settings of the recipe are columns, choice, draws"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_settings_that_the_recipe_has_not_are_sampled_with_but_never_fitted_again(
    model: Path, adult: Any, tmp_path: Path, kind: str
) -> None:
    value, said = OTHERS[kind]
    path = edited(model, tmp_path / "other.sfm", lambda facts, _: facts.update(settings=value))
    assert len(sf.load(path).sample(3)) == 3
    with pytest.raises(SettingsError, match=said):
        _ = Release.load(path).recipe
    assert white_box_of(Release.load(path), np.zeros((5, 3), np.uint8)) is not None


def test_an_audit_says_which_version_could_fit_the_recipe_again(model: Path, adult: Any, tmp_path: Path) -> None:
    path = edited(model, tmp_path / "other.sfm", lambda facts, _: facts.update(settings={"columns": 0.3}))
    with pytest.raises(sf.SfumatoError, match="take the version that fitted the model"):
        audited(path, adult, recipe=True)


def test_a_word_more_in_a_model_is_refused(model: Path, tmp_path: Path) -> None:
    path = edited(model, tmp_path / "forged.sfm", lambda facts, _: facts.update(note="trust me"))
    with pytest.raises(sf.SfumatoError, match="holds no model this version can use"):
        sf.load(path)


def test_the_file_states_the_settings_in_order(model: Path) -> None:
    assert list(Artifact.load(model).model) == ["name", "why", "settings", "promised", "facts"]
    assert json.dumps(Artifact.load(model).model["settings"]) == json.dumps(settings_of(OTHER))
    assert np.isfinite(list(settings_of(OTHER).values())).all()  # type: ignore[arg-type]
