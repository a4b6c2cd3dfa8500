"""What a fit was asked for: public facts alone, fixed before a row is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sfumato.privacy.guarantee import Guarantee
from sfumato.results.plain import Json
from sfumato.schema import Schema
from sfumato.version import VERSION

_UNREVIEWED = "the schema holds facts that were read off the rows or have no source, and that nobody reviewed"
_INFINITE = "epsilon is infinite: the model was fitted without noise and promises nothing"
_DECLINED = "it was declined when the model was fitted"


@dataclass(frozen=True)
class Plan:
    """One fit, as it was asked for.

    Attributes:
        schema: the public facts, with the target that was asked for.
        model: name of a model, or ``"auto"``.
        guarantee: what is promised, with the schema's unit.
        no_certificate: whether a certificate was declined.
        key: path of the private key that signs, or None.
        about: what the curator states.
        take_over: the caller's word that an earlier try of this fit on another host has ended.
    """

    schema: Schema
    model: str
    guarantee: Guarantee
    no_certificate: bool = False
    key: Path | None = None
    about: Mapping[str, str] = field(default_factory=dict)
    take_over: bool = False

    @property
    def max_rows(self) -> int:
        """Rows that one unit may hold."""
        unit = self.schema.unit
        return unit.max_rows if unit.kind == "id" else 1

    @property
    def uncertified(self) -> str | None:
        """Why there will be no certificate; None where there will be one."""
        if not self.guarantee.private:
            return _INFINITE
        if self.schema.unreviewed():
            return _UNREVIEWED
        return _DECLINED if self.no_certificate else None

    def facts(self) -> dict[str, Json]:
        """What the answers of this fit follow from, beside the rows: another fit with the same may go on with them."""
        return {
            "sfumato": VERSION,
            "schema": self.schema.dump(),
            "model": self.model,
            "guarantee": asdict(self.guarantee),
        }
