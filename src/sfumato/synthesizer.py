"""The synthesizer: rows and a schema in, a certified generative model out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from sfumato.atomic import check_writable
from sfumato.errors import SfumatoError
from sfumato.fitting.connected import ConnectedSource
from sfumato.fitting.dataset_ledger import ledger_of
from sfumato.fitting.federated_fit import learn_federated, opened_sites, together
from sfumato.fitting.fit import OpenRun, begin, kept_on_failure, learn, log_of, process
from sfumato.fitting.parties import PartiesSource
from sfumato.fitting.plan import Plan
from sfumato.fitting.preflight import Places, check_installed, preflight, setting_of
from sfumato.fitting.sites import FederatedSource
from sfumato.models.choose import check_suits
from sfumato.models.settings import Settings
from sfumato.outputs import MODEL
from sfumato.privacy.guarantee import Guarantee, check_promise
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Progress, counted, shown
from sfumato.release.certificate import Certificate, NoCertificate
from sfumato.release.issuing import issue
from sfumato.release.process import Process
from sfumato.release.release import Given, Release
from sfumato.release.site_signatures import SiteSignatures
from sfumato.results.plain import Json
from sfumato.schema import Schema
from sfumato.tables import Rows, Table
from sfumato.tables.source import RowSource
from sfumato.tables.writing import write_blocks
from sfumato.written import claim

LEAST_DELTA = 1e-18
"""A smaller one is lost in the rounding of the accountants."""


class Synthesizer:
    """Learns a table under a guarantee, and samples rows like it.

    Args:
        schema: the public facts, or the path of a ``schema.yaml``.
        model: name of a model, or ``"auto"`` to have one chosen by public facts alone.
        guarantee: what is promised; its unit is taken from the schema.
        ledger: the data set's ledger, or its path. Default: ``RESOLVED_PATH.ledger`` beside the file or folder that is
            fitted, with a cap of epsilon 10, delta 1e-5. Frames, databases, pipes and folders without write permission
            have no such place: name one. ``Ledger.open(None)`` keeps it in memory, which adds nothing up. The examples
            of ``sf.examples`` are public and need none.
        target: a column of interest; default: the schema's.
        no_certificate: accept unreviewed facts; the model then gets no certificate.
        key: path of an Ed25519 private key that signs the certificate.
        about: what the curator states: ``curator``, ``purpose``.
        checkpoint: a folder for the answers of this one fit, in place of the one beside the ledger. The same fit goes
            on with what is in it, also when the rows were written again: that they are the same is then your word.
        take_over: your word that an earlier try of this fit, which ran on another host or in another container, has
            ended: only then is it gone on with from here.

    Answers are kept as they are given, in ``LEDGER.answers`` beside the ledger's file, until the model is saved. A fit
    that fails or is killed pays for none of them again: the next fit of the same schema, model, guarantee and version
    to the same rows goes on with them, and says so (``resumed``, and a warning).

    Attributes:
        schema: the public facts.
        guarantee: what is promised, for the schema's unit.
        outside: after a fit, the noisy number of rows with a cell that the schema's facts do not allow (clipped, moved
            to other or missing, or left out with its row), and the scale of that noise; where it stands clear of the
            noise, the facts deserve another look. None for a loaded model.
        ledger_path: after a fit, the file that it was charged to; None in memory.
        resumed: after a fit, how many charges an earlier try of it had paid for; 0 for a fit of its own.

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
        take_over: bool = False,
    ) -> None:
        known = schema if isinstance(schema, Schema) else Schema.load(schema)
        self.schema = known if target is None else known.with_target(target)
        if guarantee is not None and guarantee.delta < LEAST_DELTA:
            raise SfumatoError(f"delta {guarantee.delta:g}: what can be accounted has delta from {LEAST_DELTA:g}")
        check_suits(model, self.schema.content)
        unit = self.schema.unit
        self.guarantee = replace(guarantee or Guarantee(epsilon=1.0), unit=unit.column if unit.kind == "id" else "row")
        check_promise(self.guarantee)
        self._ledger, self._checkpoint = ledger, None if checkpoint is None else Path(checkpoint)
        if self._checkpoint is not None and (
            not self.guarantee.private or (isinstance(ledger, Ledger) and ledger.path is None)
        ):
            raise SfumatoError(
                "a checkpoint needs a ledger that lasts, and a finite epsilon (answers without noise are not kept)"
            )
        self._plan = Plan(
            schema=self.schema,
            model=model,
            guarantee=self.guarantee,
            no_certificate=no_certificate,
            key=None if key is None else Path(key),
            about=dict(about or {}),
            take_over=take_over,
        )
        self._open: OpenRun | None = None
        self._release: Release | None = None
        self.outside: tuple[float, float] | None = None
        self.ledger_path: Path | None = None
        self.resumed = 0

    def fit(
        self,
        source: RowSource | FederatedSource | ConnectedSource | PartiesSource,
        progress: Progress | None = None,
        *,
        output: str | os.PathLike[str] | None = None,
        report: str | os.PathLike[str] | None = None,
        verbose: bool = False,
    ) -> Synthesizer:
        """Learn ``source``: a path (CSV, Parquet, Arrow, images), or a frame (pandas, polars, pyarrow, DuckDB, Ibis).

        A table in a database, also named by its URL, is encoded and counted there where it can be.

        Args:
            source: the private rows; or what :func:`sfumato.federated` makes of the rows of several sites,
                or :func:`sfumato.parties` of columns of the same persons.
            progress: receives stages and steps.
            output: where the model will be saved; like all that can fail without the rows, tried before anything is
                charged.
            report: where a report will be written; likewise.
            verbose: draw bars of the progress where none is given.

        Raises:
            MissingExtra: the model, the report or the images need an extra that is not installed; nothing was read.
            SfumatoError: one line that says what does not fit (the table, the schema, the ledger) and the fix.

        *Formal guarantee.* Every answer about the rows is noised and charged to the ledger before it is given, so that
        all that is kept afterwards (model, samples, certificate) is (epsilon, delta)-differentially private for the
        schema's unit under adding or removing it, given that facts declared public are. With unreviewed facts or
        infinite epsilon there is no guarantee, and no certificate.
        """
        plan = self._plan
        check_installed(plan, report is not None)
        if isinstance(source, PartiesSource) and source.encrypted is not None:
            return self._fit_encrypted(source, output, progress, verbose)
        if isinstance(source, FederatedSource | ConnectedSource | PartiesSource):
            return self._fit_sites(source, output, report, progress, verbose)
        book = ledger_of(source, self._ledger, self.guarantee.private)
        rows = Rows.open(source, self.schema.dialect, self.schema.picture)
        log = log_of(book, self._checkpoint, rows, self.guarantee.private)
        places = Places(
            output=None if output is None else Path(output),
            report=None if report is None else Path(report),
            ledger=book.path,
            answers=None if log is None else log.folder,
        )
        preflight(plan, rows, places)
        claim(source)
        self._forget()
        opened = begin(plan, book, log)
        with kept_on_failure(opened), shown(progress, verbose) as seen:
            self._say_resumed(opened)
            release, self.outside = learn(plan, rows, opened, seen)
            made = process(plan, release, opened, book.public_example, setting_of(rows))
            release = replace(release, stored_certificate=self._certificate(release, made))
        self.ledger_path, self.resumed = book.path, opened.resumed
        return self._finished(release, opened)

    def _fit_sites(
        self,
        source: FederatedSource | ConnectedSource | PartiesSource,
        output: str | os.PathLike[str] | None,
        report: str | os.PathLike[str] | None,
        progress: Progress | None,
        verbose: bool,
    ) -> Synthesizer:
        """Learn rows that lie at several sites; see ``sfumato.federated``."""
        plan = self._plan
        if self._ledger is not None or self._checkpoint is not None:
            raise SfumatoError("each site keeps a ledger of its own: give ledgers= to federated(), not ledger= here")
        sites = opened_sites(source, plan) if isinstance(source, FederatedSource) else source.opened(plan)
        places = Places(
            output=None if output is None else Path(output),
            report=None if report is None else Path(report),
            ledger=sites.book.path,
            answers=None if sites.log is None else sites.log.folder,
        )
        preflight(plan, sites.rows, places, together(sites))
        self._forget()
        opened = begin(plan, sites.book, sites.log)
        with kept_on_failure(opened), shown(progress, verbose) as seen, sites.answering(plan, seen) as transport:
            self._say_resumed(opened)
            release, self.outside, stated = learn_federated(plan, sites, transport, opened, seen)
            made = process(plan, release, opened, False, stated.setting, stated)
            release = replace(release, stored_certificate=self._certificate(release, made))
        self.ledger_path, self.resumed = sites.book.path, opened.resumed
        return self._finished(release, opened)

    def _fit_encrypted(
        self,
        source: PartiesSource,
        output: str | os.PathLike[str] | None,
        progress: Progress | None,
        verbose: bool,
    ) -> Synthesizer:
        """Train on shares of simulated parties, without a promise: nothing is charged, and nothing kept for later."""
        if output is not None:
            check_writable(Path(output), MODEL)
        self._forget()
        with shown(progress, verbose) as seen:
            self._release = source.trained(self._plan, seen)
        self.outside, self.ledger_path, self.resumed = None, None, 0
        return self

    def _finished(self, release: Release, opened: OpenRun) -> Synthesizer:
        """This synthesizer with what was learnt."""
        self._release, self._open = release, opened
        if opened.answer_log is None:
            self._forget()
        large = self.guarantee.large_delta(release.default_rows)
        if large is not None:
            warnings.warn(large, stacklevel=3)
        return self

    def sample(self, n: int | None = None, *, given: Given | None = None, seed: int | None = None) -> Table:
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
        given: Given | None = None,
        seed: int | None = None,
        escape_formulas: bool = False,
        overwrite: bool = False,
        progress: Progress | None = None,
        verbose: bool = False,
    ) -> int:
        """Write the rows that :meth:`sample` would give to ``path``, block by block; how many there are.

        Memory does not grow with the rows, but for images outside Parquet and Arrow. Suffixes, ``escape_formulas`` and
        ``overwrite`` as for ``Table.write``, ``progress`` and ``verbose`` as for :meth:`fit`; a row is a step.

        Raises:
            ConditionError: a condition names no known column or value, or the model excludes it.
            OutputError: another suffix, a place that cannot be written to, a file that must stay, or a full disk;
                nothing is left behind.
        """
        release = self._fitted()
        n = release.default_rows if n is None else n
        with shown(progress, verbose) as seen:
            seen.stage("sampling rows", n)
            blocks = counted(release.blocks(n, given, seed), seen)
            write_blocks(blocks, release.codec.arrow_schema, path, escape_formulas, overwrite)
        return n

    def encode(self, source: RowSource) -> np.ndarray:
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

        Then the answers that were kept for another try are deleted, and the run is closed.
        """
        self._fitted().artifact().save(path)
        self._forget()

    @property
    def certificate(self) -> Certificate | NoCertificate:
        """The certificate, or why there is none; CertificateError where a loaded model holds neither."""
        return self._fitted().certificate

    @property
    def model(self) -> str:
        """Name of the fitted model."""
        return self._fitted().choice.name

    @property
    def why(self) -> str:
        """Why this model, from public facts."""
        return self._fitted().choice.why

    @property
    def settings(self) -> Settings | None:
        """The settings of the fitted model's recipe, by name; None for a model that was saved without them."""
        return self._fitted().choice.settings

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

    def _certificate(self, release: Release, made: Process) -> Mapping[str, Json]:
        from sfumato.release.signature import load_signing_key, sign

        plan = self._plan
        if plan.uncertified is not None:
            return NoCertificate(reason=plan.uncertified).to_dict()
        certificate = issue(made, release.artifact().hashes).to_dict()
        return certificate if plan.key is None else sign(certificate, load_signing_key(plan.key))

    def _say_resumed(self, opened: OpenRun) -> None:
        if opened.resumed and opened.answer_log is not None:
            warnings.warn(
                f"goes on with run {opened.run.id}, an earlier try of this fit: its {opened.resumed} charges are not"
                f" paid again, and its answers ({opened.answer_log.folder}) are of the rows as they were then",
                stacklevel=3,
            )

    def _forget(self) -> None:
        """Close the run of the last fit, and delete its answers."""
        if self._open is not None:
            self._open.finish()
            self._open = None


