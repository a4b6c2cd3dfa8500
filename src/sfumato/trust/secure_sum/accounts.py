"""A site's own account: what it charges, durably, before anything of a round leaves it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sfumato.errors import FederationError
from sfumato.privacy.events import Event
from sfumato.privacy.ledger import Run
from sfumato.privacy.randomness import Entropy
from sfumato.trust.secure_sum.numbered_site import NumberedSite
from sfumato.trust.secure_sum.prepaid import PrepaidSteps, Training
from sfumato.trust.secure_sum.terms import RoundNumber, SumTerms


class SiteAccount:
    """One site's account of one plan, over a run of its own ledger; it outlives the site object of each set-up.

    *Formal guarantee.* The site decides by its own ledger: its cap is a valid filter for whatever the coordinator asks
    after seeing answers (``Run.charge``). Each number is noted, and paid for, on disk before its vector exists, and
    neither is ever taken back: a retry has a new number and a charge of its own, and a crash between the two wastes a
    number or a charge, and answers nothing. So what the ledger holds is never less than what left the site.

    Args:
        run: of the site's ledger, begun (or resumed) for the plan.
        terms: of the plan.
        place: of the site in its roster.
        prepaid: file in which the steps that are prepaid outlive this object; None: nowhere.
    """

    def __init__(self, run: Run, terms: SumTerms, place: int, prepaid: Path | None = None) -> None:
        self._run, self._terms, self._place = run, terms, place
        self._steps = PrepaidSteps(run, prepaid)
        self._lock = threading.RLock()  # a coordinator may ask twice at once: a number is used by one of the calls
        self.answered: dict[int, int] = {place: run.steps}
        """By place, how many numbers of the plan each site was seen to have used: give it to every ``NumberedSite``."""

    def prepay_steps(self, step: Training, needed: int, spare: int) -> None:
        """Have ``needed`` steps of a training paid for, each of which is a ``step`` and has a number of its own.

        A ``step`` is all that a number is used for: its ``count`` is more than one where a site takes several by
        itself. Where fewer are left of what was paid for, also in an earlier process, the rest is charged, and
        ``spare`` more for attempts that fail: whole, before the first of them. Steps of one kind cost the same,
        whatever is asked in them, so it does not matter which training they were paid for. What is not used is not
        given back.
        """
        with self._lock:
            left = self._steps.left(step)
            if left < needed:
                missing = needed + spare - left
                self._run.charge(replace(step, count=missing * step.count))
                self._steps.add(step, missing)

    def prepay_whole(self, whole: Event, step: Training, steps: int) -> None:
        """Have a training paid for by one event, whole, and so many of its steps taken off it, each a ``step``."""
        with self._lock:
            self._run.charge(whole)
            self._steps.add(step, steps)

    def charge(self, number: RoundNumber, events: Sequence[Event] = (), training: Event | None = None) -> None:
        """Note ``number`` as used, then charge ``events`` for it, or take it off what was prepaid for ``training``.

        Raises FederationError for a number that was used or passed over, or when nothing is left of what was prepaid;
        Overdraft when the run's guarantee or the ledger's cap does not cover it. The number is used then, all the same.
        """
        used = self._terms.slot(number) + 1
        with self._lock:
            if used <= self._run.steps:
                raise FederationError(f"{number}: the ledger says that it was used, or passed over; take a new attempt")
            self._run.begin_steps(used)
            self.answered[self._place] = used
            if training is not None:
                self._take(number, training)
            elif not events and self._run.guarantee.private:
                raise FederationError(f"{number}: under a guarantee every answer has an event; none was given")
            self._run.charge(*events)

    def answer(
        self,
        site: NumberedSite,
        number: RoundNumber,
        subject: bytes,
        noised: Callable[[Entropy], np.ndarray],
        events: Sequence[Event] = (),
        training: Event | None = None,
    ) -> bytes:
        """Charge, then make the vector by ``noised``, which draws from the entropy given, then hide it.

        ``noised`` reads rows and adds the site's share of the noise (``noise``); it runs only if all is paid for.
        """
        with self._lock:
            self.charge(number, events, training)
            return site.masked(number, subject, noised(site.entropy(number, subject)))

    def _take(self, number: RoundNumber, training: Event) -> None:
        if not self._steps.take(training):
            raise FederationError(f"{number}: nothing is left of what was prepaid for its training; charge more steps")
