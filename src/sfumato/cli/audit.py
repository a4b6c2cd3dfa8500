"""``sfumato audit``: attack synthetic rows, whoever made them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sfumato.cli import terminal


def audit(
    real: Annotated[str, typer.Option(help="The rows the synthetic ones were made from.")],
    holdout: Annotated[str, typer.Option(help="Rows of the same population that were not used.")],
    synthetic: Annotated[str | None, typer.Option(help="Synthetic rows of any generator.")] = None,
    model: Annotated[Path | None, typer.Option(help="The saved model that made them: it is attacked too.")] = None,
    schema: Annotated[Path | None, typer.Option(help="Schema of all three; drafted from them if not given.")] = None,
    epsilon: Annotated[float | None, typer.Option(help="The epsilon that is claimed; default: the model's.")] = None,
    delta: Annotated[float | None, typer.Option(help="The delta claimed with it; default 1e-9.")] = None,
    full: Annotated[bool, typer.Option("--full", help="More candidates, and the three Article 29 criteria.")] = False,
    strips: Annotated[
        Path | None, typer.Option(help="Images: write a PNG of some beside the nearest real ones. Keep it inside.")
    ] = None,
    as_json: terminal.Json = False,
) -> None:
    """Attack synthetic rows. The result is a statistic of real rows: internal, not for release."""
    import sfumato as sf

    if epsilon is None and delta is not None:
        raise sf.SfumatoError("--delta is claimed together with --epsilon: give both, or neither")
    claimed = None if epsilon is None else terminal.guarantee(epsilon, 1e-9 if delta is None else delta)
    if schema is None and model is None and synthetic is not None:
        terminal.note("no schema given: one is drafted from the three tables, for this audit alone")
    found = sf.audit(real, holdout, synthetic, schema, claimed, "full" if full else "quick", model, strips)
    terminal.answer(found, render(found), as_json)


def render(found: Mapping[str, Any]) -> str:
    """The attacks as a table for people."""
    lines = [f"{'attack':<36}{'used':>8}{'unused':>8}{'AUC':>7}{'TPR@.1%':>9}{'epsilon >=':>12}{'on a copy':>11}"]
    for name, a in found["attacks"].items():
        auc = "" if a["auc"] is None else f"{a['auc']:.3f}"
        tpr = f"{a['tpr_at_fpr']['0.001']:.3f}" if a["tpr_at_fpr"] else ""
        rates = f"{a['train']:>8.3f}{a['control']:>8.3f}"
        if a["auc"] is not None and a["control"] == 1:
            rates = f"{'no threshold':>16}"
        lines.append(
            f"{name[:35]:<36}{rates}{auc:>7}{tpr:>9}"
            f"{a['epsilon_lower_bound']:>12.2f}{a['power']['epsilon_lower_bound']:>11.2f}"
        )
    for name, test in found["self_tests"].items():
        lines.append(f"self-test {name}: {'passed' if test['passed'] else 'FAILED'}")
    lines += [found["verdict"], "internal: computed from real rows, not covered by any guarantee"]
    return "\n".join(lines)