def load(path: str | os.PathLike[str]) -> Synthesizer:
    """Read a saved model, ready to sample; ArtifactError when it is damaged, edited or hostile.

    >>> import tempfile
    >>> import sfumato as sf
    >>> fitted = sf.Synthesizer(sf.examples.adult_schema(), "independent", sf.Guarantee(epsilon=1, delta=1e-9))
    >>> path = f"{tempfile.mkdtemp()}/model.sfm"
    >>> fitted.fit(sf.examples.adult()).save(path)
    >>> len(sf.load(path).sample(5))
    5
    """
    release = Release.load(path)
    synthesizer = Synthesizer(release.schema, release.choice.name, no_certificate=True)
    synthesizer.guarantee = release.guarantee  # as it was promised, perhaps by a version that allowed more
    synthesizer._plan = replace(synthesizer._plan, guarantee=release.guarantee)
    synthesizer._release = release
    return synthesizer


def keep_certified(synthesizer: Synthesizer, given: Mapping[str, bytes]) -> tuple[str, ...]:
    """Keep what the sites of a fit signed once they were shown its certificate, for the next save; who did.

    Args:
        synthesizer: fitted over sites that signed a plan.
        given: by name of the site, its signature; one that does not fit is left out.
    """
    release = synthesizer._fitted()
    if release.sites is None:
        return ()
    signed = SiteSignatures.parse(release.sites).with_certified(given, release.stored_certificate)
    synthesizer._release = replace(release, sites=signed.to_dict())
    return tuple(signed.certified)
