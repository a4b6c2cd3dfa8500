"""What a site finds when it tries a plan by itself."""

from __future__ import annotations

from dataclasses import dataclass

from sfumato.results.plain import Json


@dataclass(frozen=True)
class SiteCheck:
    """What a dry run found; for the people of the site alone.

    Attributes:
        site: its name.
        plan: SHA-256 of the plan.
        words: the plan in plain words.
        rows: records that the site would take part with.
        outside: rows with some cell that the schema's facts do not allow.
        keys: of a party, what it should know of the keys of its persons.
    """

    site: str
    plan: str
    words: tuple[str, ...]
    rows: int
    outside: int
    keys: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Json]:
        """As JSON values."""
        return {
            "site": self.site,
            "plan": self.plan,
            "words": list(self.words),
            "rows": self.rows,
            "rows_outside_facts": self.outside,
            "keys": list(self.keys),
        }

    def __str__(self) -> str:
        return "\n".join(
            (
                *self.words,
                f"for your eyes alone: {self.rows:,} rows would take part, {self.outside:,} have a cell outside the"
                " declared facts",
                *(f"for your eyes alone: {note}" for note in self.keys),
                "nothing stands against taking part; nothing was sent",
            )
        )
