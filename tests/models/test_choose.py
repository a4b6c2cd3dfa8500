"""The choice of a model: by public facts, with a reason."""

from __future__ import annotations

import inspect
import math

import pytest

from sfumato.encoding.domain import Axis, Domain, Pixels
from sfumato.errors import SfumatoError
from sfumato.models import MODELS, names
from sfumato.models.choose import MOST_FOR_AIM, MOST_JOINT, Choice, check_suits, check_width, choose, chosen
from sfumato.privacy.guarantee import Guarantee
from sfumato.schema.columns import Content

PROMISE = Guarantee(1.0, 1e-6)


def domain(columns: int) -> Domain:
    return Domain.of([f"c{i}" for i in range(columns)], [3] * columns)


@pytest.mark.parametrize(
    ("columns", "target", "name"),
    [
        (0, None, "independent"),
        (1, None, "independent"),
        (1, 0, "independent"),
        (2, None, "aim"),
        (2, 1, "aim"),
        (MOST_FOR_AIM, None, "aim"),
        (MOST_FOR_AIM + 1, None, "loglinear"),
        (300, 7, "loglinear"),
        (MOST_JOINT, None, "loglinear"),
        (MOST_JOINT + 1, None, "independent"),
    ],
)
def test_the_choice_follows_columns_and_target(columns: int, target: int | None, name: str) -> None:
    choice = choose(domain(columns), target, PROMISE)
    assert choice.name == name
    assert (choice.name, "table") in MODELS
    assert "\n" not in choice.why
    assert len(choice.why) > 20


def test_the_reason_names_the_target_and_the_promise() -> None:
    assert "'c2'" in choose(domain(5), 2, PROMISE).why
    assert "epsilon 1" in choose(domain(5), 2, PROMISE).why
    assert "no guarantee" in choose(domain(5), None, Guarantee(math.inf)).why


@pytest.mark.parametrize("target", [None, 16])
def test_images_get_a_model_of_images(target: int | None) -> None:
    pixels = Pixels(0, 4, 4, 1)
    pictured = Domain((*pixels.axes("image"), Axis("label", 10)), pixels)
    choice = choose(pictured, target, PROMISE)
    assert (choice.name, "images") in MODELS
    assert "4x4x1" in choice.why
    assert ("'label'" in choice.why) == (target is not None)


@pytest.mark.parametrize("name", [*names(), "auto"])
def test_a_model_by_name_is_refused_where_it_cannot_learn(name: str) -> None:
    contents: tuple[Content, ...] = ("table", "images")
    for content in contents:
        if name in (*names(content), "auto"):
            check_suits(name, content)
        else:
            with pytest.raises(SfumatoError, match=f"model '{name}' learns"):
                check_suits(name, content)


def test_a_name_that_no_model_has_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(SfumatoError, match="no model is called 'ctgan'; there are auto, aim, class-gaussian"):
        check_suits("ctgan", "table")


def test_only_public_facts_can_be_consulted() -> None:
    """The signature lets nothing in that has seen rows; the same facts give the same answer."""
    annotations = [p.annotation for p in inspect.signature(choose).parameters.values()]
    assert annotations == ["Domain", "int | None", "Guarantee"]
    assert choose(domain(9), 4, PROMISE) == choose(domain(9), 4, PROMISE)


def test_a_table_too_wide_for_dependence_is_refused_by_name() -> None:
    for name in ("aim", "loglinear", "mst", "vae"):
        check_width(name, MOST_JOINT)
        with pytest.raises(SfumatoError, match=f"'{name}' learns how up to 1,000 columns .* has 16,000.*'independent'"):
            check_width(name, 16_000)
    check_width("independent", 16_000)
    check_width("auto", 16_000)


def test_a_model_that_was_asked_for_is_the_choice() -> None:
    assert chosen("mst", domain(5), None, PROMISE) == Choice("mst", "asked for by name")
    assert chosen("auto", domain(5), None, PROMISE) == choose(domain(5), None, PROMISE)
