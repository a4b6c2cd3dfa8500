"""Mistakes between bytes and cells: what one row may do to the others."""

from benchmarks.mutants.mutant import Mutant

_BYTES = "tests/guarantees/test_bytes_to_codes.py"
_ALONE = "tests/encoding/test_cells_alone.py"
_STRUCTURE = "tests/tables/test_structure.py"
_FRAMES = "tests/tables/test_frames.py"

MUTANTS = (
    Mutant(
        "a column of text is cast whole, and read by cells where that fails",
        "encoding/numerals.py",
        "    if _only_digits(cells):\n        return cells.cast(pa.float64()).to_numpy(zero_copy_only=False)\n",
        "    try:\n        return np.nan_to_num(cells.cast(pa.float64()).to_numpy(zero_copy_only=False))\n"
        "    except pa.ArrowInvalid:\n        pass\n",
        "the library's parser is fast, and an exception tells when it does not do; what it takes NaN for is not asked",
        f"{_BYTES}::test_one_row_moves_no_other {_ALONE}::test_hostile_cells_get_the_codes_they_get_alone",
    ),
    Mutant(
        "whole numbers are read as doubles where a fraction stands beside them",
        "encoding/numerals.py",
        "        floor, fraction = floor + down.astype(np.int64), down != read\n",
        "        floor = _parsed(cells, pc.or_(short, pointed), pa.float64()).astype(np.int64)\n"
        "        fraction = down != read\n",
        "one parser for the column; above 2^53 neighbours become one",
        f"{_ALONE}::test_whole_numbers_stay_exact_however_they_are_written",
    ),
    Mutant(
        "what is no number is zero",
        "encoding/numerals.py",
        "    found[rest] = [math.nan if x is None else x for x in _one_by_one(cells, rest, _real)]\n",
        "    found[rest] = [x or 0.0 for x in _one_by_one(cells, rest, _real)]\n",
        "a number is wanted, so a number is given; it is then clipped to a bound",
        f"{_BYTES}::test_what_is_no_number_is_no_bound",
    ),
    Mutant(
        "one offset makes all moments instants",
        "encoding/parsing.py",
        '    naive = _zoned(cast_or_null(pc.if_else(offset, None, iso), pa.timestamp("us")), tz)\n',
        '    naive = _moved(cast_or_null(pc.if_else(offset, None, iso), pa.timestamp("us", "UTC")), tz)\n',
        "a column has one type",
        f"{_ALONE}::test_hostile_cells_get_the_codes_they_get_alone",
    ),
    Mutant(
        "one fraction too fine leaves all of its column uncut",
        "encoding/parsing.py",
        "    longest = pc.max(pc.binary_length(texts)).as_py() or 0\n",
        "    longest = pc.min(pc.binary_length(texts)).as_py() or 0\n",
        "max and min change places in a test of speed",
        f"{_ALONE}::test_hostile_cells_get_the_codes_they_get_alone",
    ),
    Mutant(
        "one byte that is not UTF-8 makes its block Western",
        "tables/decoding.py",
        '[cell.decode(charset, "replace") for cell in encoded.dictionary.to_pylist()]',
        '[cell.decode("cp1252" if charset == "utf-8" else charset) for cell in encoded.dictionary.to_pylist()]',
        "files that are not UTF-8 come from Excel, nearly always",
        f"{_BYTES}::test_one_row_moves_no_other tests/guarantees/test_whole_fit_replayed.py::test_kinds_of_tables[csv]",
    ),
    Mutant(
        "a bad byte loses its row",
        "tables/decoding.py",
        '[cell.decode(charset, "replace") for cell in encoded.dictionary.to_pylist()]',
        '[cell.decode(charset, "strict") for cell in encoded.dictionary.to_pylist()]',
        "errors should never pass silently",
        f"{_STRUCTURE}::test_a_bad_byte_is_a_matter_of_its_own_cell",
    ),
    Mutant(
        "a column of objects has the type that fits all of its cells",
        "tables/frames.py",
        "    if column.dtype == object:\n        return OBJECTS\n",
        "    if column.dtype == object:\n        return pa.array(column, from_pandas=True).type\n",
        "Arrow infers types, so why not take them: the scale of a decimal, or that nobody has a value",
        f"{_FRAMES}::test_pandas_types_do_not_follow_from_single_rows",
    ),
    Mutant(
        "decimals with the digits of the finest of them",
        "tables/objects.py",
        "        return (_TEXT, None) if cell.is_nan() else (_NUMERAL, _digits(cell))",
        "        return (_TEXT, None) if cell.is_nan() else (_NUMERAL, _digits(cell.normalize()))",
        "1.50 and 1.5 are one number; as identifiers they are two",
        f"{_FRAMES}::test_a_cell_of_an_object_column_is_text_whatever_stands_beside_it",
    ),
    Mutant(
        "whole numbers with a gap beside them are written as fractions",
        "tables/objects.py",
        "    written = pc.if_else(pa.array(whole), digits, values.cast(pa.string()))\n",
        "    written = pc.if_else(pa.array(whole), digits, values.cast(pa.string())) if whole.all() else"
        " values.cast(pa.string())\n",
        "whether a column holds whole numbers is asked of the column",
        f"{_FRAMES} tests/trust/test_gathering.py",
    ),
    Mutant(
        "the file's structure is looked at where it is read",
        "tables/delimited.py",
        "            check_structure(rest, dialect, path, len(columns))\n            for block in found:\n",
        "            for block in found:\n",
        "the parser finds a ragged line by itself: after the first charge",
        f"{_STRUCTURE}::test_a_fault_is_named_by_its_line_when_the_file_is_opened",
    ),
    Mutant(
        "the first bytes of a file without a header say what it is",
        "tables/rows.py",
        "        if file is not None and not file.header and not name.lower().endswith(_TYPED):\n",
        "        if file is not None and not file.header and name.lower().endswith('.csv.gz'):\n",
        "a file that begins as Parquet is Parquet",
        f"{_STRUCTURE}::test_a_row_more_of_any_bytes_changes_no_other_row",
    ),
    Mutant(
        "a block of the parser may end with half an end of line",
        "tables/delimited.py",
        '        if len(piece) > 1 and piece.endswith(b"\\r"):\n',
        '        if len(piece) > 1 and piece.endswith(b"\\r\\r"):\n',
        "parsers know how lines end",
        f"{_STRUCTURE}::test_an_end_of_line_across_blocks_of_the_parser_is_one",
    ),
)
