"""One attack a file, and what they share: games against synthetic rows, models and mechanisms."""
