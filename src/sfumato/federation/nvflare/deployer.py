"""What a site lets a server deploy: the one job that it knows itself, and nothing else."""

from __future__ import annotations

import json
import uuid
import zlib
from io import BytesIO
from typing import Any
from zipfile import BadZipFile, ZipFile

from nvflare.private.fed.utils.app_deployer import AppDeployer

from sfumato.federation.nvflare.job import SERVER_CONFIG, SITE_CONFIG, site_job

_MOST_BYTES = 1 << 20
"""Of a file of a job: ours has a kilobyte."""
_SIGNED = (".__nvfl_sig.json", ".__nvfl_submitter.crt")
"""Files that NVFlare adds to each folder of a job: signatures of the rest, and who made them."""
_FILES = frozenset(("config/", SITE_CONFIG, SERVER_CONFIG, *_SIGNED, *(f"config/{name}" for name in _SIGNED)))
"""All that a job may bring along; of these a site reads its own file alone."""
FOREIGN = "the job is none of a federation"


class OwnJobDeployer(AppDeployer):
    """Judges a job before anything of it is written where processes of a site look for files.

    NVFlare unpacks first and judges then. So code that it refuses lies for a while, as long as a server likes by the
    length of what it sends, in a folder that the process of a job takes modules from. And it takes any name for that of
    a job, that of the folder with the site's own rules too, which it empties for it.
    """

    def deploy(
        self, workspace: Any, job_id: str, job_meta: dict[str, Any], app_name: str, app_data: bytes, fl_ctx: Any
    ) -> str:
        """See ``AppDeployer``: why it is not deployed, or nothing."""
        if not (_is_number(job_id) and is_own(app_data)):
            return FOREIGN
        return super().deploy(workspace, job_id, job_meta, app_name, app_data, fl_ctx)


def _is_number(job_id: object) -> bool:
    """Whether it is one that NVFlare gives, in place of the name of a folder."""
    try:
        return isinstance(job_id, str) and str(uuid.UUID(job_id)) == job_id
    except ValueError:
        return False


def is_own(data: object) -> bool:
    """Whether the packed files are those of ``job.write_job``, and say of a site what it says itself."""
    if not isinstance(data, bytes):
        return False
    try:
        with ZipFile(BytesIO(data)) as packed:
            names = [entry.filename for entry in packed.infolist()]
            whole = len(set(names)) == len(names) and set(names) <= _FILES and SITE_CONFIG in names
            whole = whole and max(entry.file_size for entry in packed.infolist()) <= _MOST_BYTES
            return whole and json.loads(packed.read(SITE_CONFIG)) == site_job()
    except (BadZipFile, ValueError, RecursionError, NotImplementedError, RuntimeError, OSError, EOFError, zlib.error):
        return False
