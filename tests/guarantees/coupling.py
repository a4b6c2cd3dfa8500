"""Two runs over neighbouring rows whose noise is coupled: the second one's absorbs the difference of the exact answers.

Everything runs as it is shipped: files are read, facts found, exact answers computed, charged and noised. Only where
noise meets a number stands a hook. In the first run it lets the real noise pass and keeps it. In the second it adds the
first one's noise plus the first one's exact answer less its own. That is noise which might have been drawn as well, and
how much less likely it was is what the answer costs: the hook adds that up, in squared GDP, and holds it against what
was charged for the answer. So the answers of both runs are equal, and if

- each answer moved by no more than was charged,
- the second run asked what the first one asked, and
- all that left both runs is equal to the byte,

then what left is a function of the noised answers alone, and the charges bound what it tells.

A key of an open domain that one run alone counts has no partner: it gets noise of its own, and must be one of so few
rows as the threshold's delta is made for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from sfumato.privacy import gdp, ledger
from sfumato.privacy.events import PoissonSampledGaussian, Threshold
from sfumato.privacy.mechanisms import discrete_gaussian, exponential, threshold
from sfumato.privacy.spending import mu_squared

_SLACK = 1 + 1e-9
_WIDE = 1e4
"""From this scale on the cost of integer noise is its expansion, which 1 - 1 / total loses in rounding."""
Keys = tuple[str, ...] | None


class Divergence(AssertionError):
    """The second run asked something else than the first."""


@dataclass(frozen=True)
class Addition:
    """Noise that was added to whole numbers; with the keys that they count, where the domain is open."""

    values: np.ndarray
    noise: np.ndarray
    sigma: float
    keys: Keys


@dataclass(frozen=True)
class Selection:
    """Scores, and the index that was chosen among them."""

    scores: np.ndarray
    chosen: int
    scale: float


class Coupling:
    """Run :meth:`first` and then :meth:`second`; :attr:`findings` is empty where every answer kept to its charge."""

    def __init__(self) -> None:
        self.findings: list[str] = []
        self._kept: list[Addition | Selection] = []
        self._next: int | None = None
        self._keys: Keys = None
        self._event: Threshold | None = None
        self._paid, self._moved = 0.0, 0.0
        self.answers = 0

    @contextmanager
    def first(self) -> Iterator[None]:
        """Within, noise is real and kept."""
        with self._hooked():
            yield

    @contextmanager
    def second(self) -> Iterator[None]:
        """Within, noise absorbs; at the end, all that the first run asked must have been asked."""
        self._next = 0
        with self._hooked():
            yield
        self._settle()
        if self._next != len(self._kept):
            self.findings.append(f"{self._next} questions after {len(self._kept)}")

    @contextmanager
    def _hooked(self) -> Iterator[None]:
        add, select = discrete_gaussian.add_discrete_gaussian, exponential.select
        release, charge = threshold.release, ledger.Run.charge
        generator = np.random.default_rng
        hooks: dict[Any, Callable[..., Any]] = {
            add: lambda values, sigma, *entropy: self._added(add, np.asarray(values), sigma, *entropy),
            select: lambda scores, epsilon, sensitivity=1.0, *entropy: self._selected(
                select, np.asarray(scores, float), epsilon, sensitivity, *entropy
            ),
            release: lambda counts, event, *entropy: self._released(release, counts, event, *entropy),
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, module in list(sys.modules.items()):
                if name.startswith("sfumato."):
                    for attribute, value in list(vars(module).items()):
                        if callable(value) and not isinstance(value, type) and value in hooks:
                            patch.setattr(module, attribute, hooks[value])
            patch.setattr(ledger.Run, "charge", lambda run, *events: self._charged(charge, run, *events))
            patch.setattr(np.random, "default_rng", lambda seed=None: generator(0 if seed is None else seed))
            yield

    def _charged(self, charge: Callable[..., None], run: Any, *events: Any) -> None:
        charge(run, *events)
        self._settle()
        self._paid = sum(mu_squared(e) for e in events if not isinstance(e, PoissonSampledGaussian))

    def _settle(self) -> None:
        """Hold what the answer cost that was paid for last against its charge."""
        if self._moved > self._paid * _SLACK:
            self.findings.append(
                f"answer {self.answers} moved by {(self._moved / self._paid) ** 0.5:.2f} of its charge"
                if self._paid
                else f"answer {self.answers} was not charged"
            )
        self._paid = self._moved = 0.0
        self.answers += 1

    def _added(self, add: Callable[..., np.ndarray], values: np.ndarray, sigma: float, *entropy: Any) -> np.ndarray:
        if self._next is None:
            noised = add(values, sigma, *entropy)
            self._kept.append(Addition(values, noised - values, sigma, self._keys))
            return noised
        kept = self._recall(Addition)
        if kept.sigma != sigma or (kept.keys is None and kept.values.shape != values.shape):
            raise Divergence(f"answer {self.answers}: noise of scale {sigma:g} on {values.shape} was not asked before")
        if self._keys is not None:
            return self._absorbed_by_key(add, kept, values, sigma, *entropy)
        self._move(sigma, kept.values - values)
        return values + (kept.noise + (kept.values - values))

    def _absorbed_by_key(
        self, add: Callable[..., np.ndarray], kept: Addition, values: np.ndarray, sigma: float, *entropy: Any
    ) -> np.ndarray:
        before = {key: i for i, key in enumerate(kept.keys or ())}
        noised = add(values, sigma, *entropy)
        alone = sum(int(kept.values[i]) for key, i in before.items() if key not in (self._keys or ()))
        for i, key in enumerate(self._keys or ()):
            if key in before:
                at = before[key]
                self._move(sigma, np.array([kept.values[at] - values[i]]))
                noised[i] = kept.values[at] + kept.noise[at]
            else:
                alone += int(values[i])
        assert self._event is not None
        if alone > self._event.sensitivity:
            self.findings.append(f"answer {self.answers}: keys of one unit alone count {alone} rows")
        return noised

    def _move(self, sigma: float, difference: np.ndarray) -> None:
        """Add what a shift of the noise by ``difference`` costs; in wide noise that is its part of the scale."""
        mu = gdp.discrete_gaussian_mu(sigma, 1) if sigma < _WIDE else (1 + 1 / (24 * sigma**2)) / sigma
        self._moved += float((difference.astype(float) ** 2).sum()) * mu**2

    def _selected(
        self, select: Callable[..., int], scores: np.ndarray, epsilon: float, sensitivity: float, *entropy: Any
    ) -> int:
        scale = epsilon / (2 * sensitivity)
        if self._next is None:
            chosen = select(scores, epsilon, sensitivity, *entropy)
            self._kept.append(Selection(scores, chosen, scale))
            return chosen
        kept = self._recall(Selection)
        if kept.scores.shape != scores.shape or kept.scale != scale:
            raise Divergence(f"answer {self.answers}: another selection than before")
        self._moved += gdp.exponential_mu(float(np.ptp(scores - kept.scores)) * scale) ** 2
        return kept.chosen

    def _released(
        self, release: Callable[..., dict[str, int]], counts: Mapping[str, int], event: Threshold, *entropy: Any
    ) -> dict[str, int]:
        self._keys, self._event = tuple(sorted(counts)), event
        try:
            return release(counts, event, *entropy)
        finally:
            self._keys = self._event = None

    def _recall(self, kind: type[Any]) -> Any:
        assert self._next is not None
        if self._next == len(self._kept) or not isinstance(self._kept[self._next], kind):
            raise Divergence(f"answer {self.answers}: not what the first run asked")
        self._next += 1
        return self._kept[self._next - 1]
