"""Schemas and answers: edited as documents, damaged as text, and made to be deep, long or wide."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from benchmarks.fuzz.damage import damaged, edited
from benchmarks.fuzz.kind import Kind, Valid

_DEEP = (8, 200, 5000, 60_000)


def _bombs(rng: random.Random) -> bytes:
    n = rng.choice(_DEEP)
    wide = rng.choice((500, 5000, 40_000))
    aliases = "a0: &a0 [x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join(f'*a{i - 1}' for _ in range(9))}]\n" for i in range(1, 12)
    )
    head = "sfumato: schema/1\ncolumns:\n"
    labels = [f"l{i}" for i in range(wide)]
    return rng.choice(
        (
            "[" * n,
            "{a: " * n,
            head + "  a: " + "{kind: " * n,
            "- " * n,
            "? " * n,
            aliases,
            head + "  a: {kind: category, categories: [" + "x, " * wide + "]}\n",
            head + "  a: {kind: category, categories: [" + ", ".join([*labels, labels[-1]]) + "]}\n",
            head + "".join(f"  c{i}: {{kind: boolean}}\n" for i in range(wide)),
            head + f"  a: {{kind: integer, bounds: [0, {'9' * n}]}}\n",
            head + f"  {'n' * n}: {{kind: integer, bounds: [0, 1]}}\n",
            head + f'  a: {{kind: identifier, pattern: "{"#" * min(n, 300)}"}}\n',
            head + '  a: {kind: category, categories: ["\\0", "\\x1b[2J", "\\uD800"]}\n',
            head + "  a: !!python/object/apply:os.system [ls]\n",
            "%YAML 9.9\n---\na: 1\n",
            "\ufeff\ufeff" + head,
            "#" + "x" * n * 100,
            "\n" * n * 100,
            'a: "' + "\\x41" * n,
            "a: |\n" + " x\n" * n,
        )
    ).encode("utf-8", "surrogatepass")


def _document(text: bytes, rng: random.Random) -> bytes:
    document: Any = yaml.load(text, Loader=yaml.BaseLoader)
    edited(document, rng)
    try:
        return yaml.safe_dump(document, allow_unicode=True, default_flow_style=rng.choice((None, True, False))).encode()
    except (yaml.YAMLError, ValueError, RecursionError):
        return repr(document).encode("utf-8", "replace")


def _made(name: str) -> Callable[[Valid, random.Random], dict[str, bytes]]:
    def make(valid: Valid, rng: random.Random) -> dict[str, bytes]:
        act = rng.random()
        if act < 0.45:
            return {name: _document(valid[name], rng)}
        if act < 0.75:
            return {name: damaged(valid[name], rng)}
        if act < 0.85:
            return {name: valid[rng.choice(sorted(valid.files))]}
        return {name: _bombs(rng)}

    return make


def read_schema(folder: Path) -> None:
    """Read, write and read again; its codec; what is open in it."""
    import sfumato as sf
    from sfumato.encoding.codec import Codec
    from sfumato.errors import SfumatoError

    schema = sf.Schema.load(folder / "schema.yaml")
    if sf.Schema.parse(schema.dump()) != schema:
        raise AssertionError("a schema does not come back from its own text")
    schema.open_lines(), schema.review_template()
    with contextlib.suppress(SfumatoError):
        Codec.from_schema(schema)


def read_answers(folder: Path) -> None:
    """Settle a draft by them."""
    import sfumato as sf

    sf.Schema.load(folder / "draft.yaml").review(folder / "answers.yaml")


SCHEMAS = Kind(
    "schema",
    _made("schema.yaml"),
    read_schema,
    (
        ("review", "schema.yaml"),
        ("review", "schema.yaml", "--template", "template.yaml"),
        ("fit", "rows.csv", "--schema", "schema.yaml", "--model", "independent", "-o", "made.sfm"),
        (
            "evaluate",
            "--real",
            "rows.csv",
            "--test",
            "rows.csv",
            "--synthetic",
            "rows.csv",
            "--schema",
            "schema.yaml",
            "--quick",
        ),
    ),
    3,
)
ANSWERS = Kind(
    "answers",
    _made("answers.yaml"),
    read_answers,
    (("review", "draft.yaml", "--answers", "answers.yaml", "-o", "reviewed.yaml"),),
    2,
)
