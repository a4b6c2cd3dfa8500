"""Mistakes in how a site's own table becomes one of the public schema, and in what it is told of that schema."""

from benchmarks.mutants.mutant import Mutant

_CELLS = "encoding/site_cells.py"
_ROWS = "tests/encoding/test_site_rows.py"
_MAPPING = "tests/schema/test_site_mapping.py"
_FACTS = "trust/federated/site_facts.py"
_TOLD = "tests/fitting/test_federated_facts.py"

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
    Mutant(
        "a site takes any schema that it is told",
        _FACTS,
        "        if agrees(found, schema) and _within(found, widest(schema)):\n",
        "        if _within(found, widest(schema)):\n",
        "the facts were found from the plan's schema",
        f"{_TOLD}::test_facts_that_do_not_fit_are_refused_by_each_site",
    ),
    Mutant(
        "a site takes bounds beyond the search",
        _FACTS,
        "        if agrees(found, schema) and _within(found, widest(schema)):\n",
        "        if agrees(found, schema):\n",
        "the schema is the plan's but for its bounds",
        f"{_TOLD}::test_facts_that_do_not_fit_are_refused_by_each_site",
    ),
    Mutant(
        "nobody asks which codec a site made of the facts",
        "trust/federated/facts.py",
        "            if made != codec_digest(codec):\n",
        "            if False:\n",
        "all were told the same",
        f"{_TOLD}::test_facts_that_do_not_fit_are_refused_by_each_site",
    ),
    Mutant(
        "facts are told as often as the coordinator likes",
        _FACTS,
        "        if not self.open or self._encode is None:\n",
        "        if self._encode is None:\n",
        "each question is paid for, whatever it is asked of",
        f"{_TOLD}::test_facts_that_do_not_fit_are_refused_by_each_site",
    ),
    Mutant(
        "a site answers all questions before the facts are told",
        "trust/federated/federated_site.py",
        "        if not isinstance(request.question, Marginals):\n            self._facts.check_told()\n",
        "",
        "each is paid for anyway",
        f"{_TOLD}::test_a_site_answers_nothing_but_the_search_before_the_facts_are_told",
    ),
)
"""Each with the test that must turn red by it."""
