"""What runs of ours in NVFlare's processes, and what these are given: nothing that they do not need."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from sfumato.federation.address import Address
from sfumato.federation.credentials import Credentials
from sfumato.federation.nvflare import attended, relays
from sfumato.federation.nvflare.kits import write_server, write_site
from sfumato.federation.nvflare.pipes import SITE_PIPE, Call, Pipe, listening

KEYS = Credentials(b"key", "certificate", "authority")


def called_by(caller: str, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """What a site's relay answers to ``caller``; its site answers everything."""
    monkeypatch.setattr(relays, "collab", SimpleNamespace(caller=caller))
    with listening() as listener:
        monkeypatch.setenv(SITE_PIPE, listener.path)

        def answer() -> None:
            pipe = listener.accept(0.5)
            if pipe is not None:
                assert Call.of(pipe.take(10.0) or b"").method == "masked"
                pipe.give(Pipe.ANSWERED + b"sum")
                pipe.close()

        site = threading.Thread(target=answer)
        site.start()
        relay = relays.SiteRelay()
        found = relay.call("masked", b"")
        if relay._pipe is not None:
            relay._pipe.close()
        site.join()
    return found


def test_the_coordinator_alone_calls_a_site(monkeypatch: pytest.MonkeyPatch) -> None:
    """NVFlare lets every site of a job call every other: one could read what is opened, or end a run."""
    assert called_by("server", monkeypatch) == Pipe.ANSWERED + b"sum"
    assert called_by("east", monkeypatch) == Pipe.FAILED + b"the coordinator alone calls a site"


def test_a_site_shows_nothing_to_the_session_that_starts_a_run(tmp_path: Path) -> None:
    write_site(tmp_path / "site", "north", Address("localhost", 1), KEYS)
    write_server(tmp_path / "server", Address("localhost", 1), KEYS)
    rights = {}
    for side in ("site", "server"):
        stated = json.loads((tmp_path / side / "local" / "authorization.json").read_text())
        rights[side] = stated["permissions"]["project_admin"]
        assert {rights[side][right] for right in ("byoc", "shell_commands", "download_job")} == {"none"}
    assert {rights["site"][right] for right in ("view", "operate")} == {"none"}


def test_no_secret_of_the_environment_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "secret")
    monkeypatch.setenv("LC_ALL", "C")
    kept = attended._kept()
    assert "PGPASSWORD" not in kept
    assert (kept["LC_ALL"], "PATH" in kept) == ("C", True)


def test_no_module_is_taken_from_the_folder_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stray.py").touch()
    monkeypatch.chdir(tmp_path)
    with attended.attended([sys.executable, "-c", "import stray"], tmp_path / "log", {}) as process:
        process.wait(60)
    assert "No module named 'stray'" in (tmp_path / "log").read_text()
