"""Which software a fit ran on: versions for the certificate."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from sfumato.version import VERSION

_LIBRARIES = {
    "dp-accounting": "dp_accounting",
    "numpy": "numpy",
    "scipy": "scipy",
    "pyarrow": "pyarrow",
    "safetensors": "safetensors",
    "jax": "jax",
    "jaxlib": "jaxlib",
    "equinox": "equinox",
    "optax": "optax",
    "jax-privacy": "jax_privacy",
    "ibis-framework": "ibis",
    "duckdb": "duckdb",
    "psycopg": "psycopg",
    "pandas": "pandas",
    "polars": "polars",
}
"""Distributions that may take part in a fit, and the module by which each is known to be loaded."""


def implementation() -> dict[str, str]:
    """Versions of Python, sfumato and the libraries that are loaded in this process; a missing one is no failure."""
    loaded = {name: _version(name) for name, module in _LIBRARIES.items() if module in sys.modules}
    return {"python": platform.python_version(), "sfumato": VERSION, **loaded}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
