"""How large weights of networks are at first, in units of one over the root of a layer's inputs."""

BEFORE_ACTIVATION = 1.4
"""Of a layer that an activation follows: about the root of two, which keeps the size of numbers (He et al. 2015)."""
LEAVING_BLOCK = 0.5
"""Of the last layer of a residual block: a block adds little to what passes by it."""
LOGITS = 0.3
"""Of what says the logits of columns: a network begins near even chances."""
SCORE = 0.1
"""Of what says one score: a discriminator begins undecided."""
ADDED = 0.01
"""Of what a network adds to what is known without it: next to nothing."""
