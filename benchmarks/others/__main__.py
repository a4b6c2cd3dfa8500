"""Other people's generators under this project's audit; the last line is one JSON object.

    python -m benchmarks.others [--repeats 5] [--only dpmm]

4,000 real, 4,000 holdout and 4,000 synthetic rows of Adult (13 columns, shuffled with seed 0) for the attacks; 2,000
rows of five columns for the canaries. Each generator runs in an environment of its own, named by SFUMATO_OTHERS (a
folder of environments, default .others); one that is missing is said, with the line that makes it, and skipped.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import sfumato as sf
from benchmarks.others.canaries import Failed, Rows, leavings, run, write
from benchmarks.others.peers import PEERS, Peer
from sfumato.tables import examples

MEMBERS, CANARY_ROWS = 4000, 2000
LEFT_OUT = ("fnlwgt", "education-num")
CANARY_COLUMNS = ("age", "workclass", "sex", "hours-per-week", "income")


def people() -> list[dict[str, str]]:
    """Adult, train and test rows together, shuffled; gaps are written ``?`` as in the original."""
    tables = [examples.adult().arrow, examples.adult_test().arrow]
    table = pa.concat_tables(tables).drop_columns(list(LEFT_OUT))
    order = np.random.default_rng(0).permutation(len(table))
    rows = table.take(pa.array(order[: 2 * MEMBERS])).to_pylist()
    return [{k: "?" if v is None else str(v) for k, v in row.items()} for row in rows]


def attacked(peer: Peer, rows: Rows, folder: Path) -> dict[str, Any]:
    """The full suite against one run, the three tables described by a schema drafted from them."""
    real, holdout = write(folder / "real.csv", rows[:MEMBERS]), write(folder / "holdout.csv", rows[MEMBERS:])
    seconds = run(peer, real, folder / "synthetic.csv", MEMBERS)
    found = sf.audit(real, holdout, folder / "synthetic.csv", claimed=peer.claimed, suite="full")
    scored = [a for a in found.attacks if a.auc is not None]
    return {
        "cpu_seconds": round(seconds, 1),
        "verdict": found.verdict,
        "epsilon_lower_bound": round(found.epsilon_lower_bound, 2),
        "best_auc": round(max(a.auc or 0 for a in scored), 3),
        "tpr_at_0.001": max(a.tpr_at_fpr["0.001"] for a in scored),
        "criteria": {
            a.attack: [round(rate, 3) for rate in (a.real, a.holdout, a.naive)] for a in found.attacks if not a.auc
        },
        "copy_bound": round(found.self_tests.copy.epsilon_lower_bound, 2),
    }


def examine(peer: Peer, rows: Rows, repeats: int) -> dict[str, Any]:
    """All that is measured of one generator."""
    narrow = [{c: row[c] for c in CANARY_COLUMNS} for row in rows[:CANARY_ROWS]]
    found: dict[str, Any] = {}
    for part, call in (
        ("canaries", lambda at: leavings(peer, narrow, at, repeats)),
        ("audit", lambda at: attacked(peer, rows, at)),
    ):
        with tempfile.TemporaryDirectory() as name:
            try:
                found[part] = call(Path(name))
            except Failed as end:
                found[part] = {"failed": str(end)}
    return found


def line(name: str, found: dict[str, Any]) -> str:
    """One generator, for people."""
    if "missing" in found:
        return f"{name}: {found['missing']}"
    c, a = found["canaries"], found["audit"]
    shown = f"planted row: {c.get('failed')}"
    if "runs" in c:
        seen = ", ".join(f"{k} {c[k]}/{c['runs']}" for k in c if k not in ("runs", "same output twice"))
        shown = f"{seen}; two runs: {'the same' if c['same output twice'] else 'different'}"
    attacks = f"attacks: {a.get('failed')}"
    if "verdict" in a:
        attacks = f"{a['verdict']}; best AUC {a['best_auc']}; {a['cpu_seconds']} CPU s"
    return f"{name}: {shown}; {attacks}"


def main() -> None:
    """Examine every generator whose environment is there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.others", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="runs with and without the planted person")
    parser.add_argument("--only", default="", help="a part of a generator's name")
    options = parser.parse_args()
    rows = people()
    result: dict[str, Any] = {}
    for name, peer in PEERS.items():
        if options.only.lower() not in name.lower():
            continue
        there = peer.python.exists()
        result[name] = examine(peer, rows, options.repeats) if there else {"missing": f"make it with: {peer.recipe}"}
        print(line(name, result[name]), flush=True)
    print(json.dumps({"benchmark": "others", **result}))


if __name__ == "__main__":
    main()
