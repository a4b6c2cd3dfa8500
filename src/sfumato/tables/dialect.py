"""How delimited text is written down: declared facts, on which every record of a file is read alike."""

from __future__ import annotations

import codecs
import os
from dataclasses import dataclass

from sfumato.errors import TableError

_SINGLE = (
    *("ascii", "koi8-r", "koi8-u", "mac-roman", "cp437", "cp850", "cp852", "cp858", "cp866", "cp1125"),
    *(f"iso8859-{i}" for i in range(1, 17) if i != 12),
    *(f"cp125{i}" for i in range(9)),
)
_DOUBLE_HIGH = ("euc_jp", "euc_kr", "gb2312")
_DOUBLE_LOW = ("shift_jis", "cp932", "gbk", "gb18030", "big5")
_WIDE = ("utf-16", "utf-16-le", "utf-16-be")
CHARSETS = frozenset(codecs.lookup(name).name for name in ("utf-8", *_SINGLE, *_DOUBLE_HIGH, *_DOUBLE_LOW, *_WIDE))
"""Python's names of the charsets that are read: those in which a byte of ASCII means itself, and UTF-16."""

_LEAST_SECOND_BYTE = 0x40
"""In some charsets a byte from here on may be the second half of a character, and so cannot separate anything."""

MOST_COLUMNS = 1 << 14
"""Columns of a table: all that is done for each takes seconds for so many, and few tables about people have more."""

LONGEST_NAME = 1 << 12
"""Characters of a column's name: a longer one is a cell, or a line without its delimiter."""

_UTF_8 = codecs.lookup("utf-8").name


@dataclass(frozen=True)
class Dialect:
    """What must be known to read delimited text.

    Records are those of RFC 4180: fields separated by ``delimiter``, records ended by ``\\n`` or ``\\r\\n`` (the last
    one perhaps by nothing). A field that begins with ``quote`` ends with it, may hold delimiters and ends of lines, and
    holds ``quote`` doubled; any other field holds none of these. Every record has as many fields as there are columns.
    An empty line is no record, but where there is one column. Whatever else some reader might accept is refused.

    Attributes:
        charset: one of `CHARSETS` or another name of it. A byte-order mark of UTF-8 before the header is skipped;
            without a header it belongs to the first cell, unless ``utf-8-sig`` says that the file begins with one.
        delimiter: one character of ASCII, no letter or digit.
        quote: ``"``, ``'``, or nothing where quotation marks mean themselves.
        header: the first record holds the names of the columns.
        names: those of the schema: of the columns, without a header; with one, to tell a wrong delimiter by.
        declared_in: what an error says to correct.

    Raises:
        ValueError: what no file can be read by, and what to write instead.
    """

    charset: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    header: bool = True
    names: tuple[str, ...] | None = None
    declared_in: str = "the schema"

    def __post_init__(self) -> None:
        if self.codec not in CHARSETS:
            raise ValueError(
                f"charset {self.charset!r} is not read; write utf-8, utf-16, latin-1, cp1252 or another of the list in "
                "the documentation, or convert the file to UTF-8"
            )
        if len(self.delimiter) != 1 or not self.delimiter.isascii() or self.delimiter.isalnum():
            raise ValueError('delimiter is one character of ASCII that is no letter or digit: ",", ";", "\\t" or "|"')
        if self.delimiter in '\r\n\0"':
            raise ValueError("delimiter cannot be an end of line, a quotation mark or NUL")
        if self.quote not in ('"', "'", "") or self.quote == self.delimiter:
            raise ValueError('quote is \'"\', "\'" or nothing (""), and not the delimiter')
        if self.codec in _LOW and any(ord(c) >= _LEAST_SECOND_BYTE for c in self.delimiter + self.quote):
            raise ValueError(f"in {self.charset} {self.delimiter!r} may be half a character; convert the file to UTF-8")

    @property
    def codec(self) -> str:
        """Python's name of the charset; "" for none."""
        try:
            name = codecs.lookup(self.charset).name
        except (LookupError, ValueError):
            return ""
        return _UTF_8 if name == "utf-8-sig" else name

    @property
    def wide(self) -> bool:
        """Whether a character takes two bytes or more, so that text is decoded before it is split."""
        return self.codec.startswith("utf-16")

    @property
    def marked(self) -> bool:
        """Whether a byte-order mark of UTF-8 is declared."""
        return self.codec == _UTF_8 and codecs.lookup(self.charset).name == "utf-8-sig"

    def bare(self) -> dict[str, str | bool]:
        """What differs from the default, as a schema writes it."""
        stated = {"charset": self.charset, "delimiter": self.delimiter, "quote": self.quote, "header": self.header}
        default = {"charset": "utf-8", "delimiter": ",", "quote": '"', "header": True}
        return {key: value for key, value in stated.items() if value != default[key]}


_LOW = frozenset(codecs.lookup(name).name for name in _DOUBLE_LOW)


def is_compressed(path: str, dialect: Dialect) -> bool:
    """Whether delimited text is compressed by gzip: by its first bytes, or, where these are a row's, by its name."""
    return is_gzip(path) if dialect.header else path.lower().endswith(".gz")


def is_gzip(path: str) -> bool:
    """Whether the file begins with the mark of gzip."""
    with open(path, "rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def checked_names(source: str, names: list[str]) -> tuple[str, ...]:
    """Column names as a tuple; refuses a name that is empty or stands twice, and more names than `MOST_COLUMNS`.

    Raises:
        TableError: naming the columns by position, for without a header line the names would be values.
    """
    if len(names) > MOST_COLUMNS:
        raise TableError(
            f"{source}: more than {MOST_COLUMNS:,} columns, the most that a table may have; leave columns out, or check"
            " the delimiter and the header"
        )
    seen: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        if not name.strip():
            raise TableError(
                f"{source}: column {position} has no name; name it in the header, or drop it "
                "if it is a row index that was written along"
            )
        if len(name) > LONGEST_NAME:
            raise TableError(
                f"{source}: the name of column {position} has more than {LONGEST_NAME:,} characters; shorten it, or"
                " check the delimiter and the header"
            )
        if name in seen:
            raise TableError(
                f"{source}: columns {seen[name]} and {position} have the same name; rename one, "
                "or add a header line if the first line is a row"
            )
        seen[name] = position
    return tuple(names)


def display_name(source: object) -> str:
    """How an error names a source: its path, or the kind of object."""
    return os.fspath(source) if isinstance(source, str | os.PathLike) else f"the {type(source).__name__}"
