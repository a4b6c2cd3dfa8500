"""Generative models: each written once against the questions of a trust setting."""
