"""Parties none of whom may see the rows: counting on replicated shares of three parties, and the setting over it.

Each party holds other columns of the same persons (a vertical split). A table of one party's columns is counted by that
party alone. For a table of columns at two parties each masks its one-hots: what a masked one-hot and a mask are
multiplied to is at every party by itself no more than noise, and together the table (``counting``). Nobody opens such a
part: it goes, with the party's share of the noise, into the secure sum that sites use too (``trust.secure_sum``).

Where parties hold the same columns of different persons (a horizontal split) nothing has to be multiplied: that is a
federation, with the parties as its sites.
"""
