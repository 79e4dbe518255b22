"""Knows what votes add up to: shares, ratings and medians, each with its interval. Opens no file.

`of` takes rows as `votes.read` gives them; `count` takes batches of columns as `votes.batches` gives them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from playground.standings import ballots, tally
from playground.standings.ballots import COLUMNS, EVERY, Batch, Filter
from playground.standings.effective import effective
from playground.standings.values import PRELIMINARY, ROUNDS, Figures, Pair, Rating, Share, Standing, Standings, Style

__all__ = [
    "COLUMNS",
    "PRELIMINARY",
    "ROUNDS",
    "Figures",
    "Filter",
    "Pair",
    "Rating",
    "Share",
    "Standing",
    "Standings",
    "Style",
    "count",
    "effective",
    "of",
]


def of(rows: Iterable[Mapping[str, str]], only: Filter = EVERY, rounds: int = ROUNDS) -> Standings:
    """The standings of these rows; their order does not matter."""
    return count(ballots.columns(rows), only, rounds)


def count(batches: Iterable[Batch], only: Filter = EVERY, rounds: int = ROUNDS) -> Standings:
    """The standings of rows by column. `rounds` of resampling make the intervals of ratings."""
    return tally.tally(ballots.gather(batches), only, rounds)
