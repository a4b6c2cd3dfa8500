"""What a coordinator that lies in a live run gets of a real site over NVFlare: a refusal in a line, and at once.

The coordinator is the real one but for its lies: it sends each in the middle of an honest run, notes what the site said
and how long it took, and goes on. The run ends as it would have without them, and the site has paid for every number
that it was made to use.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tests.journeys.hospitals import PATIENCE, hospitals

import sfumato as sf

pytestmark = pytest.mark.processes

LYING = """
import json, time
from dataclasses import replace
import numpy as np
from sfumato.cli.main import main
from sfumato.trust.federated import rounds
from sfumato.trust.federated.request import SumRequest
from sfumato.trust.questions import Count, FeatureSum, Marginals, Query
from sfumato.trust.secure_sum import messages
from sfumato.trust.secure_sum.terms import RoundNumber

told, sent = {}, {}
Rounds = rounds.SecureRounds
set_up, ask, in_a_new_round = Rounds.set_up, Rounds._ask, Rounds._in_a_new_round

def lie(self, name, method, body, place=0):
    begun = time.monotonic()
    replies = self._transport.call(method, {place: body}, 20)
    told[name] = replies.failures.get(place, ""), time.monotonic() - begun

def noting(self, method, requests, deadline=0.0):
    sent[method] = dict(requests)
    return ask(self, method, requests, deadline)

def lying_set_up(self):
    digest = self.plan.digest
    lie(self, "another plan", "agree", bytes(32))
    lie(self, "rows before signatures", "masked", SumRequest(RoundNumber(1), Count(), (0.1,)).data)
    everybody = range(3)
    signed = self._all("agree", dict.fromkeys(everybody, digest))
    swapped = dict(signed); swapped[1], swapped[2] = signed[2], signed[1]
    lie(self, "signatures of others", "begin", rounds.write_signatures(swapped))
    set_up(self)
    keys = sent["shares"][0]
    self._all("agree", dict.fromkeys(everybody, digest))
    self._all("begin", dict.fromkeys(everybody, rounds.write_signatures(signed)))
    changed = bytearray(self._coordinator.keys(self._all("key", dict.fromkeys(everybody, b""))))
    changed[-1] ^= 1  # of the signature under the last site's key
    lie(self, "keys of an earlier run", "shares", keys)
    lie(self, "an unregistered key", "shares", bytes(changed))
    set_up(self)

def lying_round(self, question, mu, values):
    first = self._round == 0
    if first:
        number = RoundNumber(1)
        self._round = 4
        gaussian = SumRequest(number, Count(), (0.1,)).data
        lie(self, "a feature that is not installed", "masked", gaussian.replace(b'"count"', b'"karma"'))
        lie(self, "not a request", "masked", b"\\0" * 99)
        wide = Marginals((Query((1, 2), (np.array([0, 2**29]), np.array([0, 1, 2, 2**29]))),))
        lie(self, "an absurd size", "masked", SumRequest(number, wide, (0.1,)).data)
        lie(self, "a method that there is not", "rows", b"")
        lie(self, "past the cap", "masked", SumRequest(RoundNumber(2), Count(), (0.6,)).data)
        lie(self, "without noise", "masked", SumRequest(RoundNumber(3), Count(), (float("inf"),)).data)
        lie(self, "a number that the plan lacks", "masked", SumRequest(RoundNumber(10**6), Count(), (0.01,)).data)
        lie(self, "a training outside the plan", "descent", b"")
    answer = in_a_new_round(self, question, mu, values)
    if first:
        lie(self, "a replayed round", "masked", sent["masked"][0])
        lie(self, "a second list of survivors", "consent", sent["consent"][0])
        lie(self, "a second unmasking", "unmask", sent["unmask"][0])
        asked = SumRequest(RoundNumber(self._round, 2), question, mu)
        self._transport.call("masked", {0: asked.data}, 20)
        lie(self, "consents of another attempt", "unmask", sent["unmask"][0])
        lie(self, "survivors of another attempt", "consent", sent["consent"][0])
        head = messages.Head(messages.MessageKind.SURVIVORS, messages.COORDINATOR, self.plan.terms.digest,
                             self._coordinator.run, RoundNumber(self._round, 2))
        for name, places in (("survivors without it", (1, 2)), ("too few survivors", (0, 1))):
            lie(self, name, "consent", messages.write(head, messages.write_sites(places)))
        with open("lies.json", "w") as stream:
            json.dump(told, stream)
    return answer

Rounds.set_up, Rounds._ask, Rounds._in_a_new_round = lying_set_up, noting, lying_round
main()
"""
"""The coordinator; ``lies.json`` holds what the first site said to each lie, and after how many seconds."""
REFUSED = {
    "another plan": "runs another plan",
    "rows before signatures": "before all sites have signed",
    "signatures of others": "signature of site",
    "keys of an earlier run": "holds another in its place",
    "an unregistered key": "signature of site west",
    "a feature that is not installed": "no question is called",
    "not a request": "a request that is none",
    "an absurd size": "have at most 268435456 cells",
    "a method that there is not": "no such method",
    "past the cap": "its own ledger does not allow",
    "without noise": "without noise",
    "a number that the plan lacks": "the plan has 256 rounds",
    "a training outside the plan": "outside the plan",
    "a replayed round": "was used, or passed over",
    "a second list of survivors": "no round is open",
    "a second unmasking": "no round is open",
    "consents of another attempt": "before this site has signed who survived",
    "survivors of another attempt": "attempt 1, not of round 5, attempt 2",
    "survivors without it": "fewer than",
    "too few survivors": "fewer than",
}
AT_ONCE = 10.0
"""Seconds in which a refusal must come: none waits for anything."""


def test_each_lie_is_refused_by_a_real_site_at_once_and_the_run_ends_as_it_should(tmp_path: Path) -> None:
    with hospitals(tmp_path) as made:
        sites = [made.site(name) for name in made.names]
        coordinator = made.coordinator(program=LYING)
        assert coordinator.wait(PATIENCE) == 0, made.said("coordinator")
        assert [site.wait(PATIENCE) for site in sites] == [0, 0, 0], [made.said(n) for n in made.names]
    told = json.loads((tmp_path / "lies.json").read_text())
    assert told.keys() == REFUSED.keys()
    assert {name: said for name, (said, _) in told.items() if not re.search(REFUSED[name], said)} == {}
    assert max(seconds for _, seconds in told.values()) < AT_ONCE, told
    said = made.said(made.names[0])
    for name, (text, _) in told.items():
        assert text in said, name
    events = sf.verify(tmp_path / "model.sfm").certificate.composition.events
    charged = {name: made.charged(name)[1] for name in made.names}
    assert charged[made.names[0]] > len(events) == charged[made.names[1]]  # an attempt that was never opened, too
    assert np.isclose(sf.load(tmp_path / "model.sfm").default_rows, 1200, atol=100)
