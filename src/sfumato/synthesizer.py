"""The synthesizer: rows and a schema in, a certified generative model out."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from sfumato.certificate import Process, absent, declared, declared_of_the_table, issue
from sfumato.encoding.codec import Codec
from sfumato.encoding.measure import measure
from sfumato.errors import SchemaError, SfumatoError
from sfumato.models import MODELS
from sfumato.models.choose import check_suits, choose
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import DEFAULT_CAP, Ledger, Run
from sfumato.progress import Progress, Silent
from sfumato.release import Release
from sfumato.schema import Schema
from sfumato.schema.review import open_in_words
from sfumato.tables import Rows, Table
from sfumato.tables.writing import write_blocks
from sfumato.trust.central import Central
from sfumato.trust.facts import CentralFacts
from sfumato.trust.gathering import gather
from sfumato.trust.journal import Journal
from sfumato.trust.purse import Purse

MOST_EPSILON, LEAST_DELTA = 1000.0, 1e-18
"""Beyond these a promise is empty, or lost in the rounding of the accountants."""

_UNREVIEWED = "the schema holds facts that were read off the rows or have no source, and that nobody reviewed"
_INFINITE = "epsilon is infinite: the model was fitted without noise and promises nothing"
_DECLINED = "it was declined when the model was fitted"

OUTSIDE_SHARE = 0.005
"""Share of the squared budget that pays for counting the rows which the schema's facts do not allow."""


