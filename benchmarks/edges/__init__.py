"""The promise attacked at its edges, part by part: ``python -m benchmarks.edges``."""
