"""NVFlare's client as a site runs it: ``python -m`` this, with its own arguments.

NVFlare asks for a right only where the server says that it should: a server that was changed could read files of a site
by ``cat``, end its client, or have its log moved. So the commands that no run needs are answered by nobody.
"""

from __future__ import annotations

import runpy

from nvflare.private.fed.client.client_req_processors import ClientRequestProcessors

_CLIENT = "nvflare.private.fed.app.client.client_train"
ANSWERED = frozenset(
    {
        "AbortAppProcessor",
        "AbortTaskProcessor",
        "CancelResourceProcessor",
        "CheckResourceProcessor",
        "DeployProcessor",
        "NotifyJobStatusProcessor",
        "StartJobProcessor",
    }
)
"""What a run needs: relays are deployed, started and ended."""


def answered() -> list[object]:
    """What is left of NVFlare's answers to commands of the server."""
    return [each for each in ClientRequestProcessors.request_processors if type(each).__name__ in ANSWERED]


if __name__ == "__main__":
    ClientRequestProcessors.request_processors = answered()
    runpy.run_module(_CLIENT, run_name="__main__", alter_sys=True)
