"""What each extra of the package brings, and the error that says how to install it."""

from __future__ import annotations

from importlib.util import find_spec

from sfumato.errors import MissingExtra

EXTRAS = {
    "networks": ("jax", "equinox", "jaxtyping", "optax", "jax_privacy"),
    "report": ("jinja2", "matplotlib", "sklearn"),
    "images": ("PIL",),
    "frames": ("pandas", "polars", "duckdb"),
    "federated": ("nvflare", "psutil"),
    "he": ("tenseal",),
    "mpc": ("private_set_intersection",),
    "sql": ("ibis", "duckdb", "psycopg"),
}
"""Packages by the extra that brings them, under the names that are imported; the wheel itself brings none of them."""


def lacking(extra: str) -> tuple[str, ...]:
    """The packages of ``extra`` that are not installed; none is imported to find out."""
    return tuple(package for package in EXTRAS[extra] if find_spec(package) is None)


def require(extra: str, what: str) -> None:
    """MissingExtra with the install line where a package of ``extra`` is not installed, which ``what`` needs.

    It looks at what is installed alone, which is public: no fit reads a row or charges anything before it.
    """
    if lacking(extra):
        raise MissingExtra(extra, what)
