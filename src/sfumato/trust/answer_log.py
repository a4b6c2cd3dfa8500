"""Answers of a run, kept as they were given, so that an interrupted fit asks nothing twice when it goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from sfumato.atomic import atomic_write
from sfumato.errors import CheckpointError, OutputError
from sfumato.outputs import KEPT, check_output
from sfumato.results.plain import Json

_ANSWERS, _TRAINING = "answers.safetensors", "training.safetensors"
_OWNER_ONLY = 0o700
"""Mode of the folders: answers are public once they are in a model, and not before."""
_HEAD = "journal"
"""Under which the file of answers says what it is: a public format, which older versions wrote too."""


class AnswerLog:
    """A folder with the noised answers of one run, in order, and the state of its training.

    Every question is identified by a digest of its public parameters. A fit that goes on asks the same questions in
    the same order, because all that it does in between follows from the answers.

    Attributes:
        folder: where it is; its owner alone may read it.
        run: number of the run in its ledger.
        data: what tells the rows from others, in public facts.
        training: where a training keeps its checkpoint.

    *Formal guarantee.* Holds answers only, each charged before it was made. An answer is on disk before it is given, so
    one that is missing here was never seen: it may be made again, with fresh noise, for the charge that already stands.
    This takes a folder that only grows: an older copy is refused but for the last answer, which would be drawn twice.
    """

    def __init__(
        self,
        folder: Path,
        facts: str,
        run: int,
        entries: list[tuple[str, int, np.ndarray]],
        data: Mapping[str, Json] | None = None,
    ) -> None:
        self.folder, self._facts, self.run, self._entries = folder, facts, run, entries
        self.data = dict(data or {})
        self._next = 0
        self.training = folder / _TRAINING

    @classmethod
    def begin(
        cls, folder: Path, facts: Mapping[str, Json], run: int, data: Mapping[str, Json] | None = None
    ) -> AnswerLog:
        """A new one in ``folder``, which is made; OutputError where that fails, or a file of its names is of no fit.

        ``facts`` are public: what the fit was asked for. So is ``data``: the name of the rows, never their content.
        """
        for name in (_ANSWERS, _TRAINING):
            check_output(folder / name, KEPT)
        try:
            for part in (folder.parent, folder):
                part.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
            (folder / _TRAINING).unlink(missing_ok=True)  # of a fit whose answers were deleted
        except OSError as error:
            raise OutputError(f"cannot make the folder {folder}: {error.strerror}") from None
        answer_log = cls(folder, _digest(facts), run, [], data)
        answer_log._write()
        return answer_log

    @classmethod
    def find(cls, folder: Path, facts: Mapping[str, Json]) -> AnswerLog | None:
        """The one in ``folder``, or None; CheckpointError when it is damaged or of a fit of something else."""
        path = folder / _ANSWERS
        if not path.exists():
            return None
        try:
            with safe_open(path, "numpy") as file:
                head = json.loads(file.metadata()[_HEAD])
                asked = [(str(digest), int(cost)) for digest, cost in head["questions"]]
                entries = [(*q, file.get_tensor(str(i))) for i, q in enumerate(asked)]
                found, run, data = head["facts"], int(head["run"]), dict(head["data"])
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            raise CheckpointError(f"{folder} holds no checkpoint that can be read; delete it to begin anew") from None
        if found != _digest(facts):
            raise CheckpointError(
                f"{folder} is the checkpoint of a fit with another schema, model, guarantee or version of sfumato: give"
                " the same again, or name another folder"
            )
        return cls(folder, found, run, entries, data)

    @classmethod
    def matching(cls, root: Path, facts: Mapping[str, Json], data: Mapping[str, Json]) -> Iterator[AnswerLog]:
        """Those in folders of ``root`` that were kept by the same fit of the same rows, the newest first.

        Others, and damaged ones, are passed over: they stay for who names them.
        """
        for folder in sorted((p for p in root.glob("run-*") if p.is_dir()), key=_number, reverse=True):
            with suppress(CheckpointError):
                found = cls.find(folder, facts)
                if found is not None and found.data == dict(data):
                    yield found

    @property
    def charges(self) -> int:
        """How many events the kept answers cost."""
        return sum(cost for _, cost, _ in self._entries)

    def recall(self, question: Json, cost: int) -> np.ndarray | None:
        """The answer to the next question if it was given before, at the cost of so many events."""
        if self._next == len(self._entries):
            return None
        digest, paid, answer = self._entries[self._next]
        if (digest, paid) != (_digest(question), cost):
            raise CheckpointError(
                f"the fit that {self.folder} was kept by asked other questions; delete the folder to begin anew"
            )
        self._next += 1
        return answer

    def keep(self, question: Json, cost: int, answer: np.ndarray) -> None:
        """Write the answer to disk; only then may it be given."""
        self._entries.append((_digest(question), cost, answer))
        self._next = len(self._entries)
        self._write()

    def remove(self) -> None:
        """Delete the files, after the model is saved, and the folder if nothing else is in it."""
        for name in (_ANSWERS, _TRAINING):
            (self.folder / name).unlink(missing_ok=True)
            for part in self.folder.glob(f".{name}.*.part"):  # of a process that was killed while it wrote
                part.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()
            if self.folder.name == f"run-{self.run}":  # that of all fits over a ledger, once it is empty
                self.folder.parent.rmdir()

    def _write(self) -> None:
        head = {
            "facts": self._facts,
            "run": self.run,
            "data": self.data,
            "questions": [(d, c) for d, c, _ in self._entries],
        }
        arrays = {str(i): np.array(answer, order="C") for i, (_, _, answer) in enumerate(self._entries)}
        with atomic_write(self.folder / _ANSWERS, KEPT) as file:
            file.write(save(arrays, {_HEAD: json.dumps(head)}))


def _number(folder: Path) -> int:
    number = folder.name.removeprefix("run-")
    return int(number) if number.isdecimal() else 0


def _digest(facts: Json) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
