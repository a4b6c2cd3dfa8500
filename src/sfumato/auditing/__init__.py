"""Attacks on rows, models and recipes, and the lower bounds on epsilon that they show."""
