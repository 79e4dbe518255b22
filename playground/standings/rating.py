"""Knows how strong models are from votes between pairs of them: Bradley-Terry with a prior and an interval.

Ties count half for each. Each pair of models has one virtual draw more than its votes; without it, a model that never
lost has no finite strength (Bradley and Terry 1952). `evalica` finds the strengths.

The interval is a Bayesian bootstrap (Rubin 1981) over voters: in each round every voter's votes weigh together as much
as a draw from an exponential distribution, and each half of a virtual draw as one from Gamma(1/2). With two models and
one vote a voter this is exactly Jeffreys' interval, which holds for models that never lost or won, where resampling
with replacement has nothing to vary and gives a width of zero.

Voters who cast many votes each are few draws of an unknown spread, and the bootstrap knows that spread too well: there
the interval reaches as far as Student's t for that many voters does, at an expanded quantile of the rounds (Hesterberg,
"What Teachers Should Know About the Bootstrap", 2015). See `reach`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from playground.standings.values import Rating

FEWEST_VOTERS = 20
"""With fewer voters, or voters who are not known, votes are resampled one by one; that speaks of these voters only."""
_SEED = 20261123
_CELLS = 1 << 22
_Z = NormalDist().inv_cdf(0.975)
_MIDDLE, _SCALE = 1000.0, 400.0

Wins = NDArray[np.float64]
"""[k, k]: how often the model of the row beat that of the column; a tie is half for each."""
Codes = NDArray[np.integer]


def outcomes(winner: Codes, loser: Codes, tied: NDArray[np.bool_], models: int) -> Codes:
    """One number for each vote: what a round of resampling can tell apart. Sides do not matter."""
    low, high = np.minimum(winner, loser), np.maximum(winner, loser)
    return np.where(tied, models * models + low * models + high, winner * models + loser).astype(np.int32)


def wins(counts: NDArray[np.floating], models: int) -> NDArray[np.float64]:
    """[..., 2kk] weights of outcomes -> [..., k, k] wins, ties as half."""
    square = counts.reshape(*counts.shape[:-1], 2, models, models).astype(np.float64)
    ties = square[..., 1, :, :] / 2
    return np.asarray(square[..., 0, :, :] + ties + ties.swapaxes(-1, -2))


def strengths(won: Wins) -> NDArray[np.float64]:
    """Elo-scaled strengths with a mean of 1000, from wins that hold their virtual draws already."""
    import evalica  # 0.5 s and pandas: only who asks for ratings pays for it
    import pandas as pd

    rows, columns = np.nonzero(won)
    found = evalica.bradley_terry(
        rows.tolist(),
        columns.tolist(),
        [evalica.Winner.X] * len(rows),
        index=pd.RangeIndex(len(won)),
        weights=won[rows, columns].tolist(),
        tolerance=1e-9,
        limit=10_000,
    )
    elo = _SCALE * np.log10(found.scores.sort_index().to_numpy(np.float64))
    return np.asarray(elo - elo.mean() + _MIDDLE)


def virtual(models: int) -> Wins:
    """One draw for each pair."""
    return np.asarray(0.5 * (1 - np.eye(models)))


def ratings(outcome: Codes, voter: Codes | None, models: int, rounds: int) -> list[Rating]:
    """Strength of each model with its 95 % interval. `voter` numbers the voter of each vote from 0, in an order that
    does not depend on that of the votes; None resamples vote by vote."""
    counts = np.bincount(outcome, minlength=2 * models * models).astype(np.float64)
    values = strengths(wins(counts, models) + virtual(models))
    drawn = np.array([strengths(won) for won in _drawn(outcome, voter, models, rounds)])
    beyond = NormalDist().cdf(-reach(len(outcome), len(outcome) if voter is None else int(voter.max()) + 1))
    low, high = np.quantile(drawn, (beyond, 1 - beyond), axis=0, method="weibull")  # holds what it says, for any rounds
    return [Rating(float(v), float(a), float(b)) for v, a, b in zip(values, low, high, strict=True)]


def reach(votes: int, voters: int) -> float:
    """How many standard deviations a 95 % interval reaches to either side.

    1.96 where every voter cast one vote: the spread of votes follows from their share, and nothing is estimated. With
    ever more votes a voter, what Cameron and Miller ("A Practitioner's Guide to Cluster-Robust Inference", 2015) ask of
    few clusters: Student's t of one fewer than there are voters, times sqrt(voters / (voters - 1)). Between the two, in
    proportion to the votes that are not their voter's first.
    """
    if votes <= voters or voters < 2:
        return _Z
    free = voters - 1
    student = _Z + (_Z**3 + _Z) / (4 * free) + (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * free**2)
    return _Z + (math.sqrt(voters / free) * student - _Z) * (1 - voters / votes)


def _drawn(outcome: Codes, voter: Codes | None, models: int, rounds: int) -> Iterator[Wins]:
    rng = np.random.default_rng(_SEED)
    kinds = 2 * models * models
    weights: NDArray[np.float64]
    if voter is None:
        weights = rng.standard_gamma(np.bincount(outcome, minlength=kinds), (rounds, kinds))
    else:
        weights = _by_voter(outcome, voter, kinds, rounds, rng)
    prior = rng.standard_gamma(0.5, (rounds, models, models)) * (1 - np.eye(models))
    tiny = np.finfo(np.float64).tiny  # a draw from Gamma(1/2) may be too small for a float
    yield from wins(weights, models) + np.maximum(prior, tiny * (1 - np.eye(models)))


def _by_voter(outcome: Codes, voter: Codes, kinds: int, rounds: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """[rounds, kinds]: the outcomes of all voters, each weighed by one draw a round. A block of voters at a time."""
    weights = np.zeros((rounds, kinds))
    order = np.argsort(voter, kind="stable")
    outcome, voter = outcome[order], voter[order]
    voters, block = int(voter[-1]) + 1, max(1, _CELLS // max(kinds, rounds))
    for first in range(0, voters, block):
        size = min(block, voters - first)
        start, stop = np.searchsorted(voter, (first, first + size))
        places = (voter[start:stop].astype(np.int64) - first) * kinds + outcome[start:stop]
        counts = np.bincount(places, minlength=size * kinds).reshape(size, kinds).astype(np.float32)
        weights += rng.standard_exponential((rounds, size), np.float32) @ counts
    return weights
