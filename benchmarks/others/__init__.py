"""Other people's generators under the same audit: ``python -m benchmarks.others``."""
