"""One party's side of a training on shares: it gives its one-hots, and asks the engine for steps."""

from __future__ import annotations

import numpy as np

from sfumato.errors import EngineError
from sfumato.trust.mpc.counting import PARTIES, Codes
from sfumato.trust.mpc.encrypted.program import SharedColumns, TrainingPrograms
from sfumato.trust.mpc.encrypted.trial import check_inside, drawn_for
from sfumato.trust.mpc.engine.run_order import Keep, KeptSecret, OpenTo, OwnSecret, PeerSecret, PublicInput
from sfumato.trust.mpc.engine.session import EngineSession

_PARAMETERS, _PRESENT = "parameters", "present"
_ROWS = tuple(f"rows of {place}" for place in range(PARTIES))


class SharedTraining:
    """A training in a session.

    Args:
        session: of this party with the two others.
        columns: public.
        programs: as the plan names them.
        codes: this party's own, as the network sees them.
        start: first parameters, public: the party of rank 0 gives them, so that they are secret from then on.
        seed: of batches and noise.
        runs: how often steps are asked for.
        receiver: rank of the party that gets what the last of them leaves.

    *Formal guarantee.* None. Rows, gradients and parameters are shares of three until the receiver, which ``programs``
    and the order of runs name at all parties alike, gets the last parameters.
    """

    def __init__(
        self,
        session: EngineSession,
        columns: SharedColumns,
        programs: TrainingPrograms,
        codes: Codes,
        start: np.ndarray,
        seed: bytes,
        runs: int,
        receiver: int,
    ) -> None:
        self._session, self._columns, self._programs = session, columns, programs
        self._seed, self._runs, self._receiver = seed, runs, receiver
        self._rows = own_one_hots(columns, codes, session.rank)
        self._start, self._done = start, 0

    def share(self) -> None:
        """Share this party's one-hots, and the first parameters where it is the first."""
        rank = self._session.rank
        first = OwnSecret(self._start) if rank == 0 else PeerSecret(0)
        rows = [OwnSecret(self._rows) if place == rank else PeerSecret(place) for place in range(PARTIES)]
        names = (_PARAMETERS, *_ROWS, _PRESENT)
        self._session.run(self._programs.shared, [first, *rows], [Keep(name) for name in names])

    def step(self) -> np.ndarray | None:
        """Take the next steps; after the last ones, the parameters (numbers,) at the receiver.

        Raises:
            EngineError: a party is gone, or the training diverged.
        """
        who, drawn = drawn_for(self._columns, self._seed, self._done, self._columns.persons)
        kept = [KeptSecret(name) for name in (_PARAMETERS, *_ROWS, _PRESENT)]
        self._done += 1
        last = self._done == self._runs
        result = OpenTo(self._receiver) if last else Keep(_PARAMETERS)
        (found,) = self._session.run(self._programs.descended, [*kept, PublicInput(who), PublicInput(drawn)], [result])
        if found is not None:
            check_inside(found)
        return found


def own_one_hots(columns: SharedColumns, codes: Codes, place: int) -> np.ndarray:
    """(persons, width) float32 of a party's own codes; EngineError where a cell is no zero and no one.

    What a party shares is nowhere looked at again: a number in the place of a truth would drive the training off.
    """
    hot = codes.one_hots(columns.layout.sizes[place]).toarray().astype(np.float32)
    if hot.shape != (columns.persons, columns.layout.widths[place]) or not np.isin(hot, (0, 1)).all():
        raise EngineError("a party's one-hots are zeros and ones, a row for each person on the list")
    return hot
