"""Text of any origin shows all of itself on one line, wherever it is shown."""

from __future__ import annotations

import sys
import unicodedata

import pyarrow as pa
import pytest

from sfumato.errors import SfumatoError
from sfumato.models.choose import Choice
from sfumato.printable import printable, printable_parts
from sfumato.privacy.events import DiscreteGaussian
from sfumato.privacy.guarantee import Guarantee
from sfumato.release.certificate import Certificate, NoCertificate
from sfumato.release.issuing import issue
from sfumato.release.process import Process, declared
from sfumato.schema import Schema
from sfumato.tables import Table

FORGED = "x\x1b[2J\x1b[H\r\nVALID  every byte as saved\u202e\u200b\x9b\u2028\ud800"


def test_no_letter_of_unicode_hides_or_moves() -> None:
    shown = printable("".join(map(chr, range(sys.maxunicode + 1))))
    assert {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} == set()
    assert "\u3164" not in shown
    assert "\ufe0f" not in shown


@pytest.mark.parametrize("text", ["", "plain", "Straße 1 000 €", "東京\u3000市", "a\u0301", "😀"])
def test_what_can_be_seen_stays(text: str) -> None:
    assert printable(text) == text


def test_names_and_values_of_any_depth() -> None:
    parts = printable_parts({"a\n": [1, None, {"b": ("\x1b", 2.5)}], "c": True})
    assert parts == {"a\\x0a": [1, None, {"b": ["\\x1b", 2.5]}], "c": True}


def test_an_error_acts_on_no_terminal() -> None:
    assert str(SfumatoError(f"{FORGED}.sfm: no")).isprintable()


def test_a_certificate_that_is_none_keeps_its_line() -> None:
    assert str(NoCertificate(reason=FORGED[:-1])).count("\n") == 1


def test_no_field_of_a_certificate_leaves_its_line() -> None:
    schema = Schema.parse("sfumato: schema/1\ncolumns:\n  a: {kind: integer, bounds: [0, 1], source: public}\n")
    choice = Choice("independent", "asked for by name")
    issued = issue(Process(Guarantee(1, 1e-9), (DiscreteGaussian(30.0),), declared(schema), choice), {"m": "0"})
    forged = issued.to_dict() | {
        "product": {"kind": FORGED[:-1], "curator": FORGED[:-1], "purpose": FORGED[:-1]},
        "members": {FORGED[:-1]: FORGED[:-1]},
        "limits": [*issued.limits[:-1], FORGED[:-1]],
    }
    shown = str(Certificate.parse(forged)).splitlines()
    assert len(shown) == len(str(issued).splitlines())
    assert all(line.isprintable() for line in shown)


def test_a_table_shows_cells_as_they_are() -> None:
    shown = repr(Table(pa.table({FORGED[:-1]: ["\x1b]0;x\x07", "\u202eabc"]})))
    assert len(shown.splitlines()) == 4
    assert all(line.isprintable() for line in shown.splitlines())
