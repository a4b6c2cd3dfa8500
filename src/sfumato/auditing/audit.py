"""Attack synthetic rows, whoever made them, with the rows they were made from and fresh ones; internal."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from sfumato.atomic import atomic_write
from sfumato.encoding.codec import Codec
from sfumato.errors import SfumatoError, TableError
from sfumato.extras import require
from sfumato.models import MODELS, RecordLoss
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Progress, Silent
from sfumato.release.release import Release
from sfumato.schema import Schema, sketch
from sfumato.tables import Rows
from sfumato.tables.dialect import Dialect
from sfumato.trust.central import Central
from sfumato.trust.purse import Purse
from sfumato.trust.records import Records

if TYPE_CHECKING:
    from sfumato.auditing.attacks.white_box import WhiteBox

_ROWS = 50_000
_FEW = 300
_STRIPS = 24


def audit(
    real: Any,
    holdout: Any,
    synthetic: Any = None,
    schema: Schema | str | os.PathLike[str] | None = None,
    claimed: Guarantee | None = None,
    suite: Literal["quick", "full"] = "quick",
    model: str | os.PathLike[str] | None = None,
    strips: str | os.PathLike[str] | None = None,
    *,
    recipe: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
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
        progress: receives stages and steps of that.

    Returns:
        The mapping of :meth:`sfumato.auditing.attacks.AuditReport.to_json`; ``schema``: ``given``, ``drafted`` or
        ``the model's``; and ``recipe``, where it was audited.

    Raises:
        MissingExtra: an extra that this needs is not installed.
        SfumatoError: a table or model that cannot be read, does not fit the schema or is too small.

    *Formal guarantee.* None: the result depends on real rows without noise. Keep it inside.
    """
    require("report", "an audit")
    if strips is not None:
        require("images", "a picture of strips")
    if model is not None:
        if schema is not None:
            raise SfumatoError("a model brings its schema along: leave --schema out")
        release = Release.load(model)
        again = (progress or Silent()) if recipe else None
        return _with_model(real, holdout, synthetic, claimed, suite, release, strips, again)
    if recipe:
        raise SfumatoError("only the recipe of a --model can be fitted again: give one, or leave --recipe out")
    if synthetic is None:
        raise SfumatoError("nothing to attack: give --synthetic rows, a --model, or both")
    from sfumato.auditing.suite import run_attacks

    given = None if schema is None else _loaded(schema)
    tables = _tables(real, holdout, synthetic, given)
    names = [c for c in tables[0].column_names if all(c in t.column_names for t in tables[1:])]
    if not names:
        raise TableError("the three tables share no column; nothing can be compared")
    known = _drafted([t.select(names) for t in tables]) if given is None else given
    codec = _learnt(Schema(columns=known.columns, nulls=known.nulls))
    used, fresh, made = (_encoded(t, codec) for t in tables)
    _show(used, made, codec, strips)
    found = run_attacks(used, fresh, made, codec.domain, claimed, suite).to_json()
    return {**found, "schema": "drafted" if schema is None else "given", "columns": list(codec.domain.names)}


def _with_model(
    real: Any,
    holdout: Any,
    synthetic: Any,
    claimed: Guarantee | None,
    suite: Literal["quick", "full"],
    release: Release,
    strips: str | os.PathLike[str] | None,
    again: Progress | None,
) -> dict[str, Any]:
    from sfumato.auditing.suite import run_attacks

    if again is not None and not release.guarantee.private:
        raise SfumatoError("the model carries no guarantee that its recipe could be held to: leave --recipe out")
    codec = _learnt(release.codec.schema)
    used, fresh = (_encoded(_arrow(t, release.schema.dialect), codec) for t in (real, holdout))
    if synthetic is None:
        made = release.fitted.sample(min(_ROWS, release.default_rows), np.random.default_rng(), {})
    else:
        made = _encoded(_arrow(synthetic, release.schema.written), codec)
    certified = release.certificate.get("certificate") is not None
    claimed = release.guarantee if claimed is None and certified else claimed
    _show(used, made, codec, strips)
    white_box = white_box_of(release, used)
    found = run_attacks(used, fresh, made, codec.domain, claimed, suite, white_box=white_box).to_json()
    found |= {"schema": "the model's", "columns": list(codec.domain.names)}
    if again is not None:
        from sfumato.auditing.recipe import Recipe, audit_recipe

        target = None if release.schema.target is None else codec.position(release.schema.target)
        recipe = Recipe(release.model, codec.domain, target, release.guarantee)
        found["recipe"] = audit_recipe(recipe, used, fresh, again)
    return found


