"""Trust settings: who sees rows, and how the sum over records is made and noised."""
