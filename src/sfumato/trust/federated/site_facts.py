"""Facts left to be measured, at a site: what it is told of them is checked, and its rows are encoded anew.

Each site encodes its rows by the public grid of the search first, and answers one question: the table of each column
whose bounds are open. What the coordinator makes of the opened tables is told to all; each site holds it against the
plan's schema, encodes its rows by it, and says by a hash which codec it made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from sfumato.encoding.codec import Codec
from sfumato.encoding.facts import Facts, agrees
from sfumato.encoding.measure import preliminary, widest
from sfumato.errors import FederationError, SfumatoError
from sfumato.schema import Schema
from sfumato.trust.records import ExactRecords

Encode = Callable[[Codec], ExactRecords]
"""A site's rows as records of a codec."""


def first_codec(schema: Schema) -> Codec:
    """By what a site encodes its rows before it is told anything: the search's grid where bounds are open."""
    return preliminary(schema) or Codec.from_schema(schema)


class SiteFacts:
    """What one site has been told of the facts that its plan leaves open.

    Args:
        schema: the plan's.
        records: its rows by ``first_codec``.
        encode: makes records anew; None where nothing is open.
        check: refuses records that are more than were declared: a file may have grown.

    Attributes:
        records: those that are asked now.
        open: whether the facts are still to be told.
        codec: SHA-256 of what the records are encoded by.

    *Formal guarantee.* Which codec a site uses follows from the plan and from what the coordinator tells it: public, or
    opened and paid for. A coordinator that tells other facts than were found gets sums that are of no use to it, each
    at its price: a unit moves a table of counts alike, whatever its cells are called. Where it tells other ones to each
    site it gets no sum: masks are made for the codec too.
    """

    def __init__(
        self, schema: Schema, records: ExactRecords, encode: Encode | None, check: Callable[[ExactRecords], None]
    ) -> None:
        self._schema, self._first, self._encode, self._check = schema, records, encode, check
        self.records, self.open = records, False
        self.forget()

    def forget(self) -> None:
        """Be as before anything was told: for a set-up anew."""
        self.records, self.open = self._first, bool(self._schema.measured())
        self.codec = codec_digest(first_codec(self._schema))

    def check_told(self) -> None:
        """FederationError while facts are still to be told: then tables of their search are answered alone."""
        if self.open:
            raise FederationError("before the facts are told, tables of their search are answered alone")

    def told(self, data: bytes) -> bytes:
        """Take in the settled schema; the SHA-256 of the codec that was made of it.

        Raises:
            FederationError: it is told already, or is not the plan's schema with its open bounds filled in, within the
                grid of the search.
        """
        if not self.open or self._encode is None:
            raise FederationError("the plan leaves no fact to be told, or all were told already")
        codec = _codec_of(data, self._schema)
        records = self._encode(codec)
        self._check(records)
        self.records, self.open, self.codec = records, False, codec_digest(codec)
        return self.codec


def _codec_of(data: bytes, schema: Schema) -> Codec:
    try:
        found = Schema.parse(data.decode("utf-8"), "facts")
        if agrees(found, schema) and _within(found, widest(schema)):
            return Codec.from_schema(found)
    except (SfumatoError, UnicodeDecodeError):
        pass
    raise FederationError("facts that are not those which the plan's schema leaves open, or lie beyond its search")


def _within(found: Schema, most: Facts) -> bool:
    """Whether all bounds lie within those of the search."""
    for name, fact in most.items():
        bounds, limits = getattr(found.column(name), "bounds", None), fact.bounds
        if not bounds or not limits or bounds[0] < limits[0] or bounds[1] > limits[1]:
            return False
    return True


def codec_digest(codec: Codec) -> bytes:
    """SHA-256 of all that a codec follows from."""
    return hashlib.sha256(codec.to_json().encode()).digest()
