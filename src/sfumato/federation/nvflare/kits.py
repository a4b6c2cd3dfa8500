"""Folders that processes of NVFlare start from: everything is off that a federation does not need.

No code is taken from the coordinator (``byoc: none``), a site deploys no job but the one that it knows (``deployer``),
only the classes of a relay may be loaded, no shell command is answered, no log is sent, and nothing is stored outside
the folder. All folders are for their owner's eyes alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from sfumato.federation.address import Address
from sfumato.federation.authority import ADMIN, SERVER
from sfumato.federation.credentials import Credentials
from sfumato.federation.nvflare.job import CONTROLLER, COORDINATOR_RELAY, EXECUTOR, HEARTBEAT, SITE_RELAY
from sfumato.results.plain import Json

PROJECT = "sfumato"
_SCHEDULER = "nvflare.app_common.job_schedulers.job_scheduler"
_LAUNCHER = "sfumato.federation.nvflare.launcher.TolerantLauncher"
_DEPLOYER = "sfumato.federation.nvflare.deployer.OwnJobDeployer"
_POLLING = 0.1
"""Seconds between a site's looks for a job; NVFlare waits two."""
_SESSION_PATIENCE, _SESSION_IDLE = 10.0, 86_400.0
"""Seconds that the session which starts a run waits for an answer, and may say nothing: a run may take a day."""


def write_server(folder: Path, address: Address, credentials: Credentials) -> None:
    """The coordinator's server, in an empty ``folder``."""
    _credentials(folder, "server", credentials)
    service = {"target": str(address), "scheme": "http"}
    server = {
        "name": PROJECT,
        "service": service,
        "admin_server": address.host,
        "admin_port": address.port,
        "ssl_private_key": "server.key",
        "ssl_cert": "server.crt",
        "ssl_root_cert": "rootCA.pem",
        "connection_security": "mtls",
    }
    _write(folder / "startup" / "fed_server.json", {"format_version": 2, "servers": [server]})
    storage = "nvflare.app_common.storages.filesystem_storage.FilesystemStorage"
    limits = {"admin_storage": "transfer", "max_num_clients": 100, "heart_beat_timeout": HEARTBEAT}
    jobs = {"uri_root": str(folder / "jobs"), "job_store_id": "job_store"}
    resources = {
        "format_version": 2,
        "class_list_enforcement_mode": "enforce",
        "class_allow_list": [CONTROLLER, COORDINATOR_RELAY],
        "servers": [{**limits, "task_request_interval": _POLLING, "admin_timeout": _SESSION_PATIENCE}],
        "snapshot_persistor": {
            "path": "nvflare.app_common.state_persistors.storage_state_persistor.StorageStatePersistor",
            "args": {
                "uri_root": "/",
                "storage": {"path": storage, "args": {"root_dir": str(folder / "snapshots"), "uri_root": "/"}},
            },
        },
        "components": [
            _component(
                "job_scheduler", "nvflare.app_common.job_schedulers.job_scheduler.DefaultJobScheduler", max_jobs=4
            ),
            _component("job_manager", "nvflare.apis.impl.job_def_manager.SimpleJobDefManager", **jobs),
            _component("job_store", storage),
            _component(
                "process_launcher",
                "nvflare.app_common.job_launcher.server_process_launcher.ServerProcessJobLauncher",
            ),
        ],
    }
    _local(folder, resources, shown="any")


