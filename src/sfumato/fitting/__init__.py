"""One fit, from what is asked for to a model: what is tried before a charge, the run, and its answers."""
