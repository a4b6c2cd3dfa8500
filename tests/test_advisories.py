"""Advisories against pins are found where an index gives them, and what was not asked is not called sound."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from benchmarks.advisories import pins

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = pins()
SOUND, WITHDRAWN, HIT, UNKNOWN = list(VERSIONS)[:4]
KNOWN: dict[str, Any] = {
    SOUND: {"vulnerabilities": []},
    WITHDRAWN: {"vulnerabilities": [{"id": "X-1", "fixed_in": [], "withdrawn": "2026-01-01T00:00:00Z"}]},
    HIT: {"vulnerabilities": [{"id": "X-2", "fixed_in": ["99.1"], "withdrawn": None}]},
}


class Index(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answers = {f"/pypi/{name}/{VERSIONS[name]}/json": found for name, found in KNOWN.items()}
        found = answers.get(self.path)
        self.send_response(404 if found is None else 200)
        self.end_headers()
        if found is not None:
            self.wfile.write(json.dumps(found).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def index() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/simple"
        server.shutdown()


def run(index: str, *names: str) -> tuple[int, str, dict[str, Any]]:
    """Exit code, all that was printed, and the figure."""
    environment = {**os.environ, "PIP_INDEX_URL": index, "no_proxy": "*"}
    command = [sys.executable, "-m", "benchmarks.advisories", *names]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    (figure,) = json.loads(done.stdout.splitlines()[-1])["figures"]
    return done.returncode, done.stdout, figure


def test_pins_without_a_standing_advisory_are_sound(index: str) -> None:
    code, _, figure = run(index, SOUND, WITHDRAWN)
    assert (code, figure["value"], figure["met"]) == (0, 0, True)


def test_an_advisory_is_named_with_the_version_that_mends_it(index: str) -> None:
    code, said, figure = run(index, SOUND, HIT)
    assert (code, figure["value"], figure["met"]) == (1, 1, False)
    assert f"{HIT}: X-2 (mended in 99.1)" in said


@pytest.mark.parametrize("names", [(SOUND, UNKNOWN), (UNKNOWN,)])
def test_what_the_index_has_no_answer_for_is_not_called_sound(index: str, names: tuple[str, ...]) -> None:
    code, _, figure = run(index, *names)
    assert (code, figure["value"], figure["met"]) == (1, None, False)


def test_an_index_that_is_not_there_is_not_called_sound() -> None:
    code, said, figure = run("http://127.0.0.1:9/simple", SOUND)
    assert (code, figure["value"], figure["met"]) == (1, None, False)
    assert "advisories were not checked" in said
