"""Sites against whoever holds the server, and the server against whoever holds a certificate: real processes."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.hospitals import PATIENCE, Hospitals, all_bytes, hospitals

from sfumato.federation.authority import ADMIN
from sfumato.federation.credentials import Credentials
from sfumato.federation.documents import Invitation
from sfumato.federation.nvflare.client import calling_out
from sfumato.federation.nvflare.deployer import FOREIGN
from sfumato.federation.nvflare.job import write_job
from sfumato.federation.nvflare.pipes import listening

pytestmark = pytest.mark.processes

LOOSE = """
from sfumato.cli.main import main
from sfumato.federation.nvflare import kits

strict = kits._local

def loose(folder, resources, **more):
    strict(folder, {**resources, "class_allow_list": ["*"]}, **more)
    path = folder / "local" / "authorization.json"
    path.write_text(path.read_text().replace('"none"', '"any"'))

kits._local = loose
main()
"""
"""A coordinator whose server allows everything."""
ADMINISTRATOR = """
import os, sys, time
from nvflare.fuel.flare_api.flare_api import new_secure_session

user, kit, *jobs = sys.argv[1:]
session = new_secure_session(user, kit, timeout=30)
for job in jobs:
    number = session.submit_job(job)
    while not os.path.exists(os.path.join(os.path.dirname(job), "seen")):
        time.sleep(0.1)
    session.abort_job(number)
print(session.ls_target("north"), session.cat_target("north", None, "log.txt"), flush=True)
session.close()
os._exit(0)  # whatever threads are left
"""
"""Submits jobs one after the other, then asks a site for what lies in its folder."""
SECRET = "LYNX"
FAILING = f"""
from sfumato.cli.main import main
from sfumato.trust import summing

right, left = summing.exact, [1]

def failing(question, records):
    left[0] -= 1
    if not left[0]:
        raise ValueError(f"{SECRET} in {{len(records)}} rows")
    return right(question, records)

summing.exact = failing
main()
"""
"""A site where the first sum fails with a text that its rows may be read off."""


def until(true: Callable[[], bool], made: Hospitals) -> None:
    """Wait for a state, while the coordinator runs."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert made.running("coordinator"), made.said("coordinator")
        assert time.monotonic() < end
        time.sleep(0.1)


@contextmanager
def administrator(made: Hospitals, *jobs: Path) -> Iterator[subprocess.Popen[str]]:
    """A session of whoever holds the server, in a process of its own: each job runs until there is a file beside it."""
    kit = made.folder / "co" / "connection" / "admin"
    process = made.start("session", ADMIN, kit, *jobs, program=ADMINISTRATOR)
    yield process
    assert process.wait(PATIENCE) == 0, made.said("session")


def logged(made: Hospitals, name: str) -> str:
    """What NVFlare's processes have logged at a site."""
    folder = made.folder / name / "connection"
    return "\n".join(path.read_text(errors="replace") for path in folder.rglob("log.txt"))


def test_nobody_comes_in_by_another_name_and_no_code_is_taken(tmp_path: Path) -> None:
    with hospitals(tmp_path) as made:
        sites = {"north": made.site("north"), "east": made.site("east", program=FAILING)}
        coordinator = made.coordinator("--wait", PATIENCE, program=LOOSE)
        until(lambda: made.federation.status().get("sites_missing") == ["west"], made)
        another_name(made)
        code_and_classes(made)
        sites["west"] = made.site("west")
        assert coordinator.wait(PATIENCE) == 0, made.said("coordinator")
        assert [site.wait(PATIENCE) for site in sites.values()] == [0, 0, 0], [made.said(n) for n in made.names]
    said = [path for path, data in all_bytes(tmp_path) if SECRET.encode() in data]
    assert said == [tmp_path / "east" / "site.log"]


def another_name(made: Hospitals) -> None:
    """A genuine certificate of east under the name of west: never connected."""
    asked = Invitation.load(made.folder / "east" / "plan.json")
    key = (made.folder / "east" / "connection.key").read_bytes()
    genuine = Credentials(key, asked.certificates["east"], asked.authority)
    folder = made.folder / "liar"
    folder.mkdir(mode=0o700)
    log = made.folder / "co" / "connection" / "server" / "log.txt"
    with calling_out(folder, "west", asked.address, genuine, lambda _: None):
        until(lambda: "authenticated as 'east' but claimed endpoint 'west'" in log.read_text(), made)
        assert made.federation.status()["sites_missing"] == ["west"]


def code_and_classes(made: Hospitals) -> None:
    """What a job brings along, or names, and is none of ours: refused by the site, whatever the server allows."""
    proof = made.folder / "proof"
    with listening() as listener:
        code, classes = (write_job(made.folder / name, ["north"], 1, listener.path) for name in ("code", "classes"))
        (code / "app" / "custom").mkdir()
        (code / "app" / "custom" / "own.py").write_text(f"open({str(proof)!r}, 'w')\n\nclass Own:\n    pass\n")
        replace_component(code, "own.Own", {})
        replace_component(classes, "subprocess.Popen", {"args": ["touch", str(proof)]})
        with administrator(made, code, classes):
            for times, job in enumerate((code, classes), 1):
                until(partial(refused, made, times), made)
                job.with_name("seen").touch()
    assert not proof.exists()
    assert made.said("session").count("invalid_request") == 2  # no such command at a site


def refused(made: Hospitals, times: int) -> bool:
    """Whether north has refused so many jobs."""
    return logged(made, "co").count(f"north: NVFLARE_ERROR: {FOREIGN}") >= times


def replace_component(job: Path, path: str, args: dict[str, Any]) -> None:
    """Let the job make another object at the site."""
    config = job / "app" / "config" / "config_fed_client.json"
    data = json.loads(config.read_text())
    data["components"][0].update(path=path, args=args)
    config.write_text(json.dumps(data))
