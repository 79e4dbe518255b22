"""Knows how much of a preference is for style: for longer answers, and for Markdown. Opens no file.

The model is that of Chatbot Arena's style control (Li, Angelopoulos and Chiang, "Does style matter? Disentangling style
and substance in Chatbot Arena", LMSYS 2024): Bradley-Terry on decisive votes whose log-odds also have a term for each
style figure of both answers, as (left - right) / (left + right). Theirs counts tokens, and headings, lists and bold
words apart; ours counts characters, and the three kinds of Markdown together.

Setting those terms to zero gives each model's win share against the opponents it met, had both answers been equally
long and equally marked up. Without those terms the model gives back every win share exactly as it was counted. As with
`rating`, each pair of models has one virtual draw, and so has each term; they keep the undefeated finite.

The variance is the larger of two: the one of the model, and the one that allows the votes of one voter to be alike
(Liang and Zeger 1986). Intervals are made on the log-odds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from playground.standings.values import Share, Style

ENOUGH = 100
"""Decisive votes; and ten for each number that is estimated, where that is more."""
_PER_NUMBER = 10
TWICE = 1 / 3
"""(left - right) / (left + right) where left is twice as long as right."""
_Z = 1.959963984540054
_STEPS, _CLOSE = 50, 1e-10
_TERMS = 2

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Votes:
    """Decisive votes: who stood left and right, whether left won, the style terms [n, 2], and who voted (or None)."""

    left: Codes
    right: Codes
    left_won: NDArray[np.bool_]
    terms: Floats
    voter: Codes | None

    @property
    def total(self) -> int:
        """How many."""
        return len(self.left)


@dataclass(frozen=True, slots=True)
class _Fit:
    """Log-odds of models, then of style terms; and their two covariances."""

    values: Floats
    covariances: tuple[Floats, Floats]


def contrast(left: NDArray[np.floating], right: NDArray[np.floating]) -> Floats:
    """From -1 (all is on the right) to 1; 0 where neither has any; NaN where one is unknown."""
    total = left.astype(np.float64) + right
    return np.asarray(np.where(total == 0, 0.0, (left - right) / np.where(total == 0, 1.0, total)))


def known(votes: Votes) -> Votes:
    """The votes whose style is known on both sides."""
    keep = ~np.isnan(votes.terms).any(axis=1)
    voter = None if votes.voter is None else votes.voter[keep]
    return Votes(votes.left[keep], votes.right[keep], votes.left_won[keep], votes.terms[keep], voter)


def level(votes: Votes, models: int) -> tuple[list[Share | None], Style | None]:
    """Each model's win share at equal style, and what style does. (Nones, None) where there are too few votes."""
    if votes.total < max(ENOUGH, _PER_NUMBER * (models - 1 + _TERMS)) or not votes.terms.any():
        return [None] * models, None
    found = _fit(votes, models)
    pairs = np.bincount(votes.left * models + votes.right, minlength=models * models).reshape(models, models)
    met = (pairs + pairs.T).astype(np.float64)
    shares = [_share(found, met[i], i) for i in range(models)]
    return shares, Style(
        votes=votes.total,
        longer=_odds(found, models, TWICE, votes.total),
        marked=_odds(found, models + 1, 1.0, votes.total),
    )


def _fit(votes: Votes, models: int) -> _Fit:
    """Newton's method; log-odds of models add up to zero, since only their differences matter."""
    values = np.zeros(models + _TERMS)
    for _ in range(_STEPS):
        gap, hessian = _gradient(votes, values, models)
        step = np.linalg.pinv(hessian, hermitian=True) @ gap
        values += step
        if np.abs(step).max() < _CLOSE:
            break
    inverse = np.asarray(np.linalg.pinv(_gradient(votes, values, models)[1], hermitian=True))
    return _Fit(values, (inverse, np.asarray(inverse @ _by_voter(votes, values, models) @ inverse)))


