"""A site's client answers what a run needs, unpacks no foreign job, and answers no other command of a server."""

from __future__ import annotations

import subprocess
import sys

from tests.journeys.conftest import environment

PROGRAM = """
from nvflare.private.admin_defs import Message
from sfumato.federation.nvflare import client_process
from sfumato.federation.nvflare.client_process import ANSWERED, OwnDeployProcessor, answered
left = {type(each).__name__ for each in answered()}
assert left == ANSWERED - {"DeployProcessor"} | {"OwnDeployProcessor"}, left
reply = OwnDeployProcessor().process(Message("train.deploy", b"no job of ours"), None)
assert client_process.FOREIGN in reply.body, reply.body
topics = {topic for each in answered() for topic in each.get_topics()}
print(*sorted(topics))
"""


def test_no_foreign_job_no_shell_no_log_and_no_end_for_the_server() -> None:
    command = [sys.executable, "-c", PROGRAM]  # of its own: NVFlare leaves threads and sockets in a process
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    topics = done.stdout.split()
    assert "train.deploy" in topics
    for ending in (
        *("shell", "restart", "shutdown", "delete_run"),
        *("configure_job_log", "configure_site_log", "report_env"),
    ):
        assert not [topic for topic in topics if topic.endswith(ending)], ending