def write_site(folder: Path, name: str, address: Address, credentials: Credentials) -> None:
    """The client of the site ``name``, in an empty ``folder``."""
    _credentials(folder, "client", credentials)
    client = {
        "ssl_private_key": "client.key",
        "ssl_cert": "client.crt",
        "ssl_root_cert": "rootCA.pem",
        "fqsn": name,
        "is_leaf": True,
        "connection_security": "mtls",
    }
    service = {"target": str(address), "scheme": "http"}
    servers = [{"name": PROJECT, "service": service, "identity": SERVER}]
    _write(folder / "startup" / "fed_client.json", {"format_version": 2, "servers": servers, "client": client})
    gpu = "nvflare.app_common.resource_{}.gpu_resource_{}"
    resources = {
        "format_version": 2,
        "class_list_enforcement_mode": "enforce",
        "class_allow_list": [EXECUTOR, SITE_RELAY],
        "allow_log_streaming": False,
        "client": {"retry_timeout": HEARTBEAT, "compression": "Gzip"},
        "components": [
            _component(
                "resource_manager",
                gpu.format("managers", "manager.GPUResourceManager"),
                num_of_gpus=0,
                mem_per_gpu_in_GiB=0,
                expiration_period=300,
            ),
            _component("resource_consumer", gpu.format("consumers", "consumer.GPUResourceConsumer")),
            _component("process_launcher", _LAUNCHER),
            _component("app_deployer", _DEPLOYER),
        ],
    }
    _local(folder, resources)


def write_admin(folder: Path, address: Address, credentials: Credentials) -> None:
    """The session that starts a run, in an empty ``folder``."""
    _credentials(folder, "client", credentials)
    admin = {
        "project_name": PROJECT,
        "username": ADMIN,
        "server_identity": SERVER,
        "scheme": "http",
        "host": address.host,
        "port": address.port,
        "connection_security": "mtls",
        "uid_source": "user_input",
        "with_file_transfer": True,
        "upload_dir": "transfer",
        "download_dir": "transfer",
        "client_key": "client.key",
        "client_cert": "client.crt",
        "ca_cert": "rootCA.pem",
    }
    _write(folder / "startup" / "fed_admin.json", {"format_version": 1, "admin": admin})
    session = {
        "idle_timeout": _SESSION_IDLE,
        "login_timeout": _SESSION_PATIENCE,
        "with_debug": False,
        "authenticate_msg_timeout": 2.0,
    }
    _write(folder / "local" / "resources.json", {"format_version": 1, "admin": session})


def _component(name: str, path: str, **args: Json) -> dict[str, Json]:
    return {"id": name, "path": path, "args": args}


def _credentials(folder: Path, side: str, credentials: Credentials) -> None:
    startup = folder / "startup"
    startup.mkdir(mode=0o700, parents=True)
    (folder / "transfer").mkdir(mode=0o700)
    for name, data in (
        (f"{side}.key", credentials.key),
        (f"{side}.crt", credentials.certificate.encode()),
        ("rootCA.pem", credentials.authority.encode()),
    ):
        with open(os.open(startup / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(data)


def _local(folder: Path, resources: Mapping[str, Json], shown: str = "none") -> None:
    """What its owner decides: which classes are loaded, what is answered, where logs go.

    Args:
        folder: of the kit.
        resources: what is loaded.
        shown: whether the administrator may ask for its state, and change it: ``any``, or ``none`` at a site.
    """
    _write(folder / "local" / "resources.json", resources)
    nobody = {"submit_job": "none", "byoc": "none", "shell_commands": "none", "download_job": "none"}
    administrator = {**nobody, "submit_job": "any", "manage_job": "any", "view": shown, "operate": shown}
    permissions = {"project_admin": administrator, "org_admin": nobody, "lead": nobody, "member": nobody}
    _write(folder / "local" / "authorization.json", {"format_version": "1.0", "permissions": permissions})
    formatter = {
        "()": "nvflare.fuel.utils.log_utils.BaseFormatter",
        "fmt": "%(asctime)s %(name)s %(levelname)s %(fl_ctx)s %(message)s",
    }
    handler = {
        "class": "logging.handlers.RotatingFileHandler",
        "level": "INFO",
        "formatter": "lines",
        "filename": "log.txt",
        "maxBytes": 20_000_000,
        "backupCount": 3,
    }
    logging = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": formatter},
        "handlers": {"file": handler},
        "loggers": {"root": {"level": "INFO", "handlers": ["file"]}},
    }
    _write(folder / "local" / "log_config.json", logging)


def _write(path: Path, content: Mapping[str, Json]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1))
