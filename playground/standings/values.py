"""Knows the nouns of standings. Knows no rule and does no arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PRELIMINARY = 30
"""A model with fewer decisive votes is marked so."""
ROUNDS = 1_000
"""Resampling rounds behind the interval of a rating."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of `total` votes with its 95 % interval, from 0 to 1."""

    value: float
    low: float
    high: float
    total: int


@dataclass(frozen=True, slots=True)
class Style:
    """What style does to a vote, over `votes` decisive ones whose style is known. Between models that are otherwise
    equal: the win share of an answer twice as `longer`, and of one with Markdown against one without (`marked`)."""

    votes: int
    longer: Share
    marked: Share


@dataclass(frozen=True, slots=True)
class Rating:
    """Strength on the Elo scale, 1000 in the middle, with its 95 % interval: 400 more is ten wins to one."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians over the counted answers of one model, None where nothing was measured. Those of times leave out answers
    that were cold, contended or disturbed."""

    ttft_s: float | None = None
    decode_tokens_per_s: float | None = None
    peak_bytes: float | None = None
    answer_chars: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """One model. Models share a rank when their lower bounds are equal. `level_share` is the win share had both answers
    of each pair been equally long and equally marked up (see `style`); None until there are enough votes."""

    model: str
    rank: int
    votes: int
    wins: int
    losses: int
    ties: int
    both_bad: int
    share: Share | None
    level_share: Share | None
    rating: Rating | None
    preliminary: bool
    figures: Figures


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models against each other, `wins` and `losses` of the first."""

    model: str
    other: str
    wins: int
    losses: int
    ties: int
    both_bad: int


@dataclass(frozen=True, slots=True)
class Standings:
    """What votes add up to.

    `left` is the share of decisive votes that went to the left side. `needed` decisive votes more would show the
    observed difference of two models with 80 % power; None when there are not two, or they are level. `style` is None
    until there are enough votes. `resampled` says over what the intervals of ratings were drawn. `not_counted` were
    kept and not counted, `superseded` taken back or corrected, `unknown` have a winner that is none.
    """

    models: tuple[Standing, ...]
    pairs: tuple[Pair, ...]
    votes: int
    voters: int
    left: Share | None
    needed: int | None
    style: Style | None
    resampled: Literal["voters", "votes", ""]
    not_counted: int
    superseded: int
    unknown: int
