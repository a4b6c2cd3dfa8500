"""Attack synthetic rows, whoever made them, with the rows they were made from and holdout ones; internal."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sfumato.atomic import atomic_write, check_writable
from sfumato.auditing.result import AuditReport, Suite
from sfumato.errors import SfumatoError
from sfumato.evaluation.data import EvaluationData
from sfumato.extras import require
from sfumato.models import Model, RecordLoss
from sfumato.models.settings import SettingsError
from sfumato.outputs import PICTURE
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Progress, Silent, shown
from sfumato.release.certificate import Certificate
from sfumato.release.release import Release
from sfumato.schema import Schema
from sfumato.tables.source import RowSource
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records

if TYPE_CHECKING:
    from sfumato.auditing.attacks.white_box import WhiteBox

_ROWS = 50_000
"""Synthetic rows that are attacked at most: more make the attacks slower and hardly sharper."""
_FEW = 300
"""Rows that the overfitted twin learns: so few that it knows them by heart."""
_STRIPS = 24
"""Images whose nearest real ones are shown: one page."""


def audit(
    real: RowSource,
    holdout: RowSource,
    synthetic: RowSource | None = None,
    schema: Schema | str | os.PathLike[str] | None = None,
    claimed: Guarantee | None = None,
    suite: Suite = "quick",
    model: str | os.PathLike[str] | None = None,
    strips: str | os.PathLike[str] | None = None,
    *,
    recipe: bool = False,
    progress: Progress | None = None,
    verbose: bool = False,
) -> AuditReport:
    """Attack ``synthetic`` rows and say what the attacks show beside what was claimed.

    Args:
        real: the rows the synthetic ones were made from: a path or a frame.
        holdout: rows of the same population that were not used.
        synthetic: rows of any generator; may be left out where a ``model`` can be sampled.
        schema: describes all three; without one it is drafted from the three tables, for this audit alone.
        claimed: the guarantee that the synthetic rows are said to carry, if any; default: what the model's
            certificate says.
        suite: ``quick``: membership attacks; ``full``: more candidates, attribute inference, reconstruction, singling
            out, linkability.
        model: a saved model that made the rows; it is attacked too, and brings its schema along.
        strips: where to write a PNG of synthetic images, each beside the nearest real ones: it shows real images.
        recipe: fit the model's recipe again to audit it (:func:`sfumato.auditing.recipe.audit_recipe`); minutes.
        progress: receives stages and steps.
        verbose: draw bars of the progress where none is given.

    Returns:
        What each attack found, the verdict over all, and the audit of the recipe where it was asked for. Synthetic
        cells that a given schema refuses count as missing.

    Raises:
        MissingExtra: an extra that this needs is not installed.
        SfumatoError: a table or model that cannot be read, does not fit the schema or is too small.

    *Formal guarantee.* None: the result depends on real rows without noise. Keep it inside.

    >>> import sfumato as sf
    >>> rows = sf.examples.adult_test().arrow
    >>> real, holdout, synthetic = (sf.Table(rows.slice(start, 500)) for start in (0, 500, 1000))
    >>> sf.audit(real, holdout, synthetic, sf.examples.adult_schema()).verdict
    'no evidence of a leak beyond epsilon = 0'
    """
    require("report", "an audit")
    if strips is not None:
        require("images", "a picture of strips")
        check_writable(strips, PICTURE, (real, holdout, synthetic, schema, model))
    from sfumato.auditing.suite import run_attacks

    if model is not None and schema is not None:
        raise SfumatoError("a model brings its schema along: leave --schema out")
    if model is None and recipe:
        raise SfumatoError("only the recipe of a --model can be fitted again: give one, or leave --recipe out")
    if model is None and synthetic is None:
        raise SfumatoError("nothing to attack: give --synthetic rows, a --model, or both")
    with shown(progress, verbose) as seen:
        seen.stage("reading the tables")
        if model is not None:
            release = Release.load(model)
            return _with_model(real, holdout, synthetic, claimed, suite, release, strips, recipe, seen)
        assert synthetic is not None
        if schema is None:
            data = EvaluationData.drafted(real, holdout, synthetic)
        else:
            data = EvaluationData.of_schema(_loaded(schema), real, holdout, synthetic)
        _show(data, strips)
        found = run_attacks(data.real, data.holdout, data.synthetic, data.domain, claimed, suite, progress=seen)
    used = "drafted" if schema is None else "given"
    return replace(found, schema=used, columns=data.domain.names, left_out=data.left_out)


def _with_model(
    real: RowSource,
    holdout: RowSource,
    synthetic: RowSource | None,
    claimed: Guarantee | None,
    suite: Suite,
    release: Release,
    strips: str | os.PathLike[str] | None,
    again: bool,
    seen: Progress,
) -> AuditReport:
    from sfumato.auditing.suite import run_attacks

    if again and release.choice.settings is None:
        raise SfumatoError(
            "the model was saved without the settings of its recipe, which can so not be fitted again: fit the model"
            " with this version, or leave --recipe out"
        )
    if again and not release.guarantee.private:
        raise SfumatoError("the model carries no guarantee that its recipe could be held to: leave --recipe out")
    made = synthetic if synthetic is not None else _drawn(release)
    data = EvaluationData.of_model(release.codec, real, holdout, made)
    if claimed is None and isinstance(release.certificate, Certificate):
        claimed = release.guarantee
    _show(data, strips)
    white_box = white_box_of(release, data.real)
    tables = (data.real, data.holdout, data.synthetic)
    found = run_attacks(*tables, data.domain, claimed, suite, white_box=white_box, progress=seen)
    found = replace(found, schema="the model's", columns=data.domain.names, left_out=data.left_out)
    if not again:
        return found
    from sfumato.auditing.recipe import Recipe, audit_recipe

    try:
        model = release.recipe
    except SettingsError as error:
        raise SfumatoError(f"{error}: take the version that fitted the model, or leave --recipe out") from None
    recipe = Recipe(model, data.domain, data.position(release.schema.target), release.guarantee)
    return replace(found, recipe=audit_recipe(recipe, data.real, data.holdout, seen))


def _drawn(release: Release) -> np.ndarray:
    """As many rows as the model has by its noisy total, but at most 50,000."""
    return release.fitted.sample(min(_ROWS, release.default_rows), np.random.default_rng(), {})


def _show(data: EvaluationData, path: str | os.PathLike[str] | None) -> None:
    """Write the strips of some synthetic images, if they are wanted."""
    if path is None:
        return
    if data.domain.content == "table":
        raise SfumatoError("strips show images, and these tables have no column of them: leave --strips out")
    from sfumato.auditing.attacks.image_neighbours import strips
    from sfumato.tables.image_files import picture

    with atomic_write(path, PICTURE) as out:
        picture(strips(data.synthetic[:_STRIPS], data.real, data.domain)).save(out, "PNG")


def white_box_of(release: Release, real: np.ndarray) -> WhiteBox | None:
    """The model, and the same recipe fitted to a few rows without noise; None for a model that gives no loss."""
    from sfumato.auditing.attacks.white_box import WhiteBox

    if not isinstance(release.fitted, RecordLoss):
        return None
    few = real[np.random.default_rng(0).permutation(len(real))[:_FEW]]
    recipe = _twin(release)
    with Ledger.open(None) as ledger, ledger.begin(Guarantee(math.inf), "overfit") as run:
        setting = Central(Records.of(few, release.codec.domain), Budget(run))
        overfitted = recipe.fit(setting, target=None, progress=Silent())
    assert isinstance(overfitted, RecordLoss)  # the fitted form of one recipe
    return WhiteBox(release.fitted, overfitted, few)


def _twin(release: Release) -> Model:
    """The model's recipe, overfitting; with this version's own settings where it has others: any twin shows power."""
    try:
        return release.recipe.overfitting()
    except SettingsError:
        return replace(release, choice=replace(release.choice, settings=None)).recipe.overfitting()


def _loaded(schema: Schema | str | os.PathLike[str]) -> Schema:
    return schema if isinstance(schema, Schema) else Schema.load(schema)
