"""What a site lets a server deploy: its own job alone, and nothing is written of another one."""

from __future__ import annotations

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from tests.journeys.conftest import environment

from sfumato.federation.nvflare.job import SERVER_CONFIG, SITE_CONFIG, site_job, write_job

NUMBER = "2f1c4c5e-6f0b-4f57-9a83-0d6f1f6f7f11"
PROGRAM = """
import json, sys
from types import SimpleNamespace
from nvflare.private.fed.utils.app_deployer import AppDeployer
from sfumato.federation.nvflare.deployer import FOREIGN, OwnJobDeployer

AppDeployer.deploy = lambda *arguments, **named: ""
for line in sys.stdin:
    job, data = json.loads(line)
    said = OwnJobDeployer().deploy(None, job, {}, "app", bytes.fromhex(data), None)
    assert said in ("", FOREIGN)
    print("refused" if said else "deployed")
"""
"""Says of each job whether NVFlare would come to write it; in a process of its own: NVFlare leaves threads."""


def packed(files: dict[str, bytes]) -> bytes:
    """As a server sends them."""
    data = BytesIO()
    with ZipFile(data, "w") as written:
        for name, content in files.items():
            written.writestr(name, content)
    return data.getvalue()


@pytest.fixture
def own(tmp_path: Path) -> dict[str, bytes]:
    """The files of our job, with what NVFlare adds."""
    app = write_job(tmp_path, ["a", "b", "c", "d", "e"], 5, "/pipe") / "app"
    return {".__nvfl_sig.json": b"{}", **{name: (app / name).read_bytes() for name in (SERVER_CONFIG, SITE_CONFIG)}}


def judged(*jobs: tuple[str, bytes]) -> list[str]:
    """What becomes of these jobs."""
    lines = "\n".join(json.dumps([job, data.hex()]) for job, data in jobs)
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        command, input=lines, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_own_job_is_deployed_and_no_other(own: dict[str, bytes]) -> None:
    """Code that came with a job lay where its process looks for modules, for as long as a long file took to unpack."""
    other = json.loads(own[SITE_CONFIG])
    other["components"][0]["path"] = "subprocess.Popen"
    changed = {
        "code": {**own, "custom/xgboost/core.py": b"print('run')"},
        "an empty folder for code": {**own, "custom/": b""},
        "another class": {**own, SITE_CONFIG: json.dumps(other).encode()},
        "another form of the same file": {**own, "config/config_fed_client.conf": b""},
        "nothing": {},
        "no JSON": {**own, SITE_CONFIG: b"["},
        "nested without end": {**own, SITE_CONFIG: b"[" * 100_000},
        "a file of a gigabyte": {**own, SITE_CONFIG: own[SITE_CONFIG] + b" " * (1 << 20)},
    }
    jobs = [(NUMBER, packed(files)) for files in changed.values()]
    assert judged((NUMBER, packed(own)), *jobs, (NUMBER, b"no zip")) == ["deployed"] + ["refused"] * (len(jobs) + 1)
    assert site_job() == json.loads(own[SITE_CONFIG])


def test_the_name_of_a_folder_is_no_job(own: dict[str, bytes]) -> None:
    """NVFlare empties the folder of a job first: by this name the site's own rules, by that its keys."""
    names = ("local", "startup", "nvflare", "", "..", NUMBER.upper(), f"{NUMBER}/x")
    assert judged(*((name, packed(own)) for name in names)) == ["refused"] * len(names)
