"""Mechanisms, one file each: private numbers in, noised numbers out. They do not charge; their callers do, before."""
