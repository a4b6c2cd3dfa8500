"""``sfumato evaluate``: what synthetic rows are good for, between fresh real rows and independent columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sfumato.cli import terminal

_WIDTHS = {"synthetic": 11, "fresh": 12, "independent": 13}


def evaluate(
    real: Annotated[str, typer.Option(help="The rows the model was fitted to.")],
    test: Annotated[str, typer.Option(help="Fresh rows of the same kind.")],
    synthetic: Annotated[str, typer.Option(help="Synthetic rows.")],
    schema: Annotated[Path, typer.Option(help="Schema of all three.")],
    target: Annotated[str | None, typer.Option(help="Column to predict.", metavar="COL")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Marginals, queries and two learners only.")] = False,
    as_json: terminal.Json = False,
) -> None:
    """Compare synthetic rows with real ones. The result is a statistic of real rows: internal, not for release."""
    import sfumato as sf

    found = sf.evaluate(real, test, synthetic, schema, target, quick=quick)
    terminal.answer(found, render(found), as_json)


def render(found: Mapping[str, Any]) -> str:
    """The measures as a table for people."""
    lines = [f"{'measure':<28}{'synthetic':>11}{'fresh rows':>12}{'independent':>13}"]
    for name, m in found["measures"].items():
        lines.append(f"{name:<28}{m['value']:>11.4f}{m['fresh']:>12.4f}{m['independent']:>13.4f}")
    lines += [f"  frechet_{name}: in {space}; not an FID" for name, space in found["spaces"].items()]
    broken = found["violations"]
    lines += [
        f"{'rows that break the schema':<28}" + "".join(f"{broken['rows'][k]:>{w}.4f}" for k, w in _WIDTHS.items())
    ]
    lines += [f"  {r['rule']}: {r['synthetic']:.4f}" for r in broken["rules"] if r["synthetic"]]
    if found["memorisation"]["flag"]:
        lines.append("WARNING: the synthetic rows are closer to the real ones than fresh rows are (memorisation)")
    lines.append("internal: computed from real rows, not covered by any guarantee")
    return "\n".join(lines)
