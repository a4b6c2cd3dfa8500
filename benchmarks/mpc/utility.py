"""Synthetic rows of the default model over three parties, whole way, against those of one curator.

One curator is shown twice: at equal epsilon, and with noise as wide as the parties' (a promise that is smaller by so
much). A fit differs from the next by the noise that was drawn, so each figure is a difference of means of several fits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from statistics import fmean

import sfumato as sf
from benchmarks.federation.census import PROMISE, people
from benchmarks.federation.figure import Row, behind, figure
from benchmarks.federation.models import MOST_GAP, scored
from benchmarks.mpc.people import KEY
from sfumato.schema import IdentifierColumn

NOISE = math.sqrt(3 / 2)
"""How many times as wide the noise of three parties is, of which one may be curious."""
LIMIT, MOST_SECONDS = 0.003, 180
HELD = (
    ("age", "marital-status", "relationship", "race", "sex", "native-country"),
    ("workclass", "fnlwgt", "education", "education-num", "occupation", "hours-per-week"),
    ("capital-gain", "capital-loss", "income"),
)
"""Columns of the census rows at each party, as in the demonstration."""


def central(promise: sf.Guarantee) -> sf.Synthesizer:
    """One curator's fit of all columns."""
    return sf.Synthesizer(people()[0], "auto", promise, ledger=sf.Ledger.open()).fit(sf.examples.adult())


def over_parties() -> tuple[sf.Synthesizer, float]:
    """A fit over three parties in this process, and how many seconds it took."""
    schema, table = people()[0], sf.examples.adult().arrow
    keys = [f"{i:05d}" for i in range(len(table))]
    with_key = schema.with_columns((IdentifierColumn(name=KEY, source="public"), *schema.columns))
    tables = [sf.Table(table.select(held).append_column(KEY, [keys])) for held in HELD]
    source = sf.parties(tables, key=KEY, persons=keys, ledgers=[sf.Ledger.open() for _ in tables])
    began = time.perf_counter()
    return sf.Synthesizer(with_key, "auto", PROMISE).fit(source), time.perf_counter() - began


def rows(fits: int) -> Iterator[Row]:
    """How far parties are behind one curator, at equal epsilon and at equal noise."""
    made = [over_parties() for _ in range(fits)]
    here = [scored(one) for one, _ in made]
    for kind, promise in (("equal epsilon", PROMISE), (f"noise x {NOISE:.2f}", PROMISE.with_noise(NOISE))):
        there = [scored(central(promise)) for _ in range(fits)]
        for measure, sign in zip(MOST_GAP, (1, -1), strict=True):
            curator, several = ([one[measure] for one in every] for every in (there, here))
            limit = LIMIT if promise is not PROMISE else None
            yield behind(
                f"{measure} of parties behind one curator, {kind}, {fits} fits each", curator, several, limit, sign
            )
            yield figure(f"{measure} of one curator, {kind}", fmean(curator))
    for measure in MOST_GAP:
        yield figure(f"{measure} of parties", fmean(one[measure] for one in here))
    took = fmean(seconds for _, seconds in made)
    yield figure("seconds of a fit over parties in one process, census rows", took, MOST_SECONDS)
    certificate = made[-1][0].certificate
    assert isinstance(certificate, sf.Certificate)
    assert certificate.federation is not None
    yield figure("MB sent by the largest party for a fit, census rows", certificate.federation.bytes_sent / 1e6)
