"""The question of a local run: train on your own records from these parameters on, and tell how they changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import QuestionError
from sfumato.privacy.events import MOST
from sfumato.results.plain import Json
from sfumato.trust.questions.gradients import is_digest
from sfumato.trust.questions.packing import PublicArrays, Unpacked, frozen
from sfumato.trust.questions.question import Question


@dataclass(frozen=True, eq=False)
class LocalRun(Question):
    """Some steps of training at a site by itself, from public parameters (FedAvg; McMahan et al. 2017).

    Attributes:
        training: digest of the averaged training that it belongs to; whoever does not know it refuses.
        number: of the run, from 0 on.
        parameters: (numbers,) float32, in the order of ``Objective.flat``: where every site begins.
        pull: (numbers,) float32 that is added to the gradient of each step: what the rest of the loss, which needs no
            record, asks for at ``parameters``. Empty: there is no such rest.
    """

    training: str
    number: int
    parameters: np.ndarray
    pull: np.ndarray

    kind = "local run"

    def __post_init__(self) -> None:
        if not is_digest(self.training):
            raise QuestionError("a local run names its training by 64 hexadecimal digits")
        if type(self.number) is not int or not 0 <= self.number < MOST:
            raise QuestionError(f"the number of a local run lies between 0 and {MOST - 1}, not at {self.number!r}")
        given = frozen({"parameters": self.parameters, "pull": self.pull})
        if any(array.dtype.str != "<f4" or array.ndim != 1 for array in given.values()):
            raise QuestionError("parameters and pull of a local run are each one row of single-precision numbers")
        if len(given["pull"]) not in (0, len(given["parameters"])):
            raise QuestionError("the pull of a local run is empty, or has a number for each parameter")
        for name, array in given.items():
            object.__setattr__(self, name, array)

    def contents(self) -> tuple[dict[str, Json], PublicArrays]:
        """See ``Question``."""
        arrays = {"parameters": self.parameters, "pull": self.pull}
        return {"training": self.training, "number": self.number}, arrays

    @classmethod
    def of(cls, found: Unpacked) -> Self:
        """See ``Question``."""
        parameters, pull = found.array("parameters", "<f4"), found.array("pull", "<f4")
        return cls(found.text("training"), found.whole("number"), parameters, pull)

    def words(self, names: Sequence[str] | None = None) -> str:
        """See ``Question``."""
        return (
            f"run {self.number + 1} of the averaged training {self.training[:12]}: how {len(self.parameters)} given"
            " parameters change in some steps on the site's own records"
        )

    def check(self, domain: Domain) -> None:
        """Whether it fits is told by its training, see ``trust.federated.local_runs``."""
