"""How a site starts the process of a job: NVFlare's way, but its death ends no job of the others."""

from __future__ import annotations

from nvflare.apis.job_launcher_spec import JobReturnCode
from nvflare.app_common.job_launcher.client_process_launcher import ClientProcessJobLauncher
from nvflare.app_common.job_launcher.process_launcher import ProcessHandle


class TolerantLauncher(ClientProcessJobLauncher):
    """Starts a relay. One that is killed, or crashes, is reported as ended for a reason that nobody knows.

    Reported as failed it would make the server end the job at every site.
    """

    def launch_job(self, job_meta: dict, fl_ctx: object) -> ProcessHandle:
        """See ``ProcessJobLauncher``."""
        return _Handle(process_adapter=super().launch_job(job_meta, fl_ctx).adapter)


class _Handle(ProcessHandle):
    def poll(self) -> int:
        code = self.adapter.poll()
        return JobReturnCode.SUCCESS if code == 0 else JobReturnCode.UNKNOWN
