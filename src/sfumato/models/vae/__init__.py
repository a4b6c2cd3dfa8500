"""Variational autoencoders."""

from sfumato.models.vae.vae import FittedVae, Vae

__all__ = ["FittedVae", "Vae"]
