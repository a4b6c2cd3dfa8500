"""Mistakes between bytes and cells: what one row may do to the others."""

from benchmarks.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "the type of a label tells how many labels there are",
        "tables/frames.py",
        "        return pa.dictionary(pa.int32(), kind.value_type, kind.ordered)",
        "        return kind",
        "Arrow's own type is kept; that it takes eight bits below 128 labels is not seen",
        "tests/tables/test_frames.py::test_pandas_types_do_not_follow_from_single_rows",
    ),
)
