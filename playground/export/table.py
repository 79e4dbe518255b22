"""Knows how the votes of several files become one: which rows, in which order, as which bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from playground.standings.effective import standing
from playground.votes import COLUMNS, batches, read_all
from playground.votes.cells import line
from playground.votes.schema import Row

_KEYS = ("vote_id", "supersedes", "counted")


def rows(paths: Sequence[Path], *, counted_only: bool = False) -> Iterator[Row]:
    """Every row as it is, superseded ones too; one that is in two files comes once. With `counted_only` only those that
    count: they stand, and nothing speaks against them. Raises VoteError as `votes.read` does."""
    wanted = counting(paths) if counted_only else None
    seen: set[str] = set()
    for row in read_all(paths):
        if row["vote_id"] not in seen and (wanted is None or row["vote_id"] in wanted):
            seen.add(row["vote_id"])
            yield row


def counting(paths: Sequence[Path], *, counted_only: bool = True) -> set[str]:
    """Ids of the rows that stand, and count unless `counted_only` is off."""
    found: dict[str, list[str]] = {name: [] for name in _KEYS}
    for batch in batches(paths, dict.fromkeys(_KEYS, "text")):
        for name in _KEYS:
            found[name].extend(batch[name])
    stands = standing(found["vote_id"], found["supersedes"])
    counted = (not counted_only or cell.lower() == "true" for cell in found["counted"])
    return {vote_id for vote_id, yes, counts in zip(found["vote_id"], stands, counted, strict=True) if yes and counts}


def csv(paths: Sequence[Path], *, counted_only: bool = False) -> Iterator[bytes]:
    """A votes file of today's columns, row by row: one header, then what `rows` gives."""
    for number, row in enumerate(rows(paths, counted_only=counted_only)):
        if not number:
            yield line(COLUMNS)
        yield line(row.values())
