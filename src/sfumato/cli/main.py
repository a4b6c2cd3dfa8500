"""The program ``sfumato``: commands by name, and every failure as one line on stderr with exit code 2."""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from typing import Annotated

import typer

import sfumato
from sfumato.cli import audit, demo, evaluate, fit, keygen, ledger, sample, sketch, verify
from sfumato.errors import SfumatoError

app = typer.Typer(
    name="sfumato",
    help="Synthetic data about people under a formal privacy guarantee: sketch, fit, verify, sample, evaluate.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _options(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if version:
        print(f"sfumato {sfumato.__version__}")
        raise typer.Exit


app.command("sketch")(sketch.sketch)
app.command("fit")(fit.fit)
app.command("sample")(sample.sample)
app.command("verify")(verify.verify)
app.command("evaluate")(evaluate.evaluate)
app.command("audit")(audit.audit)
app.command("ledger")(ledger.ledger)
app.command("keygen")(keygen.keygen)
app.command("demo")(demo.demo)

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 when done, 2 with one line on bad input, 130 when interrupted.

    An unforeseen error is reported by its type and place alone, because its text could quote a row.
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        code = app(arguments, standalone_mode=False)
        if code == INTERRUPTED:
            _fail(
                "interrupted; what was charged to the ledger stays charged, no file was left half-written", INTERRUPTED
            )
        sys.exit(code if isinstance(code, int) else 0)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted; what was charged to the ledger stays charged, no file was left half-written", INTERRUPTED)
    except SfumatoError as e:
        _fail(str(e))
    except typer.TyperException as e:
        _fail(f"{e.format_message() or 'no command given.'} See `sfumato --help`.")
    except MemoryError:
        _fail("not enough memory for this table and schema; merge categories or narrow the bounds in the schema")
    except Exception as e:
        frame = traceback.extract_tb(e.__traceback__)[-1]
        _fail(f"a defect in sfumato: {type(e).__name__} at {frame.filename}:{frame.lineno} (its text may quote a row)")


def _fail(message: str, code: int = 2) -> None:
    line = " ".join(message.split())
    if "--json" in sys.argv:
        print(json.dumps({"error": line}))
    print(f"sfumato: {line}", file=sys.stderr)
    sys.exit(code)
