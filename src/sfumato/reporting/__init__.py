"""One self-contained HTML file: a page for the privacy officer, a page for the data scientist."""
