"""How the file of the rows is written down: declared with the other facts, for one row could decide a guess."""

from __future__ import annotations

from pydantic import model_validator

from sfumato.schema.sources import Statement
from sfumato.tables.dialect import Dialect


class FileFacts(Statement):
    """The dialect of delimited text; other forms of tables do without. What is left out is the default.

    Attributes:
        charset: how characters are written as bytes; a byte that it does not know becomes U+FFFD in its own cell.
        delimiter: what stands between two fields.
        quote: what encloses a field that holds a delimiter or an end of line; "" for nothing.
        header: the first record holds the names of the columns; without it they are the schema's, in its order.
    """

    charset: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    header: bool = True

    def dialect(self, names: tuple[str, ...] | None = None) -> Dialect:
        """For a reader; ``names`` as `Dialect` has them."""
        return Dialect(self.charset, self.delimiter, self.quote, self.header, names)

    @model_validator(mode="after")
    def _readable(self) -> FileFacts:
        self.dialect()
        return self
