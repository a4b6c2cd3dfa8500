"""What layers leave behind in a forward pass, so that clipped sums need one backward pass and no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jax import Array

from sfumato.privacy.gradients.contractions import Contraction

LayerRule = Callable[[Array, Array], Contraction]


class Tape:
    """The plain tape: layers compute, nothing is kept. Use it to sample, or to train on data that is not private."""

    def layer(self, inputs: Array, outputs: Array, uses: tuple[tuple[Array, LayerRule], ...]) -> Array:
        """A layer maps ``inputs`` to ``outputs``; ``uses`` pairs each parameter with its gradient's rule."""
        return outputs


@dataclass
class Shapes(Tape):
    """Notes the shape of every layer's output."""

    outputs: list[jax.ShapeDtypeStruct] = field(default_factory=list)

    def layer(self, inputs: Array, outputs: Array, uses: tuple[tuple[Array, LayerRule], ...]) -> Array:
        """Keep the shape."""
        self.outputs.append(jax.ShapeDtypeStruct(outputs.shape, outputs.dtype))
        return outputs


@dataclass
class Recording(Tape):
    """Adds a zero probe to every layer's output, whose gradient is the layer's signal, and keeps the inputs."""

    probes: list[Array]
    inputs: list[Array] = field(default_factory=list)
    uses: list[tuple[tuple[Array, LayerRule], ...]] = field(default_factory=list)

    def layer(self, inputs: Array, outputs: Array, uses: tuple[tuple[Array, LayerRule], ...]) -> Array:
        """Probe the output."""
        probe = self.probes[len(self.uses)]
        self.inputs.append(inputs)
        self.uses.append(uses)
        return outputs + probe


def contractions(losses: Callable[[Tape], Array], parameters: list[Array]) -> tuple[Array, list[Contraction]]:
    """Per-record losses (B,) and one contraction per parameter, from one forward and one backward pass.

    Raises ValueError, when traced, for a parameter that no layer used or that two layers share.
    """
    shapes = Shapes()
    jax.eval_shape(lambda: losses(shapes))
    kept: list[tuple[tuple[Array, LayerRule], ...]] = []

    def probed(probes: list[Array]) -> tuple[Array, tuple[Array, list[Array]]]:
        tape = Recording(probes)
        each = losses(tape)
        if each.ndim != 1:
            raise ValueError(f"a loss must return one number per record, got an array of shape {each.shape}")
        kept[:] = tape.uses  # rules are no arrays, so they cannot be returned from what is traced
        return each.sum(), (each, tape.inputs)

    probes = [jnp.zeros(s.shape, s.dtype) for s in shapes.outputs]
    _, backward, (each, inputs) = jax.vjp(probed, probes, has_aux=True)
    (signals,) = backward(jnp.ones((), each.dtype))
    return each, _by_parameter(parameters, kept, inputs, signals)


def _by_parameter(
    parameters: list[Array],
    uses: list[tuple[tuple[Array, LayerRule], ...]],
    inputs: list[Array],
    signals: list[Array],
) -> list[Contraction]:
    position = {id(p): i for i, p in enumerate(parameters)}
    found: list[Contraction | None] = [None] * len(parameters)
    for pairs, a, d in zip(uses, inputs, signals, strict=True):
        for parameter, rule in pairs:
            i = position.get(id(parameter))
            if i is None:
                raise ValueError("a layer used an array that is not a parameter: pass parameters unchanged to layers")
            if found[i] is not None:
                raise ValueError(f"parameter {i} is used by two layers; stack their inputs along positions instead")
            found[i] = rule(a, d)
    lost = [i for i, c in enumerate(found) if c is None]
    if lost:
        raise ValueError(f"parameters {lost} are used by no layer, so their gradients would be lost")
    return [c for c in found if c is not None]
