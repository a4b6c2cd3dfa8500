"""The settings of a recipe: the fields of its dataclass, saved beside what was fitted with them, and read back.

Saved settings are input that nobody vouches for. A model whose settings are no plain values is refused; a recipe is
made of them only where they are what saving it would write. So a model of another version can be sampled all the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import TypeAlias, TypeVar

from sfumato.printable import printable
from sfumato.results.plain import Json

Settings: TypeAlias = Mapping[str, float | int | str]
"""The value of each setting by its name, in the order of the recipe's fields."""
Recipe = TypeVar("Recipe")
Value = TypeVar("Value", int, float, str)

LEAST = 1e-3
"""Of a share: with less nothing is learnt, and noise has no end."""
MOST = 100_000
"""Of what is counted, steps or draws: more than any recipe takes by itself, and few enough for a fit to end."""
_LARGEST = 1e9
"""Of a factor: beyond it no recipe differs from one with this."""
_LONGEST = 60
"""Letters of a name or value that an error repeats."""
_MOST_SETTINGS = 64
"""Of a recipe: several times as many as the largest has."""
_RANGE = "range"
USUAL, SHARES = "usual", "shares"
"""Forms of the networks of tables: the second is for rows that are secret shares, and learns in the open too."""


class SettingsError(ValueError):
    """Settings that no recipe has; the text is for the user."""


@dataclass(frozen=True)
class Range:
    """What a setting may be: a number from ``low`` to ``high``, or one of ``words``; ``shared``: out of one budget."""

    low: float = 0.0
    high: float = 1.0
    words: tuple[str, ...] = ()
    shared: bool = False

    def holds(self, value: float | str) -> bool:
        """Whether a setting may be ``value``."""
        return value in self.words if isinstance(value, str) else self.low <= value <= self.high


def share(default: float) -> float:
    """A setting: a share of the whole budget; those of a recipe leave some of it for what is asked last."""
    return _setting(default, Range(LEAST, 1 - LEAST, shared=True))


def part(default: float) -> float:
    """A setting: a part of something else that leaves some of it."""
    return _setting(default, Range(LEAST, 1 - LEAST))


def none_to_all(default: float) -> float:
    """A setting: a share of the budget from none to all of it, the rest being for one other thing."""
    return _setting(default, Range())


def count(default: int, least: int = 1) -> int:
    """A setting: a number of steps or things, at least ``least``."""
    return _setting(default, Range(least, MOST))


def factor(default: float) -> float:
    """A setting: a positive number."""
    return _setting(default, Range(1 / _LARGEST, _LARGEST))


def word(default: str, *others: str) -> str:
    """A setting: one of several words."""
    return _setting(default, Range(words=(default, *others)))


def settings_of(recipe: object) -> Settings:
    """The settings of a recipe, as they are saved."""
    return {name: getattr(recipe, name) for name in _ranges(recipe)}


def check_settings(recipe: object) -> None:
    """SettingsError where a setting of ``recipe`` is out of its range."""
    ranges, settings = _ranges(recipe), settings_of(recipe)
    for name, value in settings.items():
        if not ranges[name].holds(value):
            allowed = ranges[name].words or (f"{ranges[name].low:g} to {ranges[name].high:g}",)
            raise SettingsError(f"setting {name}: got {_short(value)}, which is not {' or '.join(allowed)}")
    spent = sum(float(settings[name]) for name, allowed in ranges.items() if allowed.shared)
    if spent > 1 - LEAST:
        raise SettingsError(f"the settings spend {spent:g} of the budget, and leave nothing for the last question")


def plain_settings(stated: object) -> Settings:
    """Settings as read from a saved model, of this version or another; SettingsError where they are no plain values."""
    if not isinstance(stated, Mapping) or len(stated) > _MOST_SETTINGS:
        raise SettingsError(f"the settings of the recipe are no object of up to {_MOST_SETTINGS} values")
    for name, value in stated.items():
        if not (name.isidentifier() and len(name) <= _LONGEST):
            raise SettingsError(f"{_short(name)} is no name of a setting")
        if type(value) not in (int, float, str) or len(str(value)) > _LONGEST:
            raise SettingsError(f"setting {name}: got {_short(value)}, which is no number or word")
    return stated


def with_settings(own: Recipe, stated: object) -> Recipe:
    """The recipe ``own`` with the ``stated`` settings instead of its own.

    Raises:
        SettingsError: they are not all of its settings and no others, in its order, or one has another type or range.
    """
    known, stated = settings_of(own), plain_settings(stated)
    unknown = next((name for name in stated if name not in known), None)
    if unknown is not None:
        raise SettingsError(f"{_short(unknown)} is no setting of the recipe in this version")
    if list(stated) != list(known):
        raise SettingsError(f"the settings of the recipe are {', '.join(known)}, in this order")
    odd = next((name for name, value in stated.items() if type(value) is not type(known[name])), None)
    if odd is not None:
        raise SettingsError(f"setting {odd}: got {_short(stated[odd])}, which is of another type")
    recipe = replace(own, **stated) if stated else own  # pyright: ignore[reportArgumentType] - it has settings
    check_settings(recipe)
    return recipe


def settings_in_words(settings: Mapping[str, Json]) -> str:
    """One line for people, such as ``columns 0.25, rounds 4``."""
    return ", ".join(f"{name} {v if isinstance(v, str) else json.dumps(v)}" for name, v in settings.items())


def _short(value: object) -> str:
    return printable(repr(value))[:_LONGEST]


def _setting(default: Value, allowed: Range) -> Value:
    return field(default=default, metadata={_RANGE: allowed})


def _ranges(recipe: object) -> dict[str, Range]:
    """The settings of a recipe and what each may be."""
    return {f.name: f.metadata[_RANGE] for f in fields(recipe)} if is_dataclass(recipe) else {}
