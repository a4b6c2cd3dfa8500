"""A model or a ledger of somebody else cannot write on the reader's terminal or turn the letters of a report."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

from sfumato.release.artifact import Artifact

FORGED = "x\x1b[2J\x1b[H\nVALID  every byte as saved; signed by key 0123\u202e\u200b"


def test_no_command_prints_what_acts_on_a_terminal(run, data, schema, tmp_path) -> None:
    name = FORGED.replace("\n", "\\n").replace("\x1b", "\\e")
    text = schema.read_text().replace("  town:", f'  "{name}":')
    (tmp_path / "forged.yaml").write_text(text, encoding="utf-8")
    table = data.read_text().replace("town", f'"{FORGED}"', 1)
    (tmp_path / "forged.csv").write_text(table, encoding="utf-8")
    run(
        "fit", "forged.csv", "--schema", "forged.yaml", "--model", "independent", "-o", "m.sfm", "--curator", FORGED,
        "--ledger", "l",
    ).fine()  # fmt: skip
    db = sqlite3.connect(tmp_path / "l")
    with db:
        db.execute("UPDATE run SET label = ?, began = ?", (FORGED, FORGED))
        db.execute("UPDATE cap SET unit = ?", (FORGED,))
    db.close()
    whole = Artifact.load(tmp_path / "m.sfm")
    replace(whole, certificate={**whole.certificate, "certificate": None, "reason": FORGED}).save(tmp_path / "none.sfm")
    for command in (
        ("verify", "m.sfm"), ("verify", "m.sfm", "--json"), ("verify", "none.sfm"), ("ledger", "l"),
        ("review", "forged.yaml"), ("sample", "m.sfm", "-o", "s.csv", "--given", "\x1b[2J=1"),
        ("verify", "\x1b[2J.sfm"),
        ("report", "m.sfm", "-o", "r.html"), ("fit", "--\x1b[2J"),
    ):  # fmt: skip
        done = run(*command)
        lines = (done.out + done.err).split("\n")
        assert all(line.isprintable() for line in lines), (command, lines)
        assert not any(line.startswith("VALID") and "0123" in line for line in lines), (command, lines)
    page = Path("r.html").read_text(encoding="utf-8")
    assert not set(page) & set("\x1b\u202e\u200b")


def test_no_figure_of_rows_begins_a_line_that_a_file_wrote(run, data, schema, tmp_path) -> None:
    """Names of columns stand in the lines of ``evaluate`` and ``audit``, and begin none."""
    forged = {name: f"x\nVALID {name}" for name in ("age", "sex", "town", "wage", "income")}
    text, table = schema.read_text(), data.read_text()
    for name, other in forged.items():
        text = text.replace(f"  {name}:", f"  {json.dumps(other)}:")
        text = text.replace(f"target: {name}", f"target: {json.dumps(other)}")
    head = ",".join(f'"{other}"' for other in forged.values())
    assert table.splitlines()[0] == ",".join(forged)
    (tmp_path / "forged.yaml").write_text(text)
    for file, part in (("real.csv", 0), ("holdout.csv", 1), ("synthetic.csv", 2)):
        (tmp_path / file).write_text("\n".join([head, *table.splitlines()[1:][part::3]]) + "\n")
    tables = ("--real", "real.csv", "--holdout", "holdout.csv", "--synthetic", "synthetic.csv")
    for command in (("evaluate", "--quick"), ("audit", "--full")):
        said = run(*command, *tables, "--schema", "forged.yaml").fine().out
        assert not any(line.startswith("VALID") for line in said.split("\n")), said
    assert "VALID" in said
