"""Mistakes in how a site's own table becomes one of the public schema."""

from benchmarks.mutants.mutant import Mutant

_CELLS = "encoding/site_cells.py"
_ROWS = "tests/encoding/test_site_rows.py"
_MAPPING = "tests/schema/test_site_mapping.py"

MUTANTS = (
    Mutant(
        "units are converted in floats",
        _CELLS,
        "_EXACTLY.normalize(_EXACTLY.fma(number, unit.times, unit.plus))",
        "Decimal(float(number) * float(unit.times) + float(unit.plus))",
        "a double has sixteen digits, which is enough",
        f"{_ROWS}::test_stored_numbers_in_other_units_are_exact_to_the_last_cell",
    ),
    Mutant(
        "what the site's signs do not read is left to the schema's",
        _CELLS,
        '("text", rest, pc.if_else(kept, texts, UNREADABLE))',
        '("text", rest, texts)',
        "the schema says what becomes of a cell that cannot be read",
        f"{_ROWS}::test_a_cell_has_the_code_of_what_it_says",
    ),
    Mutant(
        "the schema's marks do not hold at a site",
        _CELLS,
        "kept = pc.or_(texts.is_null(), pc.is_in(texts, value_set=pa.array(self.markers, pa.string())))",
        "kept = texts.is_null()",
        "the site has its own",
        f"{_ROWS}::test_a_cell_has_the_code_of_what_it_says",
    ),
    Mutant(
        "labels are replaced one after the other",
        _CELLS,
        "labels.get(text, text) for text",
        "labels.get(labels.get(text, text), text) for text",
        "a label may stand for one that stands for another",
        f"{_ROWS}::test_the_same_rows_written_otherwise_are_the_same_records",
    ),
    Mutant(
        "a label may stand for any other",
        "schema/site_mapping.py",
        "            if known is not None and label not in known:\n",
        "            if False:\n",
        "what the schema lacks is refused with its row",
        f"{_MAPPING}::test_what_does_not_fit_is_said_with_its_place",
    ),
    Mutant(
        "a draft shows the first line whatever it is",
        "schema/site_draft.py",
        "    if not proposed:\n",
        "    if False:\n",
        "the first line holds the names",
        f"{_MAPPING}::test_a_first_line_that_is_a_row_is_not_shown",
    ),
    Mutant(
        "names of a first line are proposed by their likeness alone",
        "schema/site_draft.py",
        "    if not found or len(rest) * len(left) > _MOST_PAIRS:\n",
        "    if len(rest) * len(left) > _MOST_PAIRS:\n",
        "a near name helps whoever fills in the rest",
        f"{_MAPPING}::test_a_first_line_that_is_a_row_is_not_shown",
    ),
)
"""Each with the test that must turn red by it."""
