"""Columns to arrays of codes and back, by public facts alone."""
