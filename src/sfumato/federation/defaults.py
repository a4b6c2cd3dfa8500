"""What a federation takes where nothing else is said: one place for the command line and for Python."""

from __future__ import annotations

CURIOUS = 1
"""Sites that may collude with the coordinator: the least at which no single other site has to be trusted."""
LOST = 0
"""Sites that may be lost in a round: each makes the noise of all others larger."""
MAX_SITES = 1
"""Sites at which one person may have rows: more make the noise wider by their number."""
PORT = 8102
"""Of the coordinator's machine: the sites call it, and open none themselves."""
ADDRESS = f"localhost:{PORT}"
"""Where sites of one machine reach the coordinator; those of others need its name."""
PATIENCE = 600.0
"""Seconds that a run waits for all sites to be there: they are started by hand."""
DEADLINE = 30.0
"""Seconds that a site has for an answer: a sum over millions of rows takes a few."""
USUAL_STEPS = 300
"""Of a training on secret shares, where nobody says how many: two minutes on one quiet machine."""
SILENCE = 86_400.0
"""Seconds that a site goes on without a word of the coordinator: a model may be learnt for hours between two calls."""
