"""Try hostile inputs: ``python -m benchmarks.fuzz [--seconds 600] [--seed 0] [KIND ...]``.

Each is made from a right one by a seed, and given to what reads it: in forked children of this process, which has the
plain core imported and no jax, and by the command line as processes. A failure is a traceback or what the command line
calls a defect, a kill by a signal, a hang, memory beyond 2 GiB, or an input that is lost or changed. Failing inputs are
kept in build/fuzz/ with the command to repeat each. The last line is one JSON object, ``figures``.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from time import monotonic
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # a fork with threads of a library may hang
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # the others reserve address space that they do not use

from benchmarks.fuzz import ledgers, models, pictures, questions, tables, yaml_texts
from benchmarks.fuzz.campaign import Campaign, Tally
from benchmarks.fuzz.kind import Kind, Valid
from benchmarks.fuzz.outcome import FAULTS
from benchmarks.fuzz.valid import valid

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        yaml_texts.SCHEMAS,
        yaml_texts.ANSWERS,
        models.MODELS,
        models.CERTIFICATES,
        ledgers.LEDGERS,
        ledgers.KEYS,
        tables.DELIMITED,
        tables.GZIPPED,
        tables.COLUMNAR,
        pictures.ARCHIVES,
        pictures.IDX,
        pictures.FOLDERS,
        questions.QUESTIONS,
    )
}
FORKED, COMMANDS = 5400, 330
"""Inputs of a whole run, a tenth more than the figures ask for."""
WHOLE = 600
"""Seconds of a whole run at most; a shorter one tries its share of the inputs, and is not asked for their number."""
KEPT = Path("build") / "fuzz"


def warm() -> None:
    """Import what the attempts use, and nothing of jax: so that a fork pays for none of it."""
    import sfumato as sf
    from sfumato.encoding import codec
    from sfumato.release import release, signature, verification
    from sfumato.schema.sketch import sketch
    from sfumato.tables import rows
    from sfumato.trust import questions as values

    del values, sf, codec, release, signature, verification, sketch, rows
    if "jax" in sys.modules:
        raise SystemExit("the plain core imports jax")


def right_inputs() -> Valid:
    """All of them, with those of images."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        return Valid({**valid(Path(folder)).files, **pictures.EXTRA})


def figures(forked: Tally, commands: Tally, share: float) -> list[dict[str, Any]]:
    """The figures of a run that was given ``share`` of a whole one's time."""
    found = []
    for name, tally, least in (("forked children", forked, 5000), ("command line", commands, 300)):
        asked = least if share >= 1 else None
        found.append(_figure(f"hostile inputs, {name}", tally.tried or None, asked, tally.tried >= (asked or 1)))
        for fault in FAULTS:
            value = tally.faults[fault] if tally.tried else None
            found.append(_figure(f"{fault}, {name}", value, 0, value == 0))
    return found


def _figure(name: str, value: int | None, limit: int | None, met: bool) -> dict[str, Any]:
    return {"name": name, "value": value, "limit": limit, "met": met and value is not None}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both campaigns; 0 where all figures are met."""
    options = _options().parse_args(arguments)
    warm()
    kinds = [KINDS[name] for name in options.kinds or KINDS]
    gc.freeze()  # so that a child copies no page to count references
    campaign = Campaign(right_inputs(), kinds, options.kept, options.seed)
    if options.only is not None:
        print(*campaign.run(options.commands, 1, float("inf"), options.only).said or ["no fault"], sep="\n")
        return 0
    began, share = monotonic(), options.seconds / WHOLE
    both = options.commands == options.forked
    forked, commands = Tally(), Tally()
    until = began + options.seconds if options.inputs is None else float("inf")
    forks, runs = (round(n * min(1.0, share)) if options.inputs is None else options.inputs for n in (FORKED, COMMANDS))
    if both or options.commands:
        commands_end = _beside(lambda: campaign.run(True, max(1, runs), until))
    if both or options.forked:
        forked = campaign.run(False, max(1, forks), until)
    if both or options.commands:
        commands = commands_end()
    for tally, name in ((forked, "forked children"), (commands, "command line")):
        print(f"== {name}: {tally.tried} inputs, {tally.refused} refused; {dict(tally.kinds)}")
        print(*tally.said, sep="\n")
    print(f"== {monotonic() - began:.0f} s; failing inputs are in {options.kept}")
    found = figures(forked, commands, share)
    print(json.dumps({"figures": found}))
    return 0 if all(figure["met"] for figure in found) else 1


def _beside(run: Callable[[], Tally]) -> Callable[[], Tally]:
    """Begin ``run`` in a process of its own; what waits for it and gives what it gave."""
    context = get_context("fork")
    end, start = context.Pipe(duplex=False)
    process = context.Process(target=lambda: start.send(run()))
    process.start()
    start.close()

    def ended() -> Tally:
        found = end.recv()
        process.join()
        return found

    return ended


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", choices=[*KINDS, []], help=f"of {', '.join(KINDS)}; all")
    parser.add_argument("--seconds", type=float, default=WHOLE, help="at most so many, in all")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other inputs")
    parser.add_argument("--forked", action="store_true", help="in forked children alone")
    parser.add_argument("--commands", action="store_true", help="by the command line alone")
    parser.add_argument("--inputs", type=int, metavar="NUMBER", help="so many each way, however long it takes")
    parser.add_argument("--kept", type=Path, default=KEPT, metavar="FOLDER", help="of failing inputs")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="repeat one input")
    return parser


if __name__ == "__main__":
    sys.exit(main())
