"""Knows what a chart is, and what all charts of standings have in common. Draws none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.axes import Axes

from playground.standings import table
from playground.standings.drawing import PX_PER_INCH, Colours
from playground.standings.values import PRELIMINARY, Rating, Share, Standing, Standings

HALF, MIDDLE = 50.0, 1000.0
"""Where neither of two wins; where strengths have their mean."""
CROWD, _NARROW = 5, 400
HOLLOW = f"Hollow: preliminary, under {PRELIMINARY} decisive votes."


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture: `name` for files, `note` on how to read it, `words` for who cannot see it. `height` in px by
    width."""

    name: str
    title: str
    note: str
    words: str
    draw: Callable[[Axes, Colours], None]
    height: Callable[[int], int]


def preference(one: Standing) -> tuple[float, float, float] | None:
    """Preference with its interval, as charts show it: the rating, or, of two models, the win share in percent."""
    if one.rating:
        return one.rating.value, one.rating.low, one.rating.high
    return percent(one.share)


def percent(share: Share | None) -> tuple[float, float, float] | None:
    """A share with its interval, from 0 to 100."""
    return (100 * share.value, 100 * share.low, 100 * share.high) if share else None


def rated(found: Standings) -> bool:
    """There are more than two models."""
    return any(one.rating for one in found.models)


def scale(found: Standings) -> str:
    """What the axis of preference says."""
    return "rating, Elo scale" if rated(found) else "win share of decisive votes, %"


def described(one: Standing) -> str:
    """One model's preference in words."""
    value: Share | Rating | None = one.rating or one.share
    said = table.rating(value) if isinstance(value, Rating) else table.share(value)
    return f"{one.model} {said}{', preliminary' if one.preliminary else ''}"


def width_of(axes: Axes) -> int:
    """Of the whole picture, in px."""
    figure = axes.figure
    return round(figure.bbox.width * PX_PER_INCH / figure.dpi)


def crowded(axes: Axes, models: int) -> bool:
    """So many models that their names would cover each other."""
    return models > CROWD and width_of(axes) < _NARROW
