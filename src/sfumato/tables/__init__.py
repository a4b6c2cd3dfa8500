"""Rows in and out: files and frames of any usual kind."""

from sfumato.tables.rows import Rows as Rows
from sfumato.tables.table import Table as Table

__all__ = ["Rows", "Table"]
