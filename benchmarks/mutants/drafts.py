"""Mistakes in drafts, in their review, and in what is checked of a codec against the schema."""

from benchmarks.mutants.mutant import Mutant

ONE_ROW = "tests/guarantees/test_one_row_decides.py"

MUTANTS = (
    Mutant(
        "the dialect is drafted only where it is not the default",
        "schema/sketch.py",
        'header=d.header, source="unreviewed")',
        'header=d.header, source="unreviewed") if d.bare() else None',
        "what is the default needs no line; but one row decided that it is",
        f"{ONE_ROW}::test_the_dialect_is_drafted_and_open_also_where_it_is_the_default",
    ),
    Mutant(
        "null markers of one column are drafted for all",
        "schema/sketch.py",
        '"nulls": _markers(survey)}',
        '"nulls": None, "source": {"nulls": "public", "rest": "unreviewed"}}',
        "markers were taken for common knowledge",
        ONE_ROW,
    ),
    Mutant(
        "combinations that were seen are taken for rules that are known",
        "schema/sketch.py",
        'combinations=tuple(ordered), source="unreviewed")',
        'combinations=tuple(ordered), source="public")',
        "a rule that holds for all rows looks like a rule",
        f"{ONE_ROW}::test_combinations_are_decided_by_a_row_and_are_open",
    ),
    Mutant(
        "a codec is compared with the schema by the names of its columns",
        "encoding/facts.py",
        "return settled(schema, facts) == found",
        "return settled(schema, facts).names == found.names",
        "the domain is rebuilt from the codec anyhow",
        "tests/release/test_certificate.py::test_a_codec_of_other_facts_is_refused",
    ),
    Mutant(
        "a review on any later day",
        "schema/sources.py",
        "if day > dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1):",
        "if day > dt.date.max:",
        "clocks differ",
        "tests/schema/test_review.py",
    ),
    Mutant(
        "a reviewed fact is certified as public",
        "release/process.py",
        "sources={f: c.standing(f) for f in c.facts()}",
        'sources={f: c.source_of(f) or "public" for f in c.facts()}',
        "reviewed is as good as public",
        "tests/release/test_certificate.py::test_the_certificate_lists_every_fact_with_its_source_and_its_review",
    ),
    Mutant(
        "lines without an answer stay as they are",
        "schema/review.py",
        "for facts in by_line(result.open_facts()):",
        "for facts in by_line(f for f in result.open_facts() if f.name in answers.columns):",
        "a review in two sittings",
        "tests/schema/test_review.py::test_a_missing_answer_is_named",
    ),
    Mutant(
        "a fit that asks of the columns alone",
        "schema/public_facts.py",
        "return [fact for fact in self.facts() if not fact.settled]",
        'return [fact for fact in self.facts() if not fact.settled and fact.part == "column"]',
        "the parts of the whole table came later",
        f"{ONE_ROW}::test_combinations_are_decided_by_a_row_and_are_open",
    ),
)
