"""``sfumato demo``: the whole way on a real table of people, without a question."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sfumato.atomic import atomic_write, check_writable
from sfumato.cli import terminal
from sfumato.outputs import CERTIFICATE, MODEL, REPORT, TABLE

_LEFT = ("synthetic.csv", "model.sfm", "certificate.txt", "report.html")


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("demo"),
    epsilon: Annotated[float, typer.Option(help="Privacy loss.")] = 1.0,
    as_json: terminal.AsJson = False,
) -> None:
    """Adult census (public, shipped with sfumato): fit, certify, verify, sample, report, evaluate; in ./demo."""
    import sfumato as sf

    promised = terminal.guarantee(epsilon, terminal.DELTA)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise sf.SfumatoError(f"-o {output}: cannot be made a folder ({error.strerror}); name another") from None
    sampled, model, certificate, report = (output / name for name in _LEFT)
    check_writable(sampled, TABLE)
    check_writable(model, MODEL)
    check_writable(report, REPORT)
    check_writable(certificate, CERTIFICATE)
    people = sf.examples.adult()
    terminal.note(f"Adult census 1994, {len(people):,} people: fitting at epsilon {epsilon:g}, delta 1e-09 ...")
    synthesizer = sf.Synthesizer(
        sf.examples.adult_schema(),
        guarantee=promised,
        target="income",
        about={"curator": "demonstration", "purpose": "to show the way from rows to certified synthetic rows"},
    )
    with terminal.progress() as progress:
        synthesizer.fit(people, progress, output=model, report=report)
    synthesizer.save(model)
    with terminal.progress() as progress:
        progress.stage("sampling rows")
        table = synthesizer.sample(seed=0)
        table.write(sampled)
        progress.stage("recomputing epsilon")
        found = sf.verify(model)
    with atomic_write(certificate, CERTIFICATE) as stream:
        stream.write(str(found.certificate).encode())
    with terminal.progress() as progress:
        sf.report(model, report, progress=progress)
    terminal.note("evaluating against rows held out from the fit ...")
    rows = (people, sf.examples.adult_test(), table)
    with terminal.progress() as progress:
        utility = sf.evaluate(*rows, synthesizer.schema, "income", quick=True, progress=progress)
    files = {n: str(output / n) for n in _LEFT}
    result = {
        "files": files,
        "rows": len(table),
        "epsilon": found.epsilon,
        "model": found.model,
        "utility": utility.to_dict(),
    }
    text = "\n".join(
        [
            repr(table),
            "",
            f"{found.model}: epsilon {found.epsilon:.4g} recomputed from {found.events} charges, every byte verified",
            *(f"  {path}" for path in files.values()),
            "",
            str(utility),
        ]
    )
    terminal.answer(result, text, as_json, saved=True)
