"""The program ``sfumato``: commands by name, and every failure as one line on stderr with exit code 2."""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from typing import Annotated

import typer

import sfumato
from sfumato.cli import (
    audit,
    demo,
    evaluate,
    federation,
    fit,
    keygen,
    ledger,
    mpc,
    party,
    report,
    review,
    sample,
    site,
    sketch,
    streams,
    verify,
)
from sfumato.errors import SfumatoError
from sfumato.printable import printable

app = typer.Typer(
    name="sfumato",
    help=(
        "Synthetic data about people under a formal privacy guarantee. The way: sketch and review a schema, fit a"
        " model, verify its certificate, sample rows, report. `sfumato demo` goes it on a real table.\n\n"
        f"Models of `fit --model`: {fit.MODELS}."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _options(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if version:
        print(f"sfumato {sfumato.__version__}")
        raise typer.Exit


app.command("sketch")(sketch.sketch)
app.command("review")(review.review)
app.command("fit")(fit.fit)
app.command("sample")(sample.sample)
app.command("verify")(verify.verify)
app.command("evaluate")(evaluate.evaluate)
app.command("audit")(audit.audit)
app.command("report")(report.report)
app.command("ledger")(ledger.ledger)
app.command("keygen")(keygen.keygen)
app.command("demo")(demo.demo)
app.add_typer(federation.app, name="federation")
app.add_typer(site.app, name="site")
app.add_typer(mpc.app, name="mpc")
app.add_typer(party.app, name="party")

_REFUSED, _INTERRUPTED = 2, 130
"""Exit codes: one line says what to change; stopped by the keyboard (128 + SIGINT)."""
_STOPPED = (
    "interrupted; no file was left half-written, what was charged stays charged, and the same fit goes on with its"
    " answers"
)
_NO_MEMORY = "not enough memory for this table and schema; merge categories or narrow the bounds in the schema"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 when done, 2 with one line on bad input, 130 when interrupted.

    ``verify`` exits with 1 where a certificate fits but was issued before fixes of the promise.

    An unforeseen error is reported by its type and place alone, because its text could quote a row.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    streams.prepare()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    with streams.stoppable():
        code, message = _run(arguments)
        unsaid = streams.write("", sys.stdout)  # what --help and --version have printed
        if unsaid is not None and code == 0:
            code, message = _unsaid(unsaid)
        if message:
            line = printable(" ".join(message.split()))
            if "--json" in arguments:
                streams.write(json.dumps({"error": line}), sys.stdout)
            streams.write(f"sfumato: {line}", sys.stderr)
    sys.exit(code)


def _unsaid(reason: str) -> tuple[int, str]:
    if streams.broken_pipe(reason):
        return streams.BROKEN_PIPE, ""
    return _REFUSED, f"cannot write to standard output: {reason}"


def _helped(arguments: list[str]) -> str:
    """The program with the command that was called, if there is such a one."""
    said, here = "sfumato", app
    for word in arguments:
        groups = {group.name: group.typer_instance for group in here.registered_groups}
        if word not in groups and word not in {command.name for command in here.registered_commands}:
            break
        said = f"{said} {word}"
        if word not in groups:
            break
        here = groups[word] or app
    return said


def _run(arguments: list[str]) -> tuple[int, str]:
    """Exit code, and what to say on stderr where it is not 0."""
    try:
        os.getcwd()
    except OSError:
        return _REFUSED, "the working folder is not there any more; change to another"
    try:
        code = app(arguments, prog_name="sfumato", standalone_mode=False)
    except SfumatoError as e:
        return _REFUSED, str(e)
    except typer.TyperException as e:
        said = e.format_message().rstrip(".")  # nothing where the help was shown
        return _REFUSED, said and f"{said}. See `{_helped(arguments)} --help`."
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED, _STOPPED
    except streams.Stopped as stopped:
        return 128 + stopped.number, f"{stopped}: {_STOPPED}"
    except (BrokenPipeError, SystemExit):  # click's way to say the same of help
        return streams.BROKEN_PIPE, ""
    except MemoryError:
        return _REFUSED, _NO_MEMORY
    except Exception as e:
        if isinstance(e, OSError) and e.errno and e.filename is None:  # of a stream, while help was printed
            return _unsaid(streams.reason_of(e))
        place = traceback.extract_tb(e.__traceback__)[-1]
        what = f"{type(e).__name__} at {place.filename}:{place.lineno}"
        return _REFUSED, f"a defect in sfumato: {what} (its text is kept back: it could quote a row)"
    if code == _INTERRUPTED:
        return code, _STOPPED
    return code if isinstance(code, int) else 0, ""
