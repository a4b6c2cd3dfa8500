"""The words of a certificate: each sentence follows from the figures of a process, the schema and the model."""

from __future__ import annotations

import math

from sfumato.models.choose import Choice
from sfumato.privacy.distributed import as_gaussian
from sfumato.privacy.events import (
    DistributedDiscreteGaussian,
    DistributedGaussian,
    Exponential,
    Gaussian,
    NoisyMax,
    PoissonSampledGaussian,
    Threshold,
    delta_of,
)
from sfumato.privacy.guarantee import Guarantee
from sfumato.release.process import Process, Record
from sfumato.results.plain import Json

NOT_STATED = "not stated"
"""What stands for a curator or a purpose that nobody gave."""
_PRODUCT = {
    "row": "generative model of a table, and any synthetic rows sampled from it",
    "image": "generative model of images, and any synthetic images sampled from it",
}


def words(process: Process) -> dict[str, Json]:
    """The sections of a certificate that follow from its process: ``verify`` writes them again and compares.

    So other words need another ``KIND``.
    """
    g = process.guarantee
    return {
        "product": {
            "kind": _PRODUCT[process.record],
            **{k: process.about.get(k, NOT_STATED) for k in ("curator", "purpose")},
        },
        "promise": {
            "flavour": "approximate differential privacy",
            "epsilon": g.epsilon,
            "delta": g.delta,
            "unit": g.unit,
            "max_rows_per_unit": process.max_rows,
            "neighbours": g.neighbours,
            "in_words": promise_in_words(g, process.record, process.federation is not None),
        },
        "unprotected": list(_UNPROTECTED),
        "trust_model": TRUST[process.setting],
        "algorithm": _algorithm(process.choice),
        "pyramid": _pyramid(process),
        "limits": limits(process),
    }


def _algorithm(choice: Choice) -> dict[str, Json]:
    settings = {} if choice.settings is None else {"settings": dict(choice.settings)}
    return {"model": choice.name, "why": choice.why, **settings, "post_processing": _POST_PROCESSING}


def best_posterior(guarantee: Guarantee) -> float:
    """The surest an attacker can be, from even odds, that a unit was in the data (but for ``delta``)."""
    return 1 / (1 + math.exp(-guarantee.epsilon))


def promise_in_words(guarantee: Guarantee, record: Record = "row", at_sites: bool = False) -> str:
    """The promise for readers who know no epsilon; ``at_sites``: each site bounds a unit's rows by itself."""
    who = f"one {record}" if guarantee.unit == "row" else f"all {record}s of one value of {guarantee.unit!r} together"
    who += " at one site" if at_sites and guarantee.unit != "row" else ""
    return (
        f"Whoever holds the model and knows everything about the data but {who}, and starts from even odds that "
        f"it was there, can become at most {best_posterior(guarantee):.1%} sure, except with a probability of about "
        f"{guarantee.delta:g}."
    )


_CURATOR_SAW = (
    "Running time, memory use and error messages of the fit were seen by the curator alone and must stay there."
)
_SITES_SAW = (
    "Memory use and error messages of the fit were seen by each site alone, its running time by the coordinator too."
)
"""What of the work itself was seen, and by whom."""


def limits(process: Process) -> list[str]:
    """Where the promise ends, in plain words."""
    said = [
        "Facts declared public in the schema, or reviewed, were taken on trust; what someone read off the rows and "
        "said to be known without them is not covered.",
        _limit_of_unit(process),
        "k units that belong together (a household, a firm) are protected k times less.",
        "What is true of people at large can be learnt, and applies to a person whether or not they are in the data.",
        _CURATOR_SAW if process.federation is None else _SITES_SAW,
        "A file that does not parse (an open quote, a line of another length) or holds no row stops a fit before "
        "anything is charged: that there is a model tells that there was no such line.",
        "Other releases from the same data add up with this one only if they went through the same ledger.",
        "Unless its signature is checked against a key you trust, this file shows that it fits together, not that it "
        "is true: anybody can write one with other events. With such a key, it is as true as who signed it.",
    ]
    said += [] if process.federation is None else process.federation.limits()
    refusing = sum(bool(c.refuses) for c in process.columns)
    if refusing:
        said.append(
            f"Rows with a cell that the schema refuses ({refusing} columns refuse some; data_domain says which) were "
            "left out, each by itself; the model speaks of the other rows alone."
        )
    return said + _limits_of_noise(process)


def _limit_of_unit(process: Process) -> str:
    record = process.record
    if process.guarantee.unit == "row":
        return f"The unit is one {record}: somebody with several {record}s is protected less, by their number."
    where = "" if process.federation is None else "at each site "
    return (
        f"Of each unit at most {process.max_rows} {record}s {where}were used; the others were left out. All {record}s "
        f"{where}without an identifier are one unit together: who is among them can move up to {2 * process.max_rows}."
    )


