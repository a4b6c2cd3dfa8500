"""Synthetic rows of the default model over sites, against those of one curator.

A fit of one promise differs from the next by the noise that was drawn: by .003 of AUC. So each figure is a mean of many
fits; rows are drawn from each several times, by the same seeds for all, and what learns from them has the same seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

import sfumato as sf
from benchmarks.federation.census import PROMISE, people, tables
from benchmarks.federation.figure import Row, behind, figure
from benchmarks.utility import auc_without
from sfumato.encoding.codec import Codec
from sfumato.evaluation.marginals import cliques, tvds

MOST_GAP = {"auc": 0.004, "tvd3": 0.006}
"""What sites may lose against one curator where nobody is curious or lost."""
MOST_BYTES, MOST_ROUNDS = 3_000_000, 3
DRAWS = 2
"""Tables drawn from each fit: one adds .001 of AUC to what fits differ by."""
MOST_FITS = 10, 0
"""Sites, and curious ones among them, of which as many fits are made as of one curator; of others half as many."""
_TRIPLES = 200


def fitted(source: object) -> sf.Synthesizer:
    """The default model, of a table or of sites."""
    ledger = sf.Ledger.open() if isinstance(source, sf.Table) else None
    return sf.Synthesizer(people()[0], "auto", PROMISE, ledger=ledger).fit(source)  # type: ignore[arg-type]


def scored(made: sf.Synthesizer) -> dict[str, float]:
    """AUC of the income of fresh rows, learnt from drawn ones, and 3-way total variation: means over the draws."""
    schema, domain, learn, fresh = people()
    codec, found = Codec.from_schema(schema), []
    for seed in range(DRAWS):
        drawn = codec.encode(made.sample(len(learn), seed=seed).arrow.select(list(schema.names)))
        auc = auc_without(fresh, drawn, domain, domain.index("income"), ())
        found.append((auc, float(tvds(learn, drawn, domain, cliques(domain, 3, _TRIPLES)).mean())))
    return {name: fmean(column) for name, column in zip(MOST_GAP, zip(*found, strict=True), strict=True)}


def sites_of(k: int, curious: int) -> object:
    """The rows at ``k`` sites, each with a ledger of its own."""
    parts = tables(k)
    return sf.federated(parts, ledgers=[sf.Ledger.open() for _ in parts], curious=curious)


def rows(sites: Sequence[int], seeds: int) -> Iterator[Row]:
    """How far sites are behind, with nobody curious and with one; what a site sent, and how many sums there were."""
    central = [scored(fitted(sf.Table(sf.examples.adult().arrow))) for _ in range(seeds)]
    for measure in MOST_GAP:
        yield figure(f"{measure} of one curator, {seeds} fits", fmean(one[measure] for one in central))
    for k in sites:
        for curious in (0, 1):
            fits = seeds if (k, curious) == MOST_FITS else max(2, seeds // 2)
            made = [fitted(sites_of(k, curious)) for _ in range(fits)]
            found = [scored(one) for one in made]
            for measure, sign in (("auc", 1), ("tvd3", -1)):
                there, here = ([one[measure] for one in every] for every in (central, found))
                name = f"{measure} behind one curator, {k} sites, {curious} curious, {fits} fits"
                yield behind(name, there, here, None if curious else MOST_GAP[measure], sign)
            certificate = made[-1].certificate
            assert isinstance(certificate, sf.Certificate)
            assert certificate.federation is not None
            stated = certificate.federation
            name = f"of the default model, {k} sites, {curious} curious"
            yield figure(f"bytes that a site sent for a fit {name}", stated.bytes_sent, MOST_BYTES)
            yield figure(f"rounds {name}", stated.rounds, MOST_ROUNDS)