def _gradient(votes: Votes, values: Floats, models: int) -> tuple[Floats, Floats]:
    chance = _chances(votes, values, models)
    gap = _summed(votes, votes.left_won - chance, models)
    hessian = _products(votes, chance * (1 - chance), models)
    return _with_draws(gap, hessian, values, models)


def _chances(votes: Votes, values: Floats, models: int) -> Floats:
    """That left wins."""
    return _logistic(values[votes.left] - values[votes.right] + votes.terms @ values[models:])


def _summed(votes: Votes, weight: Floats, models: int) -> Floats:
    """Sum over votes of weight times (one for left, minus one for right, the terms)."""
    by_model = np.bincount(votes.left, weight, models) - np.bincount(votes.right, weight, models)
    return np.concatenate([by_model, weight @ votes.terms])


def _products(votes: Votes, weight: Floats, models: int) -> Floats:
    """Sum over votes of weight times the outer product of the same vector with itself."""
    whole = np.zeros((models + _TERMS, models + _TERMS))
    met = np.bincount(votes.left * models + votes.right, weight, models * models).reshape(models, models)
    whole[:models, :models] = np.diag(met.sum(axis=0) + met.sum(axis=1)) - met - met.T
    for i in range(_TERMS):
        across = _summed(votes, weight * votes.terms[:, i], models)
        whole[models + i], whole[:, models + i] = across, across
    return whole


def _with_draws(gap: Floats, hessian: Floats, values: Floats, models: int) -> tuple[Floats, Floats]:
    """One draw more for each pair of models, and for each term between equals."""
    ability = values[:models]
    chance = _logistic(ability[:, None] - ability[None, :])
    weight = chance * (1 - chance) * (1 - np.eye(models))
    gap[:models] += (0.5 - chance).sum(axis=1)
    hessian[:models, :models] += np.diag(weight.sum(axis=1)) - weight
    for i in range(models, models + _TERMS):
        term = float(_logistic(values[i : i + 1])[0])
        gap[i] += 0.5 - term
        hessian[i, i] += term * (1 - term)
    return gap, hessian


def _by_voter(votes: Votes, values: Floats, models: int) -> Floats:
    """Sum over voters of the outer product of each one's gradient with itself."""
    gap = votes.left_won - _chances(votes, values, models)
    if votes.voter is None:
        return _products(votes, gap * gap, models)
    voters, voter = int(votes.voter.max()) + 1, votes.voter.astype(np.int64) * models
    sides = [np.bincount(voter + side, gap, voters * models) for side in (votes.left, votes.right)]
    terms = [np.bincount(votes.voter, gap * votes.terms[:, i], voters)[:, None] for i in range(_TERMS)]
    each = np.hstack([(sides[0] - sides[1]).reshape(voters, models), *terms])
    return np.asarray(each.T @ each)


def _share(found: _Fit, met: Floats, i: int) -> Share | None:
    """The win share of model i against those it met, had style been equal."""
    if not met.sum():
        return None
    models = len(met)
    chance = _logistic(found.values[i] - found.values[:models])
    slope = np.zeros(len(found.values))
    slope[:models] = -met * chance * (1 - chance) / met.sum()
    slope[i] = -slope[:models].sum() + slope[i]
    return _interval(float(met @ chance / met.sum()), slope, found, int(met.sum()))


def _odds(found: _Fit, place: int, size: float, total: int) -> Share:
    """The win share that this much of one term gives against an equal."""
    chance = float(_logistic(size * found.values[place : place + 1])[0])
    slope = np.zeros(len(found.values))
    slope[place] = size * chance * (1 - chance)
    return _interval(chance, slope, found, total)


def _interval(share: float, slope: Floats, found: _Fit, total: int) -> Share:
    variance = max(float(slope @ each @ slope) for each in found.covariances)
    reach = _Z * math.sqrt(variance) / (share * (1 - share))
    middle = math.log(share / (1 - share))
    low, high = _logistic(np.array([middle - reach, middle + reach]))
    return Share(share, float(low), float(high), total)


def _logistic(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-odds)))