def _show(used: np.ndarray, made: np.ndarray, codec: Codec, path: str | os.PathLike[str] | None) -> None:
    """Write the strips of some synthetic images, if they are wanted."""
    if path is None:
        return
    if codec.domain.pixels is None:
        raise SfumatoError("strips show images, and these tables have no column of them: leave --strips out")
    from sfumato.auditing.attacks.image_neighbours import strips
    from sfumato.tables.image_files import picture

    with atomic_write(path) as out:
        picture(strips(made[:_STRIPS], used, codec.domain)).save(out, "PNG")


def white_box_of(release: Release, used: np.ndarray) -> WhiteBox | None:
    """The model, and the same recipe fitted to a few rows without noise; None for a model that gives no loss."""
    from sfumato.auditing.attacks.white_box import WhiteBox

    if not isinstance(release.fitted, RecordLoss):
        return None
    few = used[np.random.default_rng(0).permutation(len(used))[:_FEW]]
    recipe = MODELS[release.model, release.codec.domain.content].recipe().overfitting()
    with Ledger.open(None) as ledger, ledger.begin(Guarantee(math.inf), "overfit") as run:
        setting = Central(Records.of(few, release.codec.domain), Purse(run))
        overfitted = recipe.fit(setting, target=None, progress=Silent())
    assert isinstance(overfitted, RecordLoss)  # the fitted form of one recipe
    return WhiteBox(release.fitted, overfitted, few)


def _arrow(source: Any, dialect: Dialect | None) -> pa.Table:
    return pa.Table.from_batches(Rows.open(source, dialect).batches())


def _tables(real: Any, holdout: Any, synthetic: Any, schema: Schema | None) -> list[pa.Table]:
    """The three as tables; by a guess of how they are written where there is no schema, for such an audit alone."""
    dialects = (None, None, None) if schema is None else (schema.dialect, schema.dialect, schema.written)
    return [_arrow(t, dialect) for t, dialect in zip((real, holdout, synthetic), dialects, strict=True)]


def _drafted(tables: list[pa.Table]) -> Schema:
    """A schema of the union; a column whose type differs between the tables is read as text, unless it holds images."""
    fields = []
    for field in tables[0].schema:
        kinds = {t.schema.field(field.name).type for t in tables}
        if len(kinds) > 1 and any(isinstance(kind, pa.BaseExtensionType) for kind in kinds):
            raise TableError(f"the images in column {field.name!r} are not of one size and kind in the three tables")
        fields.append(pa.field(field.name, field.type if len(kinds) == 1 else pa.string()))
    return sketch(pa.concat_tables(t.cast(pa.schema(fields)) for t in tables))


def _loaded(schema: Schema | str | os.PathLike[str]) -> Schema:
    return schema if isinstance(schema, Schema) else Schema.load(schema)


def _learnt(known: Schema) -> Codec:
    """The codec of the columns that are modelled."""
    columns = tuple(c for c in known.columns if c.modelled)
    return Codec.from_schema(known.model_copy(update={"columns": columns}))


def _encoded(table: pa.Table, codec: Codec) -> np.ndarray:
    names = list(codec.schema.names)
    lacking = [n for n in names if n not in table.column_names]
    if lacking:
        raise TableError(f"a table lacks the column {lacking[0]!r} of the schema")
    return np.concatenate([codec.encode(batch) for batch in table.select(names).to_batches(max_chunksize=1 << 18)])
