"""NVFlare's client as a site runs it: ``python -m`` this, with its own arguments.

NVFlare asks for a right only where the server says that it should: a server that was changed could read files of a site
by ``cat``, end its client, or have its log moved. So the commands that no run needs are answered by nobody. A job is
looked at before it is unpacked anywhere.
"""

from __future__ import annotations

import runpy
from typing import Any

from nvflare.private.admin_defs import Message, error_reply
from nvflare.private.defs import ERROR_MSG_PREFIX
from nvflare.private.fed.client.client_req_processors import ClientRequestProcessors
from nvflare.private.fed.client.training_cmds import DeployProcessor

from sfumato.federation.nvflare.deployer import FOREIGN, is_own

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


class OwnDeployProcessor(DeployProcessor):
    """Answers a job that is none of a federation before it fills a disk: a short file may unpack to any length."""

    def process(self, req: Message, app_ctx: Any) -> Message:
        """See ``RequestProcessor``."""
        return super().process(req, app_ctx) if is_own(req.body) else error_reply(f"{ERROR_MSG_PREFIX}: {FOREIGN}")


def answered() -> list[object]:
    """What is left of NVFlare's answers to commands of the server."""
    left = [each for each in ClientRequestProcessors.request_processors if type(each).__name__ in ANSWERED]
    return [OwnDeployProcessor() if isinstance(each, DeployProcessor) else each for each in left]


if __name__ == "__main__":
    ClientRequestProcessors.request_processors = answered()
    runpy.run_module(_CLIENT, run_name="__main__", alter_sys=True)
