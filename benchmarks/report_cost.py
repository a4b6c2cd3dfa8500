"""What an internal report of Adult costs by the command line, and how it looks on a telephone, beside their limits.

``python -m benchmarks.report_cost [--only full|quick]``. A model is fitted and a report written with
``sfumato report --real --holdout``, each in a process of its own, whose CPU seconds (of all threads) the system counts.
Then Chromium opens the report in a frame as wide as a telephone: how many screens high are the page that decides, the
privacy officer's and the data scientist's, as they open; and which tables are wider than their place, all unfolded.
The last line is one JSON object, with null for what was not measured, as where there is no Chromium.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import sfumato as sf

LIMITS = {"full": 60.0, "quick": 15.0}
"""CPU seconds."""
SCREENS = 12.0
"""The highest that one of the three pages may be."""
WIDE, HIGH = 390, 844
"""CSS pixels of a telephone."""
_PAGES = ("uses", "officer", "scientist")
_PROBE = """<script>addEventListener("load", () => {
  const tops = PAGES.map(i => document.getElementById(i).getBoundingClientRect().top + scrollY);
  tops[0] = 0;
  tops.push(document.documentElement.scrollHeight);
  for (const d of document.querySelectorAll("details")) d.open = true;
  const wider = [...document.querySelectorAll("table, .scroll")].filter(t => t.scrollWidth > t.clientWidth + 1
    || t.getBoundingClientRect().right > innerWidth + 1).map(t => t.textContent.trim().slice(0, 60));
  parent.document.documentElement.dataset.seen = JSON.stringify({
    heights: tops.slice(1).map((top, i) => top - tops[i]), sideways: wider,
    page: document.documentElement.scrollWidth > innerWidth});
});</script>""".replace("PAGES", json.dumps(_PAGES))
_CHROMIUM = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars", "--dump-dom")


def run(folder: Path, *words: str) -> tuple[float, float]:
    """CPU and wall seconds of ``sfumato``'s command in a process of its own."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "sfumato.cli", *words], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"sfumato {' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime, time.perf_counter() - began


def looked_at(report: Path) -> dict[str, Any]:
    """Screens of each page and what scrolls sideways, as Chromium lays the report out; null without Chromium."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        return {"screens": None, "sideways": None}
    inner = html.escape(report.read_text(encoding="utf-8").replace("</body>", _PROBE + "</body>"))
    frame = report.with_name("frame.html")  # no window of Chromium is so narrow, but a frame is
    style = f"width: {WIDE}px; height: {HIGH}px; border: 0"
    frame.write_text(f'<iframe style="{style}" srcdoc="{inner}"></iframe>', encoding="utf-8")
    profile = f"--user-data-dir={report.with_name('profile')}"
    done = subprocess.run(
        [browser, *_CHROMIUM, profile, frame.as_uri()], capture_output=True, text=True, timeout=300, check=True
    )
    found = re.search(r'data-seen="([^"]*)"', done.stdout)
    if found is None:
        raise SystemExit(f"Chromium did not lay {report.name} out: {done.stderr[-500:]}")
    seen = json.loads(html.unescape(found.group(1)))
    screens = {page: round(high / HIGH, 1) for page, high in zip(_PAGES, seen["heights"], strict=True)}
    return {"screens": screens, "sideways": [*seen["sideways"], *(["the page"] if seen["page"] else [])]}


def measured(folder: Path, suite: str) -> dict[str, Any]:
    """One report."""
    words = ("report", "adult.sfm", "-o", f"{suite}.html", "--real", "real.parquet", "--holdout", "holdout.parquet")
    cpu, wall = run(folder, *words, *(("--quick",) if suite == "quick" else ()))
    print(f"{suite}: {cpu:.1f} CPU seconds, {wall:.1f} seconds", file=sys.stderr)
    return {
        "cpu_seconds": round(cpu, 1),
        "seconds": round(wall, 1),
        "bytes": (folder / f"{suite}.html").stat().st_size,
        **looked_at(folder / f"{suite}.html"),
    }


def figures(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Each figure with its limit; ``value`` and ``met`` are null where it was not measured."""
    listed: list[tuple[str, float | None, float]] = []
    for suite, limit in LIMITS.items():
        report = found.get(suite, {})
        screens, sideways = report.get("screens"), report.get("sideways")
        listed += [
            (f"CPU seconds of the {suite} report of Adult", report.get("cpu_seconds"), limit),
            (f"screens of its highest page at {WIDE} px, {suite}", screens and max(screens.values()), SCREENS),
            (f"tables that scroll sideways at {WIDE} px, {suite}", None if sideways is None else len(sideways), 0),
        ]
    return [
        {"name": name, "value": value, "limit": limit, "met": None if value is None else value <= limit}
        for name, value, limit in listed
    ]


def main() -> None:
    """Print one JSON object; exit code 1 where a figure is not met."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=tuple(LIMITS))
    chosen = parser.parse_args().only
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sf.examples.adult().write(folder / "real.parquet")
        sf.examples.adult_test().write(folder / "holdout.parquet")
        fitted = sf.Synthesizer(sf.examples.adult_schema(), guarantee=sf.Guarantee(1, 1e-9), target="income")
        fitted.fit(sf.examples.adult()).save(folder / "adult.sfm")
        found = {suite: measured(folder, suite) for suite in LIMITS if chosen in (None, suite)}
    listed = figures(found)
    print(json.dumps({"figures": listed, "reports": found}))
    sys.exit(0 if all(figure["met"] is not False for figure in listed) else 1)


if __name__ == "__main__":
    main()
