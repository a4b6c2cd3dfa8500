"""Code that a question may name: what is installed here, found by name. None ever comes with a question.

Models add theirs when ``sfumato.models`` is imported, as places that are imported when they are first asked for. A name
stands for one function for ever: who changes what it makes of a record gives it another name, so that two sites with
two versions never answer two questions as if they were one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import QuestionError, SfumatoError
from sfumato.trust.questions.packing import PublicArrays

if TYPE_CHECKING:
    from sfumato.privacy.dp_sgd import Objective  # imports jax, which models over marginals do without

Made = TypeVar("Made")
Builder: TypeAlias = Callable[[Domain, PublicArrays], Made]
"""(encoded columns, public arrays) -> what works on records; QuestionError where the arrays do not fit."""
Feature: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""Records (n, d) -> a vector of each (n, dimension); each record is treated alone."""
GroupedFeature: TypeAlias = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Records (n, d) -> a vector of each (n, dimension), and the group of each (n,), 0 .. groups - 1."""


class Installed(Generic[Made]):
    """Functions of one kind by name.

    Args:
        kind: what an error calls them.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._known: dict[str, str | Builder[Made]] = {}

    def add(self, name: str, code: str | Builder[Made]) -> None:
        """Install ``code``, or the place where it is, ``module:function``; ValueError for a name that is taken."""
        if self._known.setdefault(name, code) != code:
            raise ValueError(f"{self._kind} {name!r} is installed already")

    def names(self) -> tuple[str, ...]:
        """What is installed."""
        return tuple(sorted(self._known))

    def make(self, name: str, domain: Domain, arrays: PublicArrays) -> Made:
        """What works on records of ``domain``.

        Raises:
            QuestionError: nothing is installed under that name, what it needs is not, or the arrays do not fit it.
        """
        code = self._known.get(name)
        if code is None:
            raise QuestionError(
                f"{self._kind} {name!r} is not installed here: install the version of sfumato that the question is from"
            )
        try:
            return (_imported(code) if isinstance(code, str) else code)(domain, arrays)
        except ModuleNotFoundError as error:
            raise QuestionError(f"{self._kind} {name!r} needs {error.name}, which is not installed") from None
        except QuestionError:
            raise
        except SfumatoError as error:  # of a table where the code takes images, say
            raise QuestionError(f"{self._kind} {name!r}: {error}") from None


def _imported(place: str) -> Callable[..., Any]:
    module, _, function = place.partition(":")
    return getattr(import_module(module), function)


VECTORS: Installed[Feature] = Installed("feature")
"""Of a ``FeatureSum``."""
GROUPED: Installed[GroupedFeature] = Installed("grouped feature")
"""Of a ``Scatter``."""
OBJECTIVES: Installed[Objective] = Installed("recipe")
"""Of a ``Descent``."""


def fitting(given: PublicArrays, shapes: Mapping[str, tuple[int | None, ...]]) -> list[np.ndarray]:
    """Arrays by name, in the order of ``shapes``, which they must have; None stands for any length.

    Raises:
        QuestionError: one is missing, of another shape or no array of numbers, or there are more.
    """
    if set(given) != set(shapes):
        raise QuestionError(f"the arrays of this question must be {', '.join(shapes) or 'none'}")
    for name, shape in shapes.items():
        found = given[name].shape
        if len(found) != len(shape) or any(s not in (None, f) for s, f in zip(shape, found, strict=True)):
            wanted = " x ".join("any" if s is None else str(s) for s in shape)
            raise QuestionError(f"array {name!r} of this question has the shape {found}, and must be {wanted}")
    return [given[name] for name in shapes]
