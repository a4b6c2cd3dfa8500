"""The one job of a federation: it links the relays of the sites with the coordinator's, and has no code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from sfumato.results.plain import Json

JOB = "federation"
HEARTBEAT = 30
"""Seconds without a sign of life after which the server counts a site as gone; NVFlare waits ten minutes."""
SITE_CONFIG, SERVER_CONFIG = "config/config_fed_client.json", "config/config_fed_server.json"
"""All files of a job, by their paths in it."""
_RELAYS = "sfumato.federation.nvflare.relays"
EXECUTOR, SITE_RELAY = "nvflare.collab.runtime.executor.CollabExecutor", f"{_RELAYS}.SiteRelay"
"""All classes that a job may have made at a site."""
CONTROLLER, COORDINATOR_RELAY = "nvflare.collab.runtime.controller.CollabController", f"{_RELAYS}.CoordinatorRelay"
"""And at the server."""
_THREADS = 4
"""For calls of a site: they come one after the other, and late ones wait."""
_FILTERS: Mapping[str, Json] = {"task_data_filters": [], "task_result_filters": []}


def site_job() -> dict[str, Json]:
    """What a job makes at a site: the same at each, whatever the coordinator sends."""
    executor = {"path": EXECUTOR, "args": {"client_obj_id": "_client", **_common(_THREADS)}}
    return {
        "format_version": 2,
        "executors": [{"tasks": ["*"], "executor": executor}],
        "components": [{"id": "_client", "path": SITE_RELAY, "args": {}}],
        **_FILTERS,
    }


def write_job(folder: Path, sites: Sequence[str], needed: int, pipe: str) -> Path:
    """A job that links the relays of these ``sites``, so many of which it needs; it names classes, and has no code."""
    threads = _common(max(_THREADS, len(sites)))
    controller = {"server_obj_id": "_server", "sync_task_timeout": HEARTBEAT, **threads}
    server = {
        "format_version": 2,
        "workflows": [{"id": "controller", "path": CONTROLLER, "args": controller}],
        "components": [{"id": "_server", "path": COORDINATOR_RELAY, "args": {"pipe": pipe}}],
        **_FILTERS,
    }
    job = folder / JOB
    shutil.rmtree(job, ignore_errors=True)
    _write(job / "app" / SERVER_CONFIG, server)
    _write(job / "app" / SITE_CONFIG, site_job())
    deployed = {"app": ["server", *sites]}
    _write(job / "meta.json", {"name": JOB, "resource_spec": {}, "min_clients": needed, "deploy_map": deployed})
    return job


def _common(callers: int) -> dict[str, Json]:
    return {
        "collab_obj_ids": [],
        "props": {},
        "max_inbound_call_threads": _THREADS,
        "max_outbound_call_threads": callers,
    }


def _write(path: Path, content: Mapping[str, Json]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1))
