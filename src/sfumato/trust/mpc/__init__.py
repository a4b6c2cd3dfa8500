"""The trust setting of parties none of whom may see the rows (secure multi-party computation)."""
