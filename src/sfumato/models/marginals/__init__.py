"""Models learnt from noisy contingency tables."""
