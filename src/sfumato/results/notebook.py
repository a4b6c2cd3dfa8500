"""How a typed result shows itself in a notebook: one small table, escaped, that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], note: str = "") -> str:
    """A caption, a head line (none where it is empty), rows and a note below, as HTML; every text is escaped."""
    lines = [_line(head, "th")] if head else []
    lines += [_line(row, "td") for row in rows]
    below = f"<p>{escape(note)}</p>" if note else ""
    return f"<div><p><b>{escape(title)}</b></p><table>{''.join(lines)}</table>{below}</div>"


def _line(cells: Sequence[str], tag: str) -> str:
    style = "text-align: left; padding: .15em .8em .15em 0"
    return "<tr>" + "".join(f'<{tag} style="{style}">{escape(cell)}</{tag}>' for cell in cells) + "</tr>"
