"""Fixes of the promise itself, and the certificates that were issued without them.

The same list stands under *Guarantee fixes* in ``CHANGELOG.md``, where each has its explanation; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass

_FIRST = "sfumato/certificate/1"


@dataclass(frozen=True)
class GuaranteeFix:
    """One fix.

    Attributes:
        title: what was fixed, the bold words of its entry in the changelog.
        touches: kinds of certificates that may promise too much without it.
    """

    title: str
    touches: tuple[str, ...] = (_FIRST,)


GUARANTEE_FIXES = (
    GuaranteeFix("Releasable reports list no runs and name no files.", touches=()),
    GuaranteeFix("One data set has one ledger, whatever path leads to it."),
    GuaranteeFix("A renamed or linked data set begins no second ledger."),
    GuaranteeFix("What was spent is counted from the charges."),
    GuaranteeFix("Python counts what it spends."),
    GuaranteeFix("A cap and its runs have one unit."),
    GuaranteeFix("A public example is what is read."),
    GuaranteeFix("No promise or cap is above epsilon 20."),
    GuaranteeFix("Each cell is read by itself."),
    GuaranteeFix("A CSV is read by declared facts."),
    GuaranteeFix("No cell ends a fit."),
    GuaranteeFix("Counts of labels to be measured add up."),
    GuaranteeFix("Text is read where it lies."),
    GuaranteeFix("Selections are drawn with noise that does not end."),
    GuaranteeFix("The search for bounds has the units of the fit."),
    GuaranteeFix("Timestamps of pandas are read as each alone."),
    GuaranteeFix("A fact without a source is open."),
    GuaranteeFix("`sfumato verify` compares the codec with the schema."),
    GuaranteeFix("A run has one holder."),
    GuaranteeFix("The two accountants share nothing but the events."),
    GuaranteeFix("Types of pandas frames are neither taken from the cells nor saved."),
    GuaranteeFix("No file ends a fit of a folder of images."),
    GuaranteeFix("No row of PostgreSQL ends a fit."),
    GuaranteeFix("Bytes that are no UTF-8, in a text column of Parquet or Arrow, concern their own cell."),
    GuaranteeFix("A person keeps one bound however the identifier is stored."),
    GuaranteeFix("The cap is a valid filter for adaptive choices."),
    GuaranteeFix("The first bytes of a row are its own."),
    GuaranteeFix("The vector of a record does not depend on other records."),
    GuaranteeFix("Noise on sums of vectors and on gradients is whole numbers on a grid."),
    GuaranteeFix("Shapes of a training are public."),
)


def lacking(kind: str) -> tuple[GuaranteeFix, ...]:
    """The fixes that certificates of ``kind`` were issued without."""
    return tuple(fix for fix in GUARANTEE_FIXES if kind in fix.touches)
