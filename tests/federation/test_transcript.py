"""The same sites say the same over NVFlare as in one process, to the byte, where their entropy is fixed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import ROOT
from tests.guarantees.boundless import boundless_run
from tests.journeys.conftest import environment
from tests.journeys.hospitals import free_port
from tests.models.marginals.population import DOMAIN, people
from tests.trust.federation import ANY, unevenly

import sfumato as sf
from sfumato.errors import FederationError
from sfumato.federation.address import Address
from sfumato.federation.authority import Authority, fresh_key, signing_request
from sfumato.federation.credentials import Credentials
from sfumato.federation.nvflare.client import calling_out
from sfumato.federation.nvflare.server import serving
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.transport import InProcess, Transport
from sfumato.trust.questions import Count, Marginals, Query
from sfumato.trust.records import Records
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.keyed_entropy import KeyedEntropy
from sfumato.trust.secure_sum.roster import Member, Roster

NAMES = ("a", "b", "c")
DONE = "done"


class Recorded:
    """A site, and a hash of every call of it and of what it answered."""

    def __init__(self, site: FederatedSite) -> None:
        self._site, self._hash = site, hashlib.sha256()
        self.done = False

    def call(self, method: str, body: bytes) -> bytes:
        if method == DONE:
            self.done = True
            return b""
        answer = self._site.call(method, body)
        for part in (method.encode(), body, answer):
            self._hash.update(len(part).to_bytes(8, "little") + part)
        return answer

    @property
    def transcript(self) -> str:
        return self._hash.hexdigest()


def sites() -> tuple[FederationPlan, list[Recorded]]:
    """Three sites with rows, whose keys, masks and noise are those of one key each."""
    keys = [SiteIdentity(bytes([place]) * 32) for place in range(3)]
    roster = Roster(tuple(Member(n, k.public_key) for n, k in zip(NAMES, keys, strict=True)), 1, 0)
    plan = FederationPlan(ANY, "independent", sf.Guarantee(1, 1e-6), roster, ("count", "marginals"), rounds=4)
    made = []
    for place, (key, part) in enumerate(zip(keys, unevenly(people(300), 3), strict=True)):
        account = SiteAccount(boundless_run(f"site {place}", 2.0), plan.terms, place)
        entropy = KeyedEntropy(bytes([100 + place]) * 32)
        made.append(Recorded(FederatedSite(plan, key, Records.of(part, DOMAIN), account, entropy)))
    return plan, made


def asked(plan: FederationPlan, transport: Transport) -> list[np.ndarray]:
    """A set-up and two rounds."""
    rounds = SecureRounds(plan, transport)
    rounds.set_up()
    tables = Marginals((Query((0,)), Query((1, 2))))
    sizes = (1, sum(tables.sizes(DOMAIN)))
    return [rounds.opened(Count(), (0.2,), sizes[0])[0], rounds.opened(tables, (0.1, 0.1), sizes[1])[0]]


@pytest.mark.processes
def test_in_process_and_over_nvflare_the_transcript_is_the_same(tmp_path: Path) -> None:
    plan, near = sites()
    here = asked(plan, InProcess(near))
    again, repeated = sites()
    assert again.digest == plan.digest
    program = f"from tests.federation.test_transcript import main; main({str(tmp_path)!r})"
    command = [sys.executable, "-c", program]  # of its own: NVFlare leaves threads and sockets in a process
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    there = json.loads(done.stdout)
    assert there["transcripts"] == [site.transcript for site in near]
    assert there["opened"] == [numbers.tolist() for numbers in here]
    SecureRounds(plan, InProcess(repeated)).set_up()
    assert repeated[0].transcript != near[0].transcript


def main(folder: str) -> None:
    """Ask the same over NVFlare, and print what was said and opened."""
    plan, far = sites()
    opened = over_nvflare(Path(folder), far, lambda transport: asked(plan, transport))
    told = {"transcripts": [site.transcript for site in far], "opened": [numbers.tolist() for numbers in opened]}
    print(json.dumps(told))


def over_nvflare(
    folder: Path, endpoints: list[Recorded], ask: Callable[[Transport], list[np.ndarray]]
) -> list[np.ndarray]:
    """What is opened over a server and three clients, each with processes of its own."""
    authority, address = Authority.fresh("test"), Address("localhost", free_port())
    failed: list[str] = []

    def own(name: str) -> Credentials:
        key = fresh_key()
        return Credentials(key, authority.certify_site(signing_request(key, name), name), authority.certificate)

    def serve(name: str, endpoint: Recorded) -> None:
        try:
            with calling_out(folder / name, name, address, own(name), lambda line: None) as client:
                client.serve(endpoint, lambda: endpoint.done)
        except FederationError as error:
            failed.append(str(error))

    for name in ("coordinator", *NAMES):
        (folder / name).mkdir()
    server_key, admin_key = fresh_key(), fresh_key()
    server = Credentials(server_key, authority.certify_server(server_key, "localhost"), authority.certificate)
    admin = Credentials(admin_key, authority.certify_admin(admin_key), authority.certificate)
    threads = [threading.Thread(target=serve, args=pair) for pair in zip(NAMES, endpoints, strict=True)]
    with ExitStack() as stack:
        running = stack.enter_context(serving(folder / "coordinator", address, server, admin))
        for thread in threads:
            thread.start()
        running.wait_for(NAMES, 120.0, lambda missing: None)
        transport = running.transport(NAMES, len(NAMES), lambda lost: None, lambda silent: None)
        opened = ask(transport)
        transport.call(DONE, dict.fromkeys(range(3), b""), 30.0)
    for thread in threads:
        thread.join()
    assert failed == []
    return opened
