"""Generative adversarial networks."""

from sfumato.models.gan.gan import FittedGan, Gan

__all__ = ["FittedGan", "Gan"]
