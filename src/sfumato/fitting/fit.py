"""One fit: a run of the ledger, begun or gone on with, the questions, and what a certificate says of both."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sfumato.encoding.codec import Codec
from sfumato.encoding.measure import measure_facts
from sfumato.errors import CheckpointError, LedgerError
from sfumato.fitting.dataset_ledger import ANSWERS, DatasetLedger
from sfumato.fitting.plan import Plan
from sfumato.folder_lock import FolderLock
from sfumato.models import MODELS, settings_of
from sfumato.models.choose import chosen
from sfumato.privacy.ledger import DEFAULT_CAP, Ledger, Run
from sfumato.progress import Progress
from sfumato.release.certificate import NoCertificate
from sfumato.release.federation import FederationStatement
from sfumato.release.ledger_statement import Cap, Kept, LedgerStatement
from sfumato.release.process import Process, declared, declared_of_the_table
from sfumato.release.release import Release
from sfumato.results.plain import Json
from sfumato.tables import Rows
from sfumato.trust.answer_log import AnswerLog
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.facts import CentralFacts
from sfumato.trust.federated.setting import Federated
from sfumato.trust.gathering import gather

OUTSIDE_SHARE = 0.005
"""Share of the squared budget that pays for counting the rows which the schema's facts do not allow."""


@dataclass(frozen=True)
class Log:
    """Where the answers of a fit are kept until its model is saved.

    Attributes:
        folder: that of one fit, which the caller named; or that of all fits over a ledger.
        named: whether the caller named it, and so says that the rows are those of the first try.
        data: what tells the rows from others without looking at them.
    """

    folder: Path
    named: bool
    data: Mapping[str, Json]


def log_of(book: DatasetLedger, checkpoint: Path | None, rows: Rows, private: bool) -> Log | None:
    """Where a fit keeps its answers; None in memory, and without a guarantee: answers without noise are not kept."""
    if book.path is None or not private:
        return None
    if checkpoint is not None:
        return Log(checkpoint, True, {})
    return Log(book.path.with_name(book.path.name + ANSWERS), False, identity(rows))


def identity(rows: Rows) -> dict[str, Json]:
    """What tells these rows from others, in public facts: their name, and when the file was last written.

    Never their content: whether it changed between two tries could hang on one row, and would steer what is asked.
    """
    known: dict[str, Json] = {"kind": rows.kind, "name": rows.name}
    if os.path.exists(rows.name):
        path = os.path.realpath(rows.name)
        return {**known, "name": path, "written": os.stat(path).st_mtime_ns}
    return known


@dataclass
class OpenRun:
    """A run that is not closed yet, and what goes with it.

    Attributes:
        ledger: where it is charged.
        owned: whether the ledger was opened for it, and is to be closed with it.
        run: the run.
        answer_log: its answers, or None.
        resumed: charges that an earlier try of the same fit had paid for; 0 for a new run.
        lock: of the folder that the caller named for the answers, or None.
    """

    ledger: Ledger
    owned: bool
    run: Run
    answer_log: AnswerLog | None
    resumed: int = 0
    lock: FolderLock | None = None

    def finish(self) -> None:
        """Delete the answers and close the run: its model is saved, or nobody wants it."""
        if self.answer_log is not None:
            with self.run.held():
                self.answer_log.remove()
        self.run.close()
        self._close()

    def abandon(self) -> None:
        """After a failure: what was paid for stays for the next try; a run that paid nothing is closed."""
        if self.answer_log is None or not self.run.events:
            self.finish()
            return
        self.run.release()
        self._close()

    def _close(self) -> None:
        if self.lock is not None:
            self.lock.give_back()
        if self.owned:
            self.ledger.close()


def begin(plan: Plan, book: DatasetLedger, log: Log | None) -> OpenRun:
    """A run for ``plan``: that of an interrupted try of the same fit, with its answers, or a new one.

    Raises:
        Overdraft: the cap of the data set leaves no room.
        LedgerError: the ledger cannot be used, or a named log belongs to a run that still goes on.
        CheckpointError: a named log is damaged, of another fit, or that of a fit that goes on.

    *Formal guarantee.* A log is taken over only together with its run, which one process can hold at a time.
    """
    owned = not isinstance(book.ledger, Ledger)
    ledger = _opened(book, plan) if owned else book.ledger
    assert isinstance(ledger, Ledger)
    lock = None
    try:
        lock = FolderLock.take(log.folder) if log is not None and log.named else None
        run, answer_log = _resumed(plan, ledger, log) or _new(plan, ledger, log)
    except BaseException:
        if lock is not None:
            lock.give_back()
        if owned:
            ledger.close()
        raise
    return OpenRun(ledger, owned, run, answer_log, len(run.events), lock)


def _opened(book: DatasetLedger, plan: Plan) -> Ledger:
    new = book.path is not None and not book.path.exists()
    return Ledger.open(book.path, replace(DEFAULT_CAP, unit=plan.guarantee.unit) if new else None)


