"""Knows which pictures standings make, and what each shows. Knows no page, and writes no file: `drawing` does.

Models have no colours of their own: they are named where they stand, so that nobody has to tell ten hues apart, and
blue and orange keep meaning left and right. A hollow mark is preliminary.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from playground.standings import costs, table
from playground.standings.chart import (
    HALF,
    HOLLOW,
    MIDDLE,
    Chart,
    crowded,
    described,
    percent,
    preference,
    rated,
    scale,
    width_of,
)
from playground.standings.drawing import Colours, shortened
from playground.standings.shares import wilson
from playground.standings.values import Pair, Share, Standing, Standings


def of(found: Standings) -> tuple[Chart, ...]:
    """The charts that these standings are enough for; none without votes."""
    if not found.models:
        return ()
    against = [chart for chart in (costs.speed(found), costs.memory(found)) if chart]
    return (_intervals(found), _matrix(found), *against, *([_level(found)] if found.style else []))


# --- intervals ----------------------------------------------------------------------------------------------------


def _intervals(found: Standings) -> Chart:
    def draw(axes: Axes, colours: Colours) -> None:
        for place, one in enumerate(found.models):
            if value := preference(one):
                _whisker(axes, colours, place, value, hollow=one.preliminary)
        _rows(axes, colours, found.models, scale(found), MIDDLE if rated(found) else HALF)

    middle = "the mean of all" if rated(found) else "one half"
    return Chart(
        "intervals",
        "How sure is the preference?",
        f"Line: 95 % interval. Dashed: {middle}. Where two lines overlap, the order may be chance. {HOLLOW}",
        f"{scale(found)}, best first: {'; '.join(map(described, found.models))}",
        draw,
        lambda _: 64 + 34 * len(found.models),
    )


def _level(found: Standings) -> Chart:
    def draw(axes: Axes, colours: Colours) -> None:
        for place, one in enumerate(found.models):
            for shift, share, mark in ((-0.16, one.share, "o"), (0.16, one.level_share, "D")):
                if value := percent(share):
                    colour = colours.model if mark == "o" else colours.less
                    _whisker(axes, colours, place + shift, value, hollow=one.preliminary, mark=mark, colour=colour)
        _rows(axes, colours, found.models, "win share of decisive votes, %", HALF)

    told = [
        f"{one.model} {table.share(one.share)}, at equal style {table.share(one.level_share)}" for one in found.models
    ]
    return Chart(
        "style",
        "How much of it is style?",
        "Circle: as counted. Diamond: had both answers been equally long, with as much Markdown.",
        f"win share as counted and at equal style: {'; '.join(told)}",
        draw,
        lambda _: 64 + 44 * len(found.models),
    )


def _whisker(
    axes: Axes,
    colours: Colours,
    place: float,
    value: tuple[float, float, float],
    *,
    hollow: bool,
    mark: str = "o",
    colour: str = "",
) -> None:
    """A mark with its interval, lying."""
    middle, low, high = value
    colour = colour or colours.model
    axes.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="round", zorder=2)
    face = colours.paper if hollow else colour
    axes.plot([middle], [place], mark, color=colour, markerfacecolor=face, markersize=8, markeredgewidth=2, zorder=3)


def _rows(axes: Axes, colours: Colours, models: Sequence[Standing], axis: str, middle: float) -> None:
    """One row a model, best on top; a dashed line in the middle."""
    width = width_of(axes)
    axes.axvline(middle, color=colours.muted, linewidth=1, linestyle=(0, (4, 4)), zorder=1)
    axes.set_yticks(range(len(models)), [shortened(one.model, width // 22) for one in models])
    axes.set_ylim(len(models) - 0.4, -0.6)
    axes.set_xlabel(axis)
    axes.grid(axis="x", color=colours.line, linewidth=1)
    axes.tick_params(axis="y", colors=colours.ink)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    if middle == HALF:
        axes.set_xlim(-3, 103)
        axes.set_xticks(range(0, 101, 25))


# --- who beats whom -----------------------------------------------------------------------------------------------


def _matrix(found: Standings) -> Chart:
    names = [one.model for one in found.models]
    cells = {pair: share for each in found.pairs for pair, share in _both(each)}

    def draw(axes: Axes, colours: Colours) -> None:
        for row, one in enumerate(names):
            for column, other in enumerate(names):
                if row != column:
                    _cell(axes, colours, (column, row), cells.get((one, other)), len(names))
        size, width = len(names), width_of(axes)
        axes.set_xlim(-0.5, size - 0.5)
        axes.set_ylim(size - 0.5, -0.5)
        axes.set_aspect("auto")
        axes.set_yticks(range(size), [f"{shortened(name, width // 26)}  {n}" for n, name in enumerate(names, start=1)])
        axes.set_xticks(range(size), [str(n) for n in range(1, size + 1)])
        axes.set_xlabel("against")
        axes.tick_params(axis="both", length=0, colors=colours.ink)
        axes.spines[:].set_visible(False)

    told = [
        f"{one} {table.share(share)} of {share.total} against {other}" for (one, other), share in cells.items() if share
    ]
    return Chart(
        "matrix",
        "Who beats whom?",
        "Percent of decisive votes that the row won. Coloured only where the 95 % interval leaves out one half: green "
        "above, purple below, the deeper the surer. A dash: never a decisive vote.",
        f"win share of each model against each other: {'; '.join(told) or 'no decisive vote yet'}",
        draw,
        lambda _: 52 + max(34, 58 - 4 * len(names)) * len(names),
    )


def _both(pair: Pair) -> list[tuple[tuple[str, str], Share | None]]:
    """The pair's share from either side."""
    total = pair.wins + pair.losses
    return [
        ((pair.model, pair.other), wilson(pair.wins, total)),
        ((pair.other, pair.model), wilson(pair.losses, total)),
    ]


def sureness(share: Share) -> float:
    """How far the interval stays away from one half: from -1 (surely lost) to 1; 0 where it holds one half."""
    if share.low > 0.5:
        return 2 * share.low - 1
    return min(0.0, 2 * share.high - 1)


def _cell(axes: Axes, colours: Colours, place: tuple[int, int], share: Share | None, size: int) -> None:
    column, row = place
    sure = sureness(share) if share else 0.0
    corner, side = (column - 0.47, row - 0.46), (0.94, 0.92)
    axes.add_patch(Rectangle(corner, *side, facecolor=colours.line, alpha=0.45, linewidth=0))
    if sure:
        colour = colours.model if sure > 0 else colours.less
        axes.add_patch(Rectangle(corner, *side, facecolor=colour, alpha=0.2 + 0.5 * abs(sure), linewidth=0))
    said = f"{100 * share.value:.0f}" if share else "–"
    if share and size <= 5:
        said += f" %\nof {share.total}"
    colour = colours.ink if share else colours.muted
    axes.text(column, row, said, ha="center", va="center", color=colour, fontsize=9 if crowded(axes, size) else 11)
