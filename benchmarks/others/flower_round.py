"""One round of Flower's SecAgg+ in this process, for ``benchmarks.flower_secagg``: runs in Flower's own environment.

    python flower_round.py SITES VALUES ROUNDS

Prints one JSON object: CPU seconds of a site and of the server in a round, the least of all rounds, bytes that a site
sent, and by how much the mean was off.
"""

from __future__ import annotations

import json
import logging
import sys
from time import process_time
from types import SimpleNamespace

import numpy as np
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.client.mod import secaggplus_mod
from flwr.common import Code, FitIns, FitRes, Status, ndarrays_to_parameters, parameters_to_ndarrays
from flwr.compat.common import recorddict_compat as compat
from flwr.server.compat.legacy_context import LegacyContext
from flwr.server.workflow import SecAggPlusWorkflow
from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD, Key
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity

THRESHOLD = 6
"""Shares that rebuild a key: as many as sites must consent in ours, of ten of which one is curious."""


class Everybody:
    """A strategy that asks all sites, and keeps what comes out."""

    def __init__(self, sites: int) -> None:
        self.proxies = [SimpleNamespace(node_id=i + 1, cid=str(i + 1)) for i in range(sites)]

    def configure_fit(self, server_round, parameters, client_manager):
        """All of them."""
        return [(proxy, FitIns(parameters, {})) for proxy in self.proxies]

    def aggregate_fit(self, server_round, results, failures):
        """The mean is in each result; keep one."""
        assert not failures
        self.mean = parameters_to_ndarrays(results[0][1].parameters)[0]
        return results[0][1].parameters, {}


class InProcess(Grid):
    """Calls the sites one after the other, and counts what they cost."""

    def __init__(self, vectors: list[np.ndarray]) -> None:
        self.vectors = vectors
        self.states = [context(i + 1) for i in range(len(vectors))]
        self.seconds, self.bytes = 0.0, 0

    def set_run(self, run) -> None:
        """Nothing to do."""

    @property
    def run(self):
        """As far as messages need it."""
        return SimpleNamespace(run_id=1)

    def create_message(self, content, message_type, dst_node_id, group_id, ttl=None):
        """A message."""
        return Message(content, dst_node_id, message_type, group_id=group_id)

    def get_node_ids(self):
        """Of all sites."""
        return range(1, len(self.vectors) + 1)

    def push_messages(self, messages):
        """Not asked for."""
        raise NotImplementedError

    def pull_messages(self, message_ids):
        """Not asked for."""
        raise NotImplementedError

    def send_and_receive(self, messages, *, timeout=None):
        """The answers of all; each site gets a copy of its own, for the protocol takes keys out of it."""
        return [self._answer(message) for message in messages]

    def _answer(self, message):
        place = message.metadata.dst_node_id - 1
        copied = RecordDict(dict(message.content))
        for name, record in message.content.config_records.items():
            copied.config_records[name] = ConfigRecord(dict(record))
        given = Message(copied, message.metadata.dst_node_id, message.metadata.message_type, group_id="1")
        fit = FitRes(Status(Code.OK, ""), ndarrays_to_parameters([self.vectors[place]]), 1, {})

        def train(asked, _):
            return Message(compat.fitres_to_recorddict(fit, keep_input=True), reply_to=asked)

        began = process_time()
        answer = secaggplus_mod(given, self.states[place], train)
        self.seconds += process_time() - began
        self.bytes += sum(size(v) for record in answer.content.config_records.values() for v in record.values())
        return answer


def size(value) -> int:
    """Bytes of a value of a record, without what frames it."""
    if isinstance(value, list):
        return sum(map(size, value))
    return len(value) if isinstance(value, bytes | str) else 8


def context(node_id: int) -> Context:
    """An empty one."""
    return Context(run_id=1, node_id=node_id, node_config={}, state=RecordDict(), run_config={})


def one_round(vectors: list[np.ndarray]) -> dict[str, float]:
    """Its cost, and its error."""
    sites, grid, strategy = len(vectors), InProcess(vectors), Everybody(len(vectors))
    legacy = LegacyContext(context(0), strategy=strategy)
    legacy.state.config_records[MAIN_CONFIGS_RECORD] = ConfigRecord({Key.CURRENT_ROUND: 1})
    start = ndarrays_to_parameters([np.zeros_like(vectors[0])])
    legacy.state.array_records[MAIN_PARAMS_RECORD] = compat.parameters_to_arrayrecord(start, True)
    began = process_time()
    SecAggPlusWorkflow(num_shares=sites, reconstruction_threshold=THRESHOLD, max_weight=1.0)(grid, legacy)
    whole = process_time() - began
    off = float(np.abs(strategy.mean - np.mean(vectors, axis=0)).max())
    return {
        "site_cpu_s": grid.seconds / sites,
        "server_cpu_s": whole - grid.seconds,
        "bytes_up_per_site": grid.bytes / sites,
        "largest_error_of_the_mean": off,
    }


def main() -> None:
    """Measure, and print."""
    logging.getLogger("flwr").setLevel(logging.ERROR)
    sites, values, rounds = map(int, sys.argv[1:])
    TaskIdentity.run_id = TaskIdentity.task_id = 1
    TaskIdentity.node_id = 1
    vectors = [np.random.default_rng(i).uniform(-1, 1, values).astype(np.float32) for i in range(sites)]
    found = min((one_round(vectors) for _ in range(rounds)), key=lambda one: one["site_cpu_s"])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
