"""What a model lends to sites that train by themselves between averages (FedAvg; McMahan et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from jax import Array

Carry = TypeVar("Carry")
"""A pytree of arrays: all that changes from step to step."""
Parameters = TypeVar("Parameters")
"""A pytree of arrays, of whose gradient a sum is asked."""


@dataclass(frozen=True)
class LocalTraining(Generic[Carry, Parameters]):
    """How sites go on by themselves from a model's parameters, and what the model makes of their average; all public.

    Attributes:
        rate: learning rate of Adam at a site.
        averaged: ``averaged(carry, parameters, steps, key) -> carry``: so many local steps led to these parameters.
        pull: ``pull(carry, key)`` -> the gradient of that part of the loss which needs no record, at the parameters of
            the carry; sites add it to the gradient of each of their steps. None: there is no such part.
    """

    rate: float
    averaged: Callable[[Carry, Parameters, int, Array], Carry]
    pull: Callable[[Carry, Array], Parameters] | None = None
