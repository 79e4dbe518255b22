"""Knows how votes are kept: one CSV row each, appended durably, once per comparison. Does not know what they add up to.

UTF-8, one header, one row per vote, never rewritten. A is left, B is right, as shown. `arena-rank` and pandas read the
file as it is; `read` here also undoes the marks of `cells`. Columns: docs/votes.md.
"""

from __future__ import annotations

from playground.votes.book import Receipt, VoteBook
from playground.votes.cells import escape, unescape
from playground.votes.columns import Kind, Piece, batches, batches_of, pieces
from playground.votes.guards import Limits
from playground.votes.places import place, readable
from playground.votes.reading import files, read, read_all
from playground.votes.rows import new, not_counted_reason, row, taking_back
from playground.votes.schema import COLUMNS, SCHEMA_VERSION

__all__ = [
    "COLUMNS",
    "SCHEMA_VERSION",
    "Kind",
    "Limits",
    "Piece",
    "Receipt",
    "VoteBook",
    "batches",
    "batches_of",
    "escape",
    "files",
    "new",
    "not_counted_reason",
    "pieces",
    "place",
    "read",
    "read_all",
    "readable",
    "row",
    "taking_back",
    "unescape",
]
