"""The report's page: facts and charts into one HTML file that needs nothing else."""

from __future__ import annotations

import re
from dataclasses import fields
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from sfumato.printable import printable
from sfumato.reporting.contents import ReportPage


def _number(value: float | str | None, digits: int = 3) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool | str):
        return str(value)
    return f"{value:.{digits}f}" if abs(value) >= 10**-digits or value == 0 else f"{value:.1e}"


@cache
def template() -> Template:
    """The page's template, compiled once."""
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


_HEADING = re.compile(r'<h([23]) id="([^"]+)">(.*?)</h[23]>', re.DOTALL)
_CONTENTS = "<!-- contents -->"


def render(page: ReportPage) -> str:
    """The page as text, with a list of its contents; facts are escaped and printable, only charts are markup."""
    text = template().render({f.name: getattr(page, f.name) for f in fields(page)})
    text = "\n".join(map(printable, text.split("\n")))
    return text.replace(_CONTENTS, "".join(_entry(*found) for found in _HEADING.findall(text)))


def _entry(level: str, anchor: str, title: str) -> str:
    """One line of the contents."""
    return f'<li class="level{level}"><a href="#{anchor}">{title}</a></li>'
