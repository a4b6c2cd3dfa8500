"""One self-contained HTML file: a page for the privacy officer, a page for the data scientist."""

from sfumato.reporting.page import render

__all__ = ["render"]
