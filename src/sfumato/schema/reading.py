"""YAML read without trust: plain values with the line and column of each, no tags, anchors or guessing of types."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from sfumato.errors import SchemaError

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_KEYS = frozenset(
    {"categories", "combinations", "nulls", "labels", "other", "name", "target", "low", "high", "column"}
    | {"by", "on", "reason", "public", "drop"}
)
_BY_OTHER_MEANS = frozenset("!&*%")
_LIMIT = 1 << 26
_DEPTH = 12

Path = tuple[str | int, ...]


class _CoreLoader(_BASE):  # type: ignore[misc]
    """YAML 1.2 core types: ``no`` is text, a date is text, ``010`` is ten."""


_CoreLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"~|null|", "~n" + "\0"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _CoreLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), [c if c != "\0" else "" for c in _first]
    )


@dataclass(frozen=True)
class Marked:
    """A document as plain values.

    Attributes:
        value: mappings, lists, text, numbers, true/false, None.
        marks: (line, column), both from 1, of the value at each path.
    """

    value: Any
    marks: dict[Path, tuple[int, int]]

    def place(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Where ``path`` is written, or the nearest part above it that is."""
        path = tuple(path)
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path, (1, 1))


def read_yaml(text: str, name: str) -> Marked:
    """Parse one YAML document; ``name`` is used in messages.

    Labels (``categories``, ``nulls``, ``combinations`` and the like) stay exactly as written, so that
    ``007`` and ``1.0`` need no quotation marks.

    Raises:
        SchemaError: not YAML, more than one document, an anchor, a tag, a key given twice, or too large.
    """
    if len(text) > _LIMIT:
        raise SchemaError(f"{name}: larger than {_LIMIT >> 20} MiB; a schema holds public facts, not rows")
    try:
        _without_tags(text, name)
        loader = _CoreLoader(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise SchemaError(f"{name}:{line}:{column}: not valid YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError):
        raise SchemaError(f"{name}: not valid YAML text") from None
    if root is None:
        raise SchemaError(f"{name}: empty; draft a schema with: sfumato sketch DATA -o {name}")
    return _Plain(name).document(root)


def _without_tags(text: str, name: str) -> None:
    """Refuse what says by other means than its own text what a value is: tags, anchors, and aliases of these.

    With them ``!!bool yes`` is read as something else than YAML says, and one line means what another one says.
    """
    if _BY_OTHER_MEANS.isdisjoint(text):
        return
    for token in yaml.scan(text, Loader=_CoreLoader):
        if isinstance(token, yaml.TagToken | yaml.AnchorToken | yaml.AliasToken | yaml.DirectiveToken):
            mark = token.start_mark
            raise SchemaError(
                f"{name}:{mark.line + 1}:{mark.column + 1}: tags, anchors and directives have no place in a schema; "
                "write the value out"
            )


class _Plain:
    """Turns nodes into plain values, noting where each stands."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.marks: dict[Path, tuple[int, int]] = {}
        self.seen: set[int] = set()

    def document(self, root: Any) -> Marked:
        return Marked(self.value(root, (), False), self.marks)

    def value(self, node: Any, path: Path, literal: bool) -> Any:
        self.marks[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, literal)
        if id(node) in self.seen or len(path) > _DEPTH:
            raise self.error(node, "anchors and deep nesting have no place in a schema; write the value out")
        self.seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*path, i), literal) for i, child in enumerate(node.value)]
        return self.mapping(node, path)

    def mapping(self, node: Any, path: Path) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for key_node, child in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self.error(key_node, "a key must be plain text")
            key = key_node.value
            if key in plain:
                raise self.error(key_node, f"{key!r} is given twice; remove one")
            plain[key] = self.value(child, (*path, key), _is_label(key, path))
            if isinstance(child, yaml.ScalarNode):
                continue
            self.marks[(*path, key)] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        return plain

    def scalar(self, node: Any, literal: bool) -> Any:
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        if tag == "null" and node.style is None:
            return None
        if tag == "str" or literal:
            return node.value
        if tag == "bool":
            return node.value == "true"
        if tag == "int":
            if len(node.value) > 40:
                raise self.error(node, "a number of more than 40 digits; bounds lie within +-4e18")
            return int(node.value)
        if tag == "float":
            return float(node.value)
        raise self.error(node, f"the tag {node.tag} has no place in a schema")

    def error(self, node: Any, mend: str) -> SchemaError:
        return SchemaError(f"{self.name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}: {mend}")


def _is_label(key: str, path: Path) -> bool:
    """Whether the value of ``key`` is a label or a list of labels; a *column* may bear any name, such as ``nulls``."""
    if key == "replace":  # in an answer to a review
        key, path = str(path[-1]) if path else key, path[:-1]
    return (key in _TEXT_KEYS and path != ("columns",)) or (key == "columns" and path[:1] == ("constraints",))
