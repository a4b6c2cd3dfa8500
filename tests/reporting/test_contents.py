"""Every name that the template asks for stands in the page's types: a misspelt one is found without a report."""

from __future__ import annotations

import dataclasses
import types
import typing

import pytest
from jinja2 import nodes
from pydantic import BaseModel

from sfumato.reporting.contents import ReportPage
from sfumato.reporting.page import template

SPECIAL = {"loop"}
"""What Jinja itself gives."""


def source() -> str:
    name = template().filename
    assert name is not None
    with open(name, encoding="utf-8") as file:
        return file.read()


def fields(kind: object) -> dict[str, object] | None:
    """The attributes of a type of ours by their types; None for one that is not ours."""
    if not isinstance(kind, type):
        return None
    if dataclasses.is_dataclass(kind):
        found: dict[str, object] = dict(typing.get_type_hints(kind))
    elif issubclass(kind, BaseModel):
        found = {name: field.annotation for name, field in kind.model_fields.items()}
    else:
        return None
    return found | {k: object for base in kind.__mro__ for k, v in vars(base).items() if isinstance(v, property)}


def some(kind: object) -> object:
    """``X`` of ``X | None``."""
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return next(k for k in typing.get_args(kind) if k is not type(None))
    return kind


def item(kind: object) -> object:
    """What a tuple holds."""
    arguments = typing.get_args(some(kind))
    return arguments[0] if arguments else object


class Reader:
    """Walks the template with the types of its names, and notes each attribute that its object has not."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.seen = 0

    def of(self, node: nodes.Node, names: dict[str, object]) -> object:
        if isinstance(node, nodes.Name):
            return some(names.get(node.name, object))
        if isinstance(node, nodes.Getitem):
            kind = self.of(node.node, names)
            return kind if isinstance(node.arg, nodes.Slice) else item(kind)
        if isinstance(node, nodes.Getattr):
            known = fields(some(self.of(node.node, names)))
            if known is None:
                return object
            self.seen += 1
            if node.attr not in known:
                self.wrong.append(node.attr)
            return some(known.get(node.attr, object))
        return object

    def read(self, node: nodes.Node, names: dict[str, object]) -> None:
        names = dict(names)
        for child in node.iter_child_nodes():
            if isinstance(child, nodes.Assign) and isinstance(child.target, nodes.Name):
                names[child.target.name] = self.of(child.node, names)
            inner = {**names, **self.loop(child, names)} if isinstance(child, nodes.For) else names
            self.of(child, inner)
            self.read(child, inner)

    def loop(self, node: nodes.For, names: dict[str, object]) -> dict[str, object]:
        """The names that a loop gives."""
        if isinstance(node.target, nodes.Name):
            return {node.target.name: item(self.of(node.iter, names))}
        assert isinstance(node.target, nodes.Tuple)
        first, second = (part.name for part in node.target.items if isinstance(part, nodes.Name))
        call = node.iter
        if isinstance(call, nodes.Call) and isinstance(call.node, nodes.Getattr) and call.node.attr == "items":
            mapping = typing.get_args(some(self.of(call.node.node, names)))
            return dict(zip((first, second), mapping, strict=True))
        pair = typing.get_args(item(self.of(call, names)))
        return dict(zip((first, second), pair, strict=True))


def asked(text: str) -> Reader:
    reader = Reader()
    reader.read(template().environment.parse(text), dict(typing.get_type_hints(ReportPage)))
    return reader


def free_names(text: str) -> set[str]:
    """Names that the template neither sets nor gets from Jinja."""
    from jinja2 import meta

    return meta.find_undeclared_variables(template().environment.parse(text)) - SPECIAL


def test_every_name_is_a_field_of_the_page_and_every_field_is_shown():
    assert free_names(source()) ^ {f.name for f in dataclasses.fields(ReportPage)} == set()


def test_every_attribute_is_one_of_its_type():
    found = asked(source())
    assert found.wrong == []
    assert found.seen > 80


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("promise.epsilon", "promise.epsilom"),
        ("g.holdout_tvd", "g.fresh_tvd"),
        ("memorisation.copies_holdout", "memorisation.copies_fresh"),
        ("a.power.real", "a.power.train"),
        ("book.cap_delta", "book.cap.delta"),
    ],
)
def test_a_misspelt_attribute_is_found(right, wrong):
    text = source()
    assert right in text
    assert set(asked(text.replace(right, wrong)).wrong) == {wrong.split(".")[1 if wrong.startswith("book") else -1]}


def test_a_misspelt_name_is_found():
    assert "charge" in free_names(source().replace("in charges", "in charge"))
