"""A site's client answers what a run needs, and no other command of a server."""

from __future__ import annotations

import subprocess
import sys

from tests.journeys.conftest import environment

PROGRAM = """
from sfumato.federation.nvflare.client_process import ANSWERED, answered
left = {type(each).__name__ for each in answered()}
assert left == ANSWERED, left ^ ANSWERED
topics = {topic for each in answered() for topic in each.get_topics()}
print(*sorted(topics))
"""


def test_no_shell_no_log_and_no_end_for_the_server() -> None:
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
