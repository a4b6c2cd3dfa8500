"""Hostile inputs of every kind that sfumato reads, and what became of each: ``python -m benchmarks.fuzz``."""
