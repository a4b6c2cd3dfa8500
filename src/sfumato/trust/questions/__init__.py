"""Questions as values: what is asked of records can be written, read, priced, refused, replayed and listed.

A question is a name and public numbers and arrays. Nothing in it can be called: what works on records is found by name
among the code that is installed where the records are (``installed``). The same values go to a curator
(``trust.central``), across a wire, into the log of answers and into the replay audit.

``Count``, ``Marginals``, ``FeatureSum`` and ``Scatter`` are sums over records in whole numbers. Whoever answers one

1. reads it: ``question = from_bytes(data)``, ``question.check(domain)``; whatever is wrong is a ``QuestionError``;
2. prices it, from the question alone: ``price = question.price(mu, max_rows)``, one ``mu`` for each part; the price
   holds the events to charge and the scale of each part's noise. ``question.events(mu, max_rows)`` are the events. An
   infinite cost is an answer without noise, for a run without a guarantee: any other refuses it (``Budget.check``);
3. charges;
4. adds: ``whole = summing.exact(question, records)``, int64 (``question.values(domain)``,), rounded record by record
   inside the sensitivity, and no noise yet;
5. adds noise: ``noising.noised(question, whole, price.scales, domain)``. The noise of a number is the scale of its
   part over its weight, ``question.weights()``. Where k sites each add a share, each gives smaller scales here, and
   the charges are another matter: a sum of shares is no discrete Gaussian;
6. opens the sum: ``question.answer(whole, price, domain)``, which is public. A whole number stands for
   ``question.step``.

``Marginals.through(recode)`` asks for tables of coarser codes where the finer ones are. ``Distances`` and ``Selection``
compare tables with public estimates; they are asked of parties, who do so on shares.

DP-SGD is asked for by a ``Descent``, which fixes recipe, rate, clipping, noise and grid, and then by one
``GradientStep`` after the other; ``trust.steps`` plans the one and answers the others. Sites that train by themselves
between averages are asked for one ``LocalRun`` after the other (``trust.federated.local_runs``).

``str(question)`` and ``question.words(names)`` say it in plain words; ``question.to_bytes()`` and
``question.digest`` are the same for equal questions, and only for these.
"""

from __future__ import annotations

from sfumato.errors import QuestionError
from sfumato.trust.questions.comparisons import Distances as Distances
from sfumato.trust.questions.comparisons import Selection as Selection
from sfumato.trust.questions.counts import Count as Count
from sfumato.trust.questions.counts import Marginals as Marginals
from sfumato.trust.questions.counts import Measurement as Measurement
from sfumato.trust.questions.counts import Query as Query
from sfumato.trust.questions.gradients import Descent as Descent
from sfumato.trust.questions.gradients import GradientStep as GradientStep
from sfumato.trust.questions.installed import GROUPED as GROUPED
from sfumato.trust.questions.installed import OBJECTIVES as OBJECTIVES
from sfumato.trust.questions.installed import VECTORS as VECTORS
from sfumato.trust.questions.installed import Feature as Feature
from sfumato.trust.questions.installed import GroupedFeature as GroupedFeature
from sfumato.trust.questions.installed import fitting as fitting
from sfumato.trust.questions.local_runs import LocalRun as LocalRun
from sfumato.trust.questions.packing import MOST_BYTES as MOST_BYTES
from sfumato.trust.questions.packing import PublicArrays as PublicArrays
from sfumato.trust.questions.packing import unpacked
from sfumato.trust.questions.question import Answer as Answer
from sfumato.trust.questions.question import Price as Price
from sfumato.trust.questions.question import Question as Question
from sfumato.trust.questions.question import SumQuestion as SumQuestion
from sfumato.trust.questions.vectors import FeatureSum as FeatureSum
from sfumato.trust.questions.vectors import Scatter as Scatter

KINDS: dict[str, type[Question]] = {
    kind.kind: kind
    for kind in (Count, Marginals, Distances, Selection, FeatureSum, Scatter, Descent, GradientStep, LocalRun)
}
"""Every kind of question, by the name that its bytes give."""


def from_bytes(data: bytes) -> Question:
    """The question that some bytes are; QuestionError where they are none, or are not the one form that it has."""
    found = unpacked(data)
    kind = KINDS.get(found.kind)
    if kind is None:
        raise QuestionError(f"no question is called {found.kind[:80]!r}; there are {', '.join(sorted(KINDS))}")
    question = kind.of(found)
    if question.to_bytes() != data:
        raise QuestionError("a question has one form in bytes, and these are another")
    return question
