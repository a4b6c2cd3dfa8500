"""Images: distances in the responses of fixed random filters, and strips of the nearest real images.

The feature map is public and fixed: 32 random 5x5 filters, rectified, averaged over a 4x4 grid. Random filters with
pooling are a fair similarity of small images (Saxe et al. 2011), and nothing in them was learnt from anybody.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sfumato.auditing.attacks.game import Game
from sfumato.auditing.attacks.neighbours import nearest
from sfumato.encoding.domain import LEVELS, Domain

_FILTERS, _SIDE, _GRID = 32, 5, 4
"""Random filters, pixels of a side of each, and fields of an image, a side, that their responses are averaged over."""
_BLOCK = 500
"""Images whose responses are made at a time: a hundred megabytes."""
_FLOOR = 1e-3
"""Added to distances, so that the logarithm of none is finite."""


def image_features(codes: np.ndarray, domain: Domain) -> np.ndarray:
    """(n, d) codes to (n, 512) float32 responses; needs ``domain.pixels``."""
    shape = domain.image.shape
    rng = np.random.default_rng(0)
    filters = rng.standard_normal((_SIDE * _SIDE * shape[2], _FILTERS)).astype(np.float32)
    filters -= filters.mean(axis=0)
    filters /= np.linalg.norm(filters, axis=0)
    parts = [
        _responses(codes[start : start + _BLOCK, domain.image.span].reshape(-1, *shape), filters)
        for start in range(0, len(codes), _BLOCK)
    ]
    return np.concatenate(parts) if parts else np.empty((0, _FILTERS * _GRID * _GRID), np.float32)


def _responses(images: np.ndarray, filters: np.ndarray) -> np.ndarray:
    levels = images.astype(np.float32) / (LEVELS - 1)
    edge = _SIDE // 2
    padded = np.pad(levels, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    windows = sliding_window_view(padded, (_SIDE, _SIDE), axis=(1, 2))
    answers = np.maximum(windows.reshape(*levels.shape[:3], -1) @ filters, 0)
    rows, columns = (np.array_split(np.arange(k), _GRID) for k in levels.shape[1:3])
    cells = [answers[:, r[0] : r[-1] + 1, c[0] : c[-1] + 1].mean(axis=(1, 2)) for r in rows for c in columns]
    return np.concatenate(cells, axis=1)


def nearest_in_features(game: Game, rng: np.random.Generator) -> np.ndarray:
    """How many times nearer the nearest synthetic image is than the nearest reference image, in logarithms."""
    population = game.population
    candidates, synthetic, reference = (
        image_features(t, population.domain) for t in (population.candidates, game.synthetic, population.reference)
    )
    to_synthetic, to_reference = (nearest(t, candidates, 1)[0][:, 0] for t in (synthetic, reference))
    return np.log(to_reference + _FLOOR) - np.log(to_synthetic + _FLOOR)


def strips(synthetic: np.ndarray, real: np.ndarray, domain: Domain, count: int = 5) -> np.ndarray:
    """A picture with one line per synthetic image: itself, then its ``count`` nearest real images by features.

    Internal: it shows real images. Returns (lines * height, (1 + count) * width, channels) uint8.
    """
    closest = nearest(image_features(real, domain), image_features(synthetic, domain), count)[1]
    lines = np.concatenate([synthetic[:, None], real[closest]], axis=1)[..., domain.image.span]
    pictures = lines.reshape(*lines.shape[:2], *domain.image.shape).astype(np.uint8)
    return pictures.transpose(0, 2, 1, 3, 4).reshape(len(lines) * domain.image.height, -1, domain.image.channels)
