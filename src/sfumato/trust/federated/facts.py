"""Facts left to be measured, over sites: found by opened sums, and told to every site; see ``site_facts``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from sfumato.encoding.codec import Codec
from sfumato.encoding.measure import MEASURED_SHARE, NoisyHistogram, measure_facts
from sfumato.errors import FederationError
from sfumato.schema import Schema
from sfumato.trust.budget import Budget
from sfumato.trust.facts import one_way
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.setting import Federated
from sfumato.trust.federated.site_facts import codec_digest


def settled_codec(schema: Schema, rounds: SecureRounds, budget: Budget) -> Codec:
    """Find what ``schema`` leaves open, tell every site, and see that all made the same codec of it.

    Raises:
        FederationError: a site refuses, or has made another codec.

    *Formal guarantee.* Post-processing of opened, charged tables; where nothing is open nothing is asked or told.
    """
    facts = measure_facts(schema, FederatedFacts(rounds, schema, budget))
    codec = Codec.from_schema(schema, facts)
    if facts:
        for name, made in rounds.tell_facts(codec.schema.dump().encode()).items():
            if made != codec_digest(codec):
                raise FederationError(
                    f"site {name} has made another codec of the facts: its sfumato is another version"
                )
        rounds.codec = codec_digest(codec)
    return codec


class FederatedFacts:
    """The source of measured facts (``encoding.measure.FactSource``) that adds over sites.

    Args:
        rounds: opens sums over the sites, which have encoded their rows by ``first_codec``.
        schema: tells which facts are open.
        budget: pays ``MEASURED_SHARE`` of its squared total, split evenly over the open columns.

    *Formal guarantee.* That of ``Federated``: each table is charged here, and at each site, before it is answered.
    """

    def __init__(self, rounds: SecureRounds, schema: Schema, budget: Budget) -> None:
        self._rounds, self._schema, self._budget = rounds, schema, budget

    def histograms(self, codec: Codec) -> Sequence[NoisyHistogram]:
        """The opened one-way table of each axis of ``codec``."""
        setting = Federated(self._rounds, codec.domain, self._budget)
        return one_way(setting, self._budget.mu(MEASURED_SHARE / len(self._schema.measured())))

    def keys(self, columns: Sequence[str]) -> NoReturn:
        """Refused, as the plan is: labels that nobody declared cannot be added up."""
        raise FederationError(f"categories of {', '.join(map(repr, columns))} cannot be measured over sites")
