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
    full: Annotated[
        bool, typer.Option("--full", help="More candidates; for tables, the Article 29 criteria too.")
    ] = False,
    strips: Annotated[
        Path | None, typer.Option(help="Images: write a PNG of some beside the nearest real ones. Keep it inside.")
    ] = None,
    recipe: Annotated[
        bool,
        typer.Option("--recipe", help="Fit the model's recipe again: planted rows, shadow models, replay; minutes."),
    ] = False,
    as_json: terminal.Json = False,
) -> None:
    """Attack synthetic rows. The result is a statistic of real rows: internal, not for release."""
    import sfumato as sf

    if epsilon is None and delta is not None:
        raise sf.SfumatoError("--delta is claimed together with --epsilon: give both, or neither")
    claimed = None if epsilon is None else terminal.guarantee(epsilon, 1e-9 if delta is None else delta)
    if schema is None and model is None and synthetic is not None and not recipe:
        terminal.note("no schema given: one is drafted from the three tables, for this audit alone")
    suite = "full" if full else "quick"
    with terminal.progress() as progress:
        found = sf.audit(
            real, holdout, synthetic, schema, claimed, suite, model, strips, recipe=recipe, progress=progress
        )
    terminal.answer(found, render(found), as_json)


def render(found: Mapping[str, Any]) -> str:
    """The attacks as a table for people."""
    names = ("used", "unused", "naive", "AUC", "TPR@1%", "TPR@.1%", "allowed", "eps >=", "on copy", "s")
    lines = [f"{'attack':<34}" + "".join(f"{name:>8}" for name in names)]
    lines += [_line(name, a) for name, a in found["attacks"].items()]
    for name, test in found["self_tests"].items():
        lines.append(f"self-test {name}: {'passed' if test['passed'] else 'FAILED'}")
    lines += _recipe(found["recipe"]) if "recipe" in found else []
    lines += [found["verdict"], "internal: computed from real rows, not covered by any guarantee"]
    return "\n".join(lines)


def _line(name: str, a: Mapping[str, Any]) -> str:
    """One attack; *allowed* is the largest rate at .1 %, or of a row that was used, under the claim; - no threshold."""
    rates = [f"{a[k]:.3f}" for k in ("train", "control", "naive")]
    if a["auc"] is not None and a["control"] == 1:
        rates = ["-", "-", "-"]
    scored = ["" if a["auc"] is None else f"{a['auc']:.3f}"]
    scored += [f"{a['tpr_at_fpr'][k]:.3f}" if a["tpr_at_fpr"] else "" for k in ("0.01", "0.001")]
    most = a["ceiling"].get("0.001", a["ceiling"].get("train"))
    allowed = "" if most is None else f"{most:.3f}"
    bounds = [f"{a['epsilon_lower_bound']:.2f}", f"{a['power']['epsilon_lower_bound']:.2f}", f"{a['seconds']:.1f}"]
    return f"{name[:33]:<34}" + "".join(f"{cell:>8}" for cell in (*rates, *scored, allowed, *bounds))


def _recipe(found: Mapping[str, Any]) -> list[str]:
    """What fitting the recipe again showed, a line each."""
    lines = []
    for name, mechanism in found["worst_case"]["mechanisms"].items():
        lines.append(
            f"recipe, worst case of {name}: mu at least {mechanism['mu_lower_bound']:.4f}, "
            f"claimed {mechanism['claimed_mu']:.4f}"
        )
    replay, canaries, shadows = (found[part] for part in ("replay", "canaries", "outlier_shadow"))
    if "left_out" not in replay:
        said = "; ".join(replay["findings"]) or "the same course, each answer within its sensitivity"
        lines.append(f"recipe, replay of {replay['steps']} questions: {said} (largest share {replay['tightest']:.3f})")
    if "left_out" not in canaries:
        bound = canaries["epsilon_lower_bound"]
        lines.append(f"recipe, canaries: epsilon at least {bound:.2f}, claimed {canaries['claimed']:g}")
    if "left_out" not in shadows:
        found_at = [(t["auc"], *t["auc_interval"]) for t in shadows["targets"]]
        areas = ", ".join(f"{area:.2f} ({low:.2f} to {high:.2f})" for area, low, high in found_at)
        lines.append(f"recipe, shadow models against the rows that stand out most: AUC {areas}")
    parts = {"replay": replay, "canaries": canaries, "outlier_shadow": shadows}
    lines += [f"recipe, {name}: left out, {part['left_out']}" for name, part in parts.items() if "left_out" in part]
    lines.append(f"recipe: {'VIOLATION' if found['violation'] else 'no evidence of a violation'}")
    return lines
