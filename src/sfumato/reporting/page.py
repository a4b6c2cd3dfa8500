"""The report's page: facts and charts into one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from sfumato.printable import printable


def _number(value: Any, digits: int = 3) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool | str):
        return str(value)
    return f"{value:.{digits}f}" if abs(value) >= 10**-digits or value == 0 else f"{value:.1e}"


def template() -> Template:
    """The page's template, compiled."""
    environment = Environment(
        loader=PackageLoader("sfumato.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["svg"] = Markup
    return environment.get_template("report.html.j2")


def render(facts: Mapping[str, Any]) -> str:
    """The page as text; every fact is escaped, only the charts are taken as markup, and no letter of it is hidden."""
    page = template().render(facts)
    return "\n".join(map(printable, page.split("\n")))