def _limits_of_noise(process: Process) -> list[str]:
    said = []
    kinds = {type(as_gaussian(e) if isinstance(e, DistributedGaussian) else e) for e in process.events}
    if kinds & {Gaussian, PoissonSampledGaussian}:
        vectors = Gaussian | PoissonSampledGaussian | DistributedGaussian
        inexact = sum(delta_of(e) for e in process.events if isinstance(e, vectors))
        said.append(
            "Sums of vectors were made of whole numbers and noised as such. What of that is not exactly Gaussian noise "
            f"adds {inexact:.1g} to delta, which is counted; its random numbers are as good as the operating system's, "
            "and for gradients as ChaCha20."
        )
    said += _limits_of_shares(process)
    if Gaussian in kinds:
        said.append(
            "That the vector of a record is computed alike wherever it stands among the others is tested and not "
            "proven; its products with public numbers are exact."
        )
    if PoissonSampledGaussian in kinds:
        said.append(
            "That the gradient of a record is computed alike wherever it stands in a batch is tested and not proven. "
            "What a model draws for the records of a batch is as good as Threefry with a key of 64 bits a step."
        )
    if Exponential in kinds:
        said.append(
            "Selections were drawn in floating point, whose rounding is paid for; counts carry exact integer noise."
        )
    if Threshold in kinds:
        said.append("Categories that were found in the rows became known only where a noisy count passed a threshold.")
    large = None if process.records is None else process.guarantee.large_delta(process.records)
    if large is not None:
        said.append(f"{large.capitalize()}.")
    return said


def _limits_of_shares(process: Process) -> list[str]:
    """Of noise that honest parties add together."""
    shares = [
        event.shares
        for event in process.events
        if isinstance(event, DistributedDiscreteGaussian | DistributedGaussian | NoisyMax)
    ]
    if not shares:
        return []
    said = [
        "Each party added a part of the noise, drawn by ChaCha20 from a key of its own. What is promised counts the"
        f" parts of {min(shares)} honest parties, who neither leave theirs out nor tell it: were there fewer, there was"
        " less noise than promised."
    ]
    if any(isinstance(event, NoisyMax) for event in process.events):
        said.append(
            "Scores were compared on secret shares by SecretFlow SPU, which opened the index of the largest alone. That"
            " it shows no party more is watched (its programs, what it sends and its log) and not proven. What the"
            " engines sent each other is not among the bytes that a site sent."
        )
    return said


def _pyramid(process: Process) -> list[Json]:
    g = process.guarantee
    measured, reviewed = (sum(word in c.sources.values() for c in process.columns) for word in ("measured", "reviewed"))
    blocks = (
        ("epsilon", "computed", f"epsilon {g.epsilon:g}, delta {g.delta:g}, recomputed by `sfumato verify`."),
        ("unit of privacy", "declared", f"{g.unit}, {g.neighbours}, enforced before anything is counted."),
        (
            "algorithms and correctness",
            "tested",
            "Each mechanism is audited on worst-case neighbours in the tests; counts carry exact integer noise.",
        ),
        (
            "utility and bias",
            "to be checked",
            "Noise weighs most on small groups; compare with `sfumato evaluate` before use.",
        ),
        (
            "side channels",
            "not covered",
            "Timing, memory and error texts of the fit are seen by the curator only.",
        ),
        ("trust model", "declared", TRUST[process.setting]),
        (
            "data collection",
            "not covered",
            f"How the {process.record}s were collected and kept is not known here; facts of {measured} columns were "
            f"paid for, facts of {reviewed} were read off the rows and reviewed, all others were declared public.",
        ),
    )
    return [{"block": b, "status": s, "text": t} for b, s, t in blocks]


_UNPROTECTED = [
    "that the table exists, its column names and kinds, and the types that Parquet, Arrow or a database stores them in "
    "(a program that took those from the rows told of the rows)",
    "every fact of the schema that is public or reviewed (kinds, bounds, categories, what is never missing, null "
    "markers, formats, constraints, and the row count where declared)",
    "the choice of model and of its settings, which were made from those facts",
    "when the fit ran",
]
_CENTRAL = "One curator sees the rows; everybody else sees noised answers and what follows from them."
TRUST = {
    "central": _CENTRAL,
    "database": f"{_CENTRAL} The rows lie in a database: it and its administrators see them too, its query log holds "
    "the questions, and whoever reads its answers on the way sees them before the noise.",
    "federated": "Each site sees its own rows alone. The coordinator and everybody else see masked vectors, and of "
    "each question the noised total over the sites; the limits say whom that withstands.",
    "mpc": "Each party sees its own columns alone: tables are counted on secret shares of three parties. Everybody "
    "sees noised tables, and what follows from them; the limits say whom that withstands.",
}
"""Who sees the rows, by the name of the trust setting."""
_POST_PROCESSING = (
    "Fitting, sampling, decoding and constraints use noised answers and public facts only: they cost nothing more."
)
