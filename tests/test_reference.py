"""The reference names all that is public: the names of the door, and the members of its classes."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

import sfumato as sf

RESULTS = (Path(__file__).resolve().parent.parent / "docs" / "reference" / "results.md").read_text(encoding="utf-8")
PAGE = (Path(__file__).resolve().parent.parent / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
_ATTRIBUTES = re.compile(r"^ *Attributes:\n((?:^ +.*\n?|^\n)*)", re.MULTILINE)


def ours(base: type) -> bool:
    return base.__module__.partition(".")[0] == "sfumato"


def members(value: type) -> set[str]:
    """What a class and its bases in sfumato define or document in public, without what comes from elsewhere."""
    own, foreign = set(), set()
    for base in value.__mro__:
        names = set(vars(base)) | set(inspect.get_annotations(base))
        (own if ours(base) else foreign).update(names)
    for block in _ATTRIBUTES.findall(inspect.getdoc(value) or ""):
        own |= set(re.findall(r"^ {4}(\w+):", block, re.MULTILINE))
    return {name for name in own - foreign if not name.startswith("_")}


def public() -> set[str]:
    """Dotted names, as the page writes them behind ``sf.``."""
    found = set()
    for name in sf.__all__:
        value = getattr(sf, name)
        found.add(name)
        if inspect.isclass(value):
            found |= {f"{name}.{member}" for member in members(value)}
        if inspect.ismodule(value):
            functions = [(k, f) for k, f in vars(value).items() if callable(f) and not inspect.isclass(f)]
            found |= {f"{name}.{k}" for k, f in functions if f.__module__ == value.__name__ and not k.startswith("_")}
    return found


def named(page: str) -> set[str]:
    """The names that the page's lists give."""
    return set(re.findall(r"^(?:- |## |\| )`sf\.([\w.]+)`", page, re.MULTILINE))


def test_the_page_has_every_public_name_and_no_other():
    assert named(PAGE) ^ public() == set()


@pytest.mark.parametrize("name", sorted(sf.__all__))
def test_each_name_of_the_door_shows_its_docstring_there(name):
    value = getattr(sf, name)
    module = value.__name__ if inspect.ismodule(value) else f"{value.__module__}.{value.__name__}"
    assert f"::: {module}\n" in PAGE + "\n"


def test_a_name_that_is_missing_or_made_up_is_seen():
    assert named(PAGE.replace("`sf.Table.write`", "`sf.Table.wrote`")) ^ public() == {"Table.write", "Table.wrote"}


FUNCTIONS = [name for name in sf.__all__ if inspect.isfunction(getattr(sf, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_has_an_example_that_the_doctests_run(name):
    assert ">>> " in (getattr(sf, name).__doc__ or ""), name


def parts(hint: object) -> Iterator[type]:
    """The classes of sfumato that a type is made of."""
    if inspect.isclass(hint) and ours(hint):
        yield hint
    for argument in typing.get_args(hint):
        yield from parts(argument)


def held(*roots: type) -> set[type]:
    """What the attributes of these classes hold, and the attributes of that, but for what the door gives itself."""
    found: set[type] = set()
    wanted = list(roots)
    while wanted:
        kind = wanted.pop()
        hints = {k: v for k, v in typing.get_type_hints(kind).items() if not k.startswith("_")}
        computed = (v.fget for k, v in vars(kind).items() if isinstance(v, property) and not k.startswith("_"))
        hints |= {f"{get}": typing.get_type_hints(get).get("return") for get in computed}
        new = {part for hint in hints.values() for part in parts(hint)} - found
        found |= new
        wanted += new
    return {kind for kind in found if getattr(sf, kind.__name__, None) is not kind}


ROOTS = (sf.Utility, sf.AuditReport, sf.Certificate, sf.Verification)


def test_the_page_of_results_has_all_that_they_hold_and_nothing_else():
    shown = set(re.findall(r"^::: ([\w.]+)$", RESULTS, re.MULTILINE))
    assert shown == {f"{k.__module__}.{k.__name__}" for k in held(*ROOTS)}


def test_whatever_a_result_holds_says_what_it_is():
    assert [kind for kind in held(*ROOTS) if not kind.__doc__] == []
