"""``sfumato review``: which facts of a schema are open, and a person's answers to them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfumato.atomic import atomic_new, check_writable
from sfumato.cli import terminal
from sfumato.errors import SfumatoError
from sfumato.outputs import NEW, SCHEMA
from sfumato.printable import printable

if TYPE_CHECKING:
    from sfumato import Schema


def review(
    schema: Annotated[Path, typer.Argument(help="A schema, or a draft of one.", metavar="SCHEMA")],
    answers: Annotated[Path | None, typer.Option(help="Who settles which fact, how and why (YAML).")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the reviewed schema goes.", metavar="FILE")
    ] = None,
    template: Annotated[
        Path | None, typer.Option(help="Write a file of answers to be filled in.", metavar="FILE")
    ] = None,
    as_json: terminal.AsJson = False,
) -> None:
    """List the facts that nobody has settled, or settle them by a file of answers; without a certificate until then."""
    import sfumato as sf

    if (answers is None) != (output is None):
        raise SfumatoError("--answers and --output go together: the answers, and where the reviewed schema goes")
    for target, kind in ((output, SCHEMA), (template, NEW)):
        if target is not None:
            check_writable(target, kind, (schema, answers))
    draft = sf.Schema.load(schema)
    if template is not None:
        with atomic_new(template) as stream:
            stream.write(draft.review_template().encode())
    if answers is None or output is None:
        _list(schema, draft, template, as_json)
        return
    settled = draft.review(answers)
    settled.save(output)
    before = {str(fact) for fact in draft.open_facts()}
    facts = [fact for fact in settled.facts() if fact.standing in ("reviewed", "measured")]
    result = {"schema": str(output), "settled": [f.to_dict() for f in facts], "open": []}
    text = f"{output}: {len(before)} open facts settled; `sfumato fit --schema {output}` can certify them now"
    terminal.answer(result, text, as_json, saved=True)


def _list(name: Path, draft: Schema, template: Path | None, as_json: bool) -> None:
    facts = draft.open_facts()
    result = {
        "schema": str(name),
        "open": [f.to_dict() for f in facts],
        "template": None if template is None else str(template),
    }
    lines = [(printable(line), printable(says)) for line, says in draft.open_lines()]
    width = max((len(line) for line, _ in lines), default=0)
    text = "".join(f"{line:<{width}}  {says}\n" for line, says in lines)
    if lines:
        text += f"{name}: {len(facts)} facts in {len(lines)} lines are open; no certificate rests on them"
    else:
        text = f"{name}: every fact has a source"
    if template is not None:
        text += f"\n{template}: answers to be filled in, for `sfumato review {name} --answers {template} -o FILE`"
    terminal.answer(result, text, as_json, saved=template is not None)
