"""The membership attacks, by what the attacker has, and how the confidence of an audit is shared among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np

from sfumato.auditing.attacks.classifier import classifier
from sfumato.auditing.attacks.density_ratio import density_ratio
from sfumato.auditing.attacks.game import Game
from sfumato.auditing.attacks.image_neighbours import nearest_in_features
from sfumato.auditing.attacks.marginal_ratio import marginal_ratio
from sfumato.auditing.attacks.nearest_neighbour import nearest_neighbour, nearest_neighbour_calibrated
from sfumato.auditing.attacks.rates import promising
from sfumato.auditing.attacks.result import AttackResult, Terms, from_scores
from sfumato.auditing.attacks.white_box import MeasuredMarginals, model_loss, model_loss_calibrated
from sfumato.encoding.domain import Domain
from sfumato.models.marginals.fitted import FittedMarginals
from sfumato.models.model import RecordLoss
from sfumato.progress import Progress

Attacks = Mapping[str, tuple[Callable[[Game, np.random.Generator], np.ndarray], str]]
"""By name: the score (higher: "was used"), and what the attacker has."""

_ROWS = "the synthetic rows"
_LIKE = "the synthetic rows, rows like the real ones"
_MODEL = "the saved model"
_STRONGEST = 0.8
"""Part of the level that the attack which did best on other rows is judged at; the others share the rest."""


def on_rows(domain: Domain) -> Attacks:
    """Attacks on any synthetic rows."""
    attacks: Attacks = {
        "nearest_neighbour": (nearest_neighbour, _ROWS),
        "nearest_neighbour_calibrated": (nearest_neighbour_calibrated, _LIKE),
        "density_ratio": (density_ratio, _LIKE),
        "classifier": (classifier, _LIKE),
        "marginal_ratio": (marginal_ratio, f"{_LIKE}, the kind of method"),
    }
    if domain.content == "images":
        attacks["nearest_in_features"] = (nearest_in_features, _LIKE)
    return attacks


def on_model(model: RecordLoss) -> Attacks:
    """Attacks on a saved model itself."""
    attacks: Attacks = {
        "model_loss": (model_loss, _MODEL),
        "model_loss_calibrated": (model_loss_calibrated, f"{_MODEL}, rows like the real ones"),
    }
    if isinstance(model, FittedMarginals):
        attacks["measured_marginals"] = (MeasuredMarginals(), f"{_MODEL}, rows like the real ones")
    return attacks


def play(games: Sequence[Game], terms: Terms, attacks: Attacks, progress: Progress | None = None) -> list[AttackResult]:
    """All attacks; the one that looks strongest where thresholds are chosen is tested at most of the level.

    That choice looks at scores of the first fold alone, and rates are measured on the second, so the weighted
    Bonferroni correction is valid. Distances that several attacks share are charged to the first of them.
    """
    scores, seconds = {}, {}
    for name, (score, _) in attacks.items():
        began = perf_counter()
        scores[name] = [game.split(score(game, terms.rng())) for game in games]
        seconds[name] = perf_counter() - began
        if progress is not None:
            progress.step()
    best = max(scores, key=lambda name: promising(scores[name][0], terms.delta, terms.significance)[0])
    results = []
    for name, (choose, test) in scores.items():
        share = _STRONGEST if name == best else (1 - _STRONGEST) / (len(scores) - 1)
        own = replace(terms, significance=share * terms.significance)
        results.append(from_scores(name, attacks[name][1], choose, test, own, seconds[name]))
    return results
