"""Knows how ballots are counted: who won, lost and tied, for how many, and how sure that is. Opens no file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from playground.standings import rating, style
from playground.standings.ballots import BOTH_BAD, FIGURES, TIE, TIMES, A, B, Ballots, Codes, Filter, Flags, chosen
from playground.standings.shares import needed, wilson
from playground.standings.values import PRELIMINARY, Figures, Pair, Rating, Share, Standing, Standings, Style
from playground.types import WINNERS

Counts = NDArray[np.int64]
"""[winner, left, right]: votes by model of each side, models by name."""


def tally(ballots: Ballots, only: Filter, rounds: int) -> Standings:
    """The standings of the ballots that the filter leaves."""
    kept = chosen(ballots, only)
    stands = kept & ballots.stands
    valid = ballots.winner < len(WINNERS)
    use = stands & ballots.counted & valid & (ballots.left != ballots.right)
    names, left, right = _by_name(ballots, use)
    counts = _counts(ballots.winner[use], left, right, len(names))
    rated: list[Rating | None] = [None] * len(names)
    resampled, voter = "", _voters(ballots, use)
    if len(names) > 2:
        resampled = "votes" if voter is None else "voters"
        rated = [*_rated(ballots.winner[use], left, right, voter, len(names), rounds)]
    figures = _figures(ballots, use, left, right, len(names))
    level, effect = _style(ballots, use, left, right, voter, len(names))
    models = [_standing(name, i, counts, rated[i], level[i], figures[i]) for i, name in enumerate(names)]
    decisive = counts[[A, B]].sum(axis=(1, 2))
    return Standings(
        models=_ranked(models),
        pairs=_pairs(names, counts),
        votes=int(use.sum()),
        voters=len({ballots.voters[code] for code in _used(ballots.voter[use])} - {""}),
        left=wilson(int(decisive[0]), int(decisive.sum())),
        needed=_still_needed(models),
        style=effect,
        resampled=resampled,  # type: ignore[arg-type]  # one of three
        not_counted=int((stands & ~ballots.counted).sum()),
        superseded=int((kept & ~ballots.stands).sum()),
        unknown=int((stands & ballots.counted & ~valid).sum()),
    )


def _by_name(ballots: Ballots, use: Flags) -> tuple[list[str], Codes, Codes]:
    """The models of these rows by name, and the numbers of the left and right ones."""
    left, right = ballots.left[use], ballots.right[use]
    codes = _used(left, right)
    names = sorted(ballots.models[code] for code in codes)
    number = np.zeros(len(ballots.models), np.int32)
    number[codes] = [names.index(ballots.models[code]) for code in codes]
    return names, number[left], number[right]


def _used(*codes: Codes) -> NDArray[np.int64]:
    """Which codes there are, each once."""
    return np.flatnonzero(np.bincount(np.concatenate(codes)))


def _counts(winner: Codes, left: Codes, right: Codes, models: int) -> Counts:
    places = (winner.astype(np.int64) * models + left) * models + right
    shape = (len(WINNERS), models, models)
    return np.bincount(places, minlength=len(WINNERS) * models * models).reshape(shape)


def _voters(ballots: Ballots, use: Flags) -> Codes | None:
    """Numbers of the voters by name, or None when they are not all known, or too few to speak for others."""
    codes = _used(ballots.voter[use])
    names = [ballots.voters[code] for code in codes]
    if "" in names or len(names) < rating.FEWEST_VOTERS:
        return None
    number = np.zeros(len(ballots.voters), np.int32)
    number[codes[np.argsort(np.array(names))]] = np.arange(len(names))
    return number[ballots.voter[use]]


def _rated(winner: Codes, left: Codes, right: Codes, voter: Codes | None, models: int, rounds: int) -> list[Rating]:
    tied = (winner == TIE) | (winner == BOTH_BAD)
    won, lost = np.where(winner == B, right, left), np.where(winner == B, left, right)
    return rating.ratings(rating.outcomes(won, lost, tied, models), voter, models, rounds)


def _style(
    ballots: Ballots, use: Flags, left: Codes, right: Codes, voter: Codes | None, models: int
) -> tuple[list[Share | None], Style | None]:
    """Win shares at equal style, and what style does, from the decisive votes."""
    winner = ballots.winner[use]
    decisive = (winner == A) | (winner == B)
    terms = [style.contrast(*ballots.figures[name][use][decisive].T) for name in ("answer_chars", "markdown")]
    who = None if voter is None else voter[decisive]
    votes = style.Votes(left[decisive], right[decisive], winner[decisive] == A, np.stack(terms, axis=1), who)
    return style.level(style.known(votes), models)


def _figures(ballots: Ballots, use: Flags, left: Codes, right: Codes, models: int) -> list[Figures]:
    """Medians of both sides' figures by model; of times only the clean ones."""
    model = np.stack([left, right], axis=1)
    found = {name: ballots.figures[name][use] for name in FIGURES}
    for name in TIMES:
        found[name] = np.where(ballots.clean[use], found[name], np.nan)
    return [Figures(**{name: _median(values[model == i]) for name, values in found.items()}) for i in range(models)]


def _median(values: NDArray[np.float32]) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else None


def _standing(
    name: str, i: int, counts: Counts, rated: Rating | None, level: Share | None, figures: Figures
) -> Standing:
    either = counts[:, i, :].sum(axis=1) + counts[:, :, i].sum(axis=1)
    wins = int(counts[A, i, :].sum() + counts[B, :, i].sum())
    losses = int(counts[B, i, :].sum() + counts[A, :, i].sum())
    return Standing(
        model=name,
        rank=0,
        votes=int(either.sum()),
        wins=wins,
        losses=losses,
        ties=int(either[TIE]),
        both_bad=int(either[BOTH_BAD]),
        share=wilson(wins, wins + losses),
        level_share=level,
        rating=rated,
        preliminary=wins + losses < PRELIMINARY,
        figures=figures,
    )


def _ranked(models: list[Standing]) -> tuple[Standing, ...]:
    """By lower bound, best first; equal bounds share a rank."""
    ordered = sorted(models, key=lambda one: (-_bound(one), one.model))
    ranks = [1 + sum(_bound(other) > _bound(one) for other in models) for one in ordered]
    return tuple(replace(one, rank=rank) for one, rank in zip(ordered, ranks, strict=True))


def _bound(one: Standing) -> float:
    if one.rating:
        return one.rating.low
    return one.share.low if one.share else 0.0


def _pairs(names: list[str], counts: Counts) -> tuple[Pair, ...]:
    """Every two models that met, by name."""
    found = []
    for i, one in enumerate(names):
        for j in range(i + 1, len(names)):
            wins, losses = counts[A, i, j] + counts[B, j, i], counts[B, i, j] + counts[A, j, i]
            ties, both_bad = counts[TIE, i, j] + counts[TIE, j, i], counts[BOTH_BAD, i, j] + counts[BOTH_BAD, j, i]
            if wins + losses + ties + both_bad:
                found.append(Pair(one, names[j], int(wins), int(losses), int(ties), int(both_bad)))
    return tuple(found)


def _still_needed(models: list[Standing]) -> int | None:
    if len(models) != 2 or not models[0].share:
        return None
    enough = needed(models[0].share.value)
    return None if enough is None else max(0, enough - models[0].share.total)