def _new(plan: Plan, ledger: Ledger, log: Log | None) -> tuple[Run, AnswerLog | None]:
    run = ledger.begin(plan.guarantee, f"fit {plan.model}")
    if log is None:
        return run, None
    folder = log.folder if log.named else log.folder / f"run-{run.id}"
    try:
        return run, AnswerLog.begin(folder, plan.facts(), run.id, log.data)
    except BaseException:
        run.close()
        raise


def _resumed(plan: Plan, ledger: Ledger, log: Log | None) -> tuple[Run, AnswerLog] | None:
    if log is None:
        return None
    if log.named:
        found = AnswerLog.find(log.folder, plan.facts())
        if found is not None and log.data and found.data != dict(log.data):
            raise CheckpointError(f"{log.folder} holds the answers of sites that agreed on another plan; name another")
        return None if found is None else _taken(ledger, found, plan)
    kept = list(AnswerLog.matching(log.folder, plan.facts(), log.data))
    states = {run["run"]: run["state"] for run in ledger.summary()["runs"]} if kept else {}
    for found in kept:
        if states.get(found.run) in ("dead", "elsewhere"):  # a live one goes on by itself: this fit is another
            return _taken(ledger, found, plan)
    return None


def _taken(ledger: Ledger, found: AnswerLog, plan: Plan) -> tuple[Run, AnswerLog]:
    """Take over the run; then read its answers again, for its last holder may have gone on until now."""
    run = ledger.resume(found.run, plan.take_over)
    with run.held():
        answer_log = AnswerLog.find(found.folder, plan.facts())
    if answer_log is None:
        run.release()
        raise LedgerError(f"the answers of run {found.run} are gone")
    return run, answer_log


def learn(plan: Plan, rows: Rows, opened: OpenRun, progress: Progress) -> tuple[Release, tuple[float, float]]:
    """Ask all questions and learn; the model without its certificate, and the noisy number of rows outside the facts.

    *Formal guarantee.* Every question is charged to the run before it is answered.
    """
    schema = plan.schema
    budget = Budget(opened.run, opened.answer_log, progress)
    schema.check_columns(rows.columns)
    facts = measure_facts(schema, CentralFacts(rows, schema, budget, progress))
    codec = Codec.from_schema(schema, facts, rows.stored_types)
    return taught(plan, codec, Central(gather(rows, codec, progress), budget, plan.max_rows), progress)


def taught(
    plan: Plan, codec: Codec, setting: Central | Federated, progress: Progress, form: str | None = None
) -> tuple[Release, tuple[float, float]]:
    """Ask ``setting`` for the rows outside the facts, then let the model ask it; what :func:`learn` returns.

    ``form`` is that of the networks, where it is not the usual one.
    """
    target = None if plan.schema.target is None else codec.position(plan.schema.target)
    choice = chosen(plan.model, codec.domain, target, plan.guarantee)
    outside = setting.outside(setting.mu(OUTSIDE_SHARE))
    recipe = MODELS[choice.name, codec.domain.content].recipe()
    recipe = recipe if form is None else replace(recipe, form=form)  # type: ignore[type-var]
    choice = replace(choice, settings=settings_of(recipe))
    fitted = recipe.fit(setting, target=target, progress=progress)
    unfinished = NoCertificate(reason="not finished").to_dict()
    return Release(plan.schema, codec, fitted, choice, plan.guarantee, unfinished), outside()


def process(
    plan: Plan,
    release: Release,
    opened: OpenRun,
    public_example: bool,
    setting: str,
    federation: FederationStatement | None = None,
) -> Process:
    """What the certificate of a finished fit restates."""
    return Process(
        guarantee=plan.guarantee,
        events=opened.run.events,
        columns=declared(plan.schema),
        choice=release.choice,
        max_rows=plan.max_rows,
        setting=setting,
        ledger=LedgerStatement("sites") if federation is not None else _statement(opened, public_example),
        records=release.default_rows,
        table=declared_of_the_table(plan.schema),
        types=dict(release.codec.types),
        about=plan.about,
        federation=federation,
    )


def _statement(opened: OpenRun, public_example: bool) -> LedgerStatement:
    position = opened.run.position
    kept: Kept = "public example" if public_example else "memory" if opened.ledger.path is None else "file"
    if not position.cap.private:
        return LedgerStatement(kept, position.ledger, position.run)
    cap = Cap(position.cap.epsilon, position.cap.delta)
    return LedgerStatement(kept, position.ledger, position.run, cap, position.epsilon_before, position.epsilon_after)


@contextmanager
def kept_on_failure(opened: OpenRun) -> Iterator[None]:
    """Give the run up on any exception, so that the next try of the same fit goes on with it."""
    try:
        yield
    except BaseException:
        opened.abandon()
        raise
