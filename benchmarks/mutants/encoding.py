"""Mistakes between cells and codes: what one cell's code may depend on."""

from benchmarks.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "a column without a value is typed by the rows",
        "encoding/codec.py",
        " and not pa.types.is_null(t)}",
        "}",
        "a type is a type; that it is null tells that nobody has a value",
        "tests/encoding/test_codec.py::test_a_column_that_came_without_a_type_gets_its_natural_one",
    ),
    Mutant(
        "one cell that Arrow cannot convert makes its whole block unreadable",
        "encoding/rows.py",
        "    except pa.ArrowException:  # its text may quote a cell\n        pass\n",
        "    except pa.ArrowException:  # its text may quote a cell\n        return _unreadable(codec, len(cells))\n",
        "Arrow does not tell which cell it was, and the search for it is long",
        "tests/encoding/test_leaks.py::test_a_cell_that_arrow_cannot_convert_is_not_quoted",
    ),
)
