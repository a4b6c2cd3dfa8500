"""The settings of a recipe: all of them are plain, saved, and read back or refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from sfumato.models import MODELS, settings_of
from sfumato.models.diffusion import Diffusion
from sfumato.models.images.class_mixture import ClassMixture
from sfumato.models.marginals.aim import Aim
from sfumato.models.marginals.independent import Independent
from sfumato.models.settings import SettingsError, check_settings, settings_in_words, with_settings
from sfumato.schema.columns import Content

AIM = dict(settings_of(Aim()))
WORDS = {"codes": "continuous", "usual": "shares"}
"""Another word for each that is a setting."""


@pytest.mark.parametrize(("name", "content"), list(MODELS))
def test_settings_of_each_recipe_come_back_from_json(name: str, content: Content) -> None:
    own: Any = MODELS[name, content].recipe()
    check_settings(own)
    stated = json.loads(json.dumps(settings_of(own)))
    assert MODELS[name, content].recipe(stated) == own
    for setting, value in stated.items():
        other = WORDS[value] if isinstance(value, str) else value + 1 if isinstance(value, int) else value / 2
        found: Any = MODELS[name, content].recipe({**stated, setting: other})
        assert found == replace(own, **{setting: other}), "each setting is read"
        assert found != own


def test_a_recipe_without_settings_states_none() -> None:
    assert settings_of(Independent()) == {}
    assert with_settings(Independent(), {}) == Independent()


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ([], "no object"),
        ({**AIM, "speed": 1}, "'speed' is no setting"),
        ({**AIM, "\x1b[2J": 1}, "is no name of a setting"),
        ({k: v for k, v in AIM.items() if k != "rounds"}, "in this order"),
        (dict(reversed(AIM.items())), "in this order"),
        ({**AIM, "rounds": 4.0}, "setting rounds: got 4.0, which is of another type"),
        ({**AIM, "rounds": True}, "no number or word"),
        ({**AIM, "rounds": None}, "no number or word"),
        ({**AIM, "select": 1}, "another type"),
        ({**AIM, "select": {"nested": 1}}, "no number or word"),
        ({**AIM, "rounds": 0}, "setting rounds: got 0, which is not 1 to 100000"),
        ({**AIM, "rounds": 10**9}, "which is not 1 to"),
        ({**AIM, "columns": -0.5}, "setting columns"),
        ({**AIM, "columns": float("nan")}, "setting columns"),
        ({**AIM, "target": float("inf")}, "setting target"),
        ({**AIM, "columns": 0.5, "with_target": 0.5}, "leave nothing"),
    ],
)
def test_settings_that_no_recipe_has_are_refused_in_one_line(stated: object, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        with_settings(Aim(), stated)
    assert said in str(refused.value)
    assert str(refused.value).isprintable()


def test_a_word_is_one_of_those_that_there_are() -> None:
    stated = {**settings_of(Diffusion()), "numbers": "real"}
    with pytest.raises(SettingsError, match="codes or continuous"):
        with_settings(Diffusion(), stated)


def test_shares_that_spend_the_budget_leave_nothing_for_the_last_question() -> None:
    with pytest.raises(SettingsError, match="leave nothing"):
        check_settings(ClassMixture(centre=0.5, directions=0.3, start=0.2))


def test_settings_in_words() -> None:
    settings = {"columns": 0.25, "rounds": 4, "numbers": "codes"}
    assert settings_in_words(settings) == "columns 0.25, rounds 4, numbers codes"
