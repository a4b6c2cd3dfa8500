"""Mistakes between bytes and cells: what one row may do to the others."""

from benchmarks.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = ()