class Synthesizer:
    """Learns a table under a guarantee, and samples rows like it.

    Args:
        schema: the public facts, or the path of a ``schema.yaml``.
        model: name of a model, or ``"auto"`` to have one chosen by public facts alone.
        guarantee: what is promised; its unit is taken from the schema.
        ledger: the data set's ledger, or its path; None keeps one in memory for each fit, which adds nothing up.
        target: a column of interest; default: the schema's.
        no_certificate: accept unreviewed facts; the model then gets no certificate.
        key: path of an Ed25519 private key that signs the certificate.
        about: what the curator states: ``curator``, ``purpose``.
        checkpoint: a folder that keeps the answers as they are given, until the model is saved: after an interruption,
            the same fit goes on with them and pays for none of them again. Needs a ledger, and a finite epsilon.

    Attributes:
        outside: after a fit, the noisy number of rows with a cell that the schema's facts do not allow (it was clipped,
            or moved to other or missing, or refused and its row left out), and the scale of that noise; where it stands
            clear of the noise, the facts deserve another look. None for a loaded model.

    >>> import sfumato as sf
    >>> synthesizer = sf.Synthesizer(sf.examples.adult_schema(), guarantee=sf.Guarantee(epsilon=1, delta=1e-6))
    >>> synthesizer.schema.names[:2]
    ('age', 'workclass')
    """

    def __init__(
        self,
        schema: Schema | str | os.PathLike[str],
        model: str = "auto",
        guarantee: Guarantee | None = None,
        ledger: Ledger | str | os.PathLike[str] | None = None,
        target: str | None = None,
        *,
        no_certificate: bool = False,
        key: str | os.PathLike[str] | None = None,
        about: Mapping[str, str] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> None:
        known = schema if isinstance(schema, Schema) else Schema.load(schema)
        self.schema = known if target is None else known.with_target(target)
        if guarantee is not None and (guarantee.delta < LEAST_DELTA or MOST_EPSILON < guarantee.epsilon < math.inf):
            raise SfumatoError(
                f"epsilon {guarantee.epsilon:g}, delta {guarantee.delta:g}: what can be accounted has epsilon up to "
                f"{MOST_EPSILON:g} (or inf, for no guarantee) and delta from {LEAST_DELTA:g}"
            )
        if model != "auto" and model not in MODELS:
            raise SfumatoError(f"no model is called {model!r}; there are auto, {', '.join(sorted(MODELS))}")
        check_suits(model, self.schema.image is not None)
        unit = self.schema.unit
        self.guarantee = replace(guarantee or Guarantee(epsilon=1.0), unit=unit.column if unit.kind == "id" else "row")
        self._wanted, self._ledger = model, ledger
        self._no_certificate, self._key, self._about = no_certificate, key, dict(about or {})
        self._checkpoint = None if checkpoint is None else Path(checkpoint)
        if self._checkpoint is not None and (ledger is None or not self.guarantee.private):
            raise SfumatoError(
                "a checkpoint needs a ledger that lasts, and a finite epsilon (answers without noise are not kept)"
            )
        self._journal: Journal | None = None
        self._release: Release | None = None
        self.outside: tuple[float, float] | None = None

    def fit(self, source: Any, progress: Progress | None = None) -> Synthesizer:
        """Learn ``source``: a path (CSV, Parquet, Arrow, images), or a frame (pandas, polars, pyarrow, DuckDB, Ibis).

        A table in a database, also named by its URL, is encoded and counted there where it can be.

        Raises:
            SfumatoError: one line that says what does not fit (the table, the schema, the ledger) and the mend.

        *Formal guarantee.* Every answer about the rows is noised and charged to the ledger before it is given, so that
        all that is kept afterwards (model, samples, certificate) is (epsilon, delta)-differentially private for the
        schema's unit under adding or removing it, given that facts declared public are. With unreviewed facts or
        infinite epsilon there is no guarantee, and no certificate.
        """
        from sfumato.signature import load_signing_key, sign

        unreviewed = self.schema.open_facts()
        if unreviewed and not self._no_certificate:
            raise SchemaError(open_in_words(unreviewed))
        key = None if self._key is None else load_signing_key(self._key)
        rows = Rows.open(source, self.schema.dialect)
        with self._opened_ledger() as ledger:
            with self._begun(ledger) as run:
                release = self._learn(rows, run, progress or Silent())
            reason = self._why_uncertified(bool(unreviewed))
            if reason is not None:
                certificate = absent(reason)
            else:
                certificate = issue(self._process(release, run, ledger, rows.kind), release.artifact().hashes)
        signed = certificate if key is None or reason is not None else sign(certificate, key)
        self._release = replace(release, certificate=signed)
        return self

    def sample(self, n: int | None = None, *, given: Mapping[str, Any] | None = None, seed: int | None = None) -> Table:
        """Draw synthetic rows; costs no privacy.

        Args:
            n: how many; default: the model's noisy total (never the number of private rows).
            given: column -> value that every row shall have.
            seed: makes sampling repeatable; the noise in the model never is.

        Raises:
            ConditionError: a condition names no known column or value, or the model excludes it.
        """
        return self._fitted().sample(n, given, seed)

    def sample_to(
        self,
        path: str | os.PathLike[str],
        n: int | None = None,
        *,
        given: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> int:
        """Write the rows that :meth:`sample` would give to ``path``, block by block; how many there are.

        Memory does not grow with the rows, but for images outside Parquet and Arrow. Suffixes as for ``Table.write``.

        Raises:
            ConditionError: a condition names no known column or value, or the model excludes it.
            OutputError: another suffix, a place that cannot be written to, or a full disk; nothing is left behind.
        """
        release = self._fitted()
        n = release.default_rows if n is None else n
        write_blocks(release.blocks(n, given, seed), release.codec.arrow_schema, path)
        return n

    def encode(self, source: Any) -> np.ndarray:
        """Latent points (n, k) of rows that you own (a path or a frame); points tell of their rows: keep them inside.

        For ``vae`` the mean of the encoder, for ``diffusion`` one normal coordinate per column (Rosenblatt 1952).

        Raises:
            SfumatoError: the model has no latent space, or the rows do not fit the schema.

        *Formal guarantee.* None for ``source``: the points are a function of it without noise.
        """
        return self._fitted().encode(source)

    def decode(self, points: np.ndarray, *, seed: int | None = None) -> Table:
        """One row per latent point (n, k); costs no privacy for points that do not come from private rows."""
        return self._fitted().decode(points, seed)

    def interpolate(self, a: np.ndarray, b: np.ndarray, steps: int = 8, *, seed: int | None = None) -> Table:
        """``steps`` rows on the straight line between two latent points (k,), ends included.

        Points that differ in one coordinate give the way along that factor: the others keep their values.
        """
        return self._fitted().interpolate(a, b, steps, seed)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model with its certificate, whole or not at all; OutputError where that fails.

        Then the checkpoint, if there is one, is deleted, and its run closed.
        """
        self._fitted().artifact().save(path)
        if self._journal is not None:
            with self._opened_ledger() as ledger, ledger.resume(self._journal.run):
                self._journal.remove()
            self._journal = None

    @property
    def certificate(self) -> Mapping[str, Any]:
        """The certificate, or what stands in its place."""
        return self._fitted().certificate

    @property
    def model(self) -> str:
        """Name of the fitted model."""
        return self._fitted().model

    @property
    def why(self) -> str:
        """Why this model, from public facts."""
        return self._fitted().why

    @property
    def dropped(self) -> tuple[str, ...]:
        """Names of the columns that do not come out: text that is not declared as categories."""
        return self._fitted().codec.dropped

    @property
    def default_rows(self) -> int:
        """How many rows ``sample()`` gives: the model's noisy total."""
        return self._fitted().default_rows

    def _fitted(self) -> Release:
        if self._release is None:
            raise SfumatoError("this synthesizer is not fitted; call fit first")
        return self._release

    @contextmanager
    def _opened_ledger(self) -> Iterator[Ledger]:
        """The caller's ledger as it is; one that is named by its path is closed again."""
        if isinstance(self._ledger, Ledger):
            yield self._ledger
            return
        new = self._ledger is not None and not Path(self._ledger).exists()
        cap = replace(DEFAULT_CAP, unit=self.guarantee.unit) if new else None
        with Ledger.open(self._ledger, cap) as ledger:
            yield ledger

    @contextmanager
    def _begun(self, ledger: Ledger) -> Iterator[Run]:
        """A run of the ledger, closed at the end; with a checkpoint, the one that was interrupted, and left open."""
        label = f"fit {self._wanted}"
        if self._checkpoint is None:
            with ledger.begin(self.guarantee, label) as run:
                yield run
            return
        facts = {
            "sfumato": version("sfumato"),
            "schema": self.schema.dump(),
            "model": self._wanted,
            "guarantee": asdict(self.guarantee),
        }
        self._journal = Journal.find(self._checkpoint, facts)
        if self._journal is None:
            run = ledger.begin(self.guarantee, label)
            self._journal = Journal.begin(self._checkpoint, facts, run.id)
        else:
            run = ledger.resume(self._journal.run)
            self._journal = Journal.find(self._checkpoint, facts)  # its last holder may have gone on until now
        try:
            yield run
        finally:
            run.release()

    def _learn(self, rows: Rows, run: Run, progress: Progress) -> Release:
        schema = self.schema
        purse = Purse(run, self._journal, progress)
        schema.check_columns(rows.columns)
        facts = measure(schema, CentralFacts(rows, schema, purse, progress))
        codec = Codec.from_schema(schema, facts, rows.stored_types)
        target = None if schema.target is None else codec.position(schema.target)
        name, why = (self._wanted, "asked for by name")
        if name == "auto":
            name, why = choose(codec.domain, target, self.guarantee)
        setting = Central(gather(rows, codec, progress), purse, self._max_rows)
        self.outside = setting.outside(purse.mu(OUTSIDE_SHARE))
        fitted = MODELS[name].fit(setting, target=target, progress=progress)
        return Release(schema, codec, fitted, name, why, self.guarantee, absent("not finished"))

    def _why_uncertified(self, unreviewed: bool) -> str | None:
        if not self.guarantee.private:
            return _INFINITE
        if unreviewed:
            return _UNREVIEWED
        return _DECLINED if self._no_certificate else None

    @property
    def _max_rows(self) -> int:
        unit = self.schema.unit
        return unit.max_rows if unit.kind == "id" else 1

    def _process(self, release: Release, run: Run, ledger: Ledger, source: str) -> Process:
        cap = {"epsilon": ledger.cap.epsilon, "delta": ledger.cap.delta} if ledger.cap.private else None
        kept = "in a file shared by all runs" if ledger.path else "in memory: other runs over the data are not counted"
        return Process(
            guarantee=self.guarantee,
            events=run.events,
            columns=declared(self.schema),
            model=release.model,
            why=release.why,
            max_rows=self._max_rows,
            setting="database" if source == "database" else "central",
            ledger={"kept": kept, "cap": cap},
            table=declared_of_the_table(self.schema),
            about=self._about,
        )


def load(path: str | os.PathLike[str]) -> Synthesizer:
    """Read a saved model, ready to sample; ArtifactError when it is damaged, edited or hostile."""
    release = Release.load(path)
    synthesizer = Synthesizer(release.schema, release.model, release.guarantee, no_certificate=True)
    synthesizer._release = release
    return synthesizer
