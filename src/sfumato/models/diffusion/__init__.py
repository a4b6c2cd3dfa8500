"""Diffusion models."""

from sfumato.models.diffusion.diffusion import Diffusion, FittedDiffusion

__all__ = ["Diffusion", "FittedDiffusion"]
