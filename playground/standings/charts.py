"""Knows which pictures standings make, and what each shows. Knows no page, and writes no file: `drawing` does.

Models have no colours of their own: they are named where they stand, so that nobody has to tell ten hues apart, and
blue and orange keep meaning left and right. A hollow mark is preliminary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from playground.standings import table
from playground.standings.drawing import Colours, labels, shortened
from playground.standings.shares import wilson
from playground.standings.values import PRELIMINARY, Pair, Rating, Share, Standing, Standings

HALF, MIDDLE = 50.0, 1000.0
"""Where neither of two wins; where strengths have their mean."""
_LOG_FROM = 8
"""Costs that differ more than this are on a logarithmic axis."""
_HOLLOW = f"Hollow: preliminary, under {PRELIMINARY} decisive votes."


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


def of(found: Standings) -> tuple[Chart, ...]:
    """The charts that these standings are enough for; none without votes."""
    if not found.models:
        return ()
    charts = [_intervals(found), _matrix(found)]
    costs = (
        ("speed", "tokens per second, median", lambda one: one.figures.decode_tokens_per_s, ""),
        ("memory", "peak memory, median", lambda one: _gb(one.figures.peak_bytes), " GB"),
    )
    charts += [chart for name, axis, value, unit in costs if (chart := _against(found, name, axis, value, unit))]
    return (*charts, *([_level(found)] if found.style else []))


def preference(one: Standing) -> tuple[float, float, float] | None:
    """Preference with its interval, as charts show it: the rating, or, of two models, the win share in percent."""
    if one.rating:
        return one.rating.value, one.rating.low, one.rating.high
    return _percent(one.share)


def _percent(share: Share | None) -> tuple[float, float, float] | None:
    return (100 * share.value, 100 * share.low, 100 * share.high) if share else None


def _rated(found: Standings) -> bool:
    return any(one.rating for one in found.models)


def _axis(found: Standings) -> str:
    return "rating, Elo scale" if _rated(found) else "win share of decisive votes, %"


def _told(one: Standing) -> str:
    value: Share | Rating | None = one.rating or one.share
    said = table.rating(value) if isinstance(value, Rating) else table.share(value)
    return f"{one.model} {said}{', preliminary' if one.preliminary else ''}"


# --- intervals ----------------------------------------------------------------------------------------------------


def _intervals(found: Standings) -> Chart:
    def draw(axes: Axes, colours: Colours) -> None:
        for place, one in enumerate(found.models):
            if value := preference(one):
                _whisker(axes, colours, place, value, hollow=one.preliminary)
        _rows(axes, colours, found.models, _axis(found), MIDDLE if _rated(found) else HALF)

    middle = "the mean of all" if _rated(found) else "one half"
    return Chart(
        "intervals",
        "How sure is the preference?",
        f"Line: 95 % interval. Dashed: {middle}. Where two lines overlap, the order may be chance. {_HOLLOW}",
        f"{_axis(found)}, best first: {'; '.join(map(_told, found.models))}",
        draw,
        lambda _: 64 + 34 * len(found.models),
    )


def _level(found: Standings) -> Chart:
    def draw(axes: Axes, colours: Colours) -> None:
        for place, one in enumerate(found.models):
            for shift, share, mark in ((-0.16, one.share, "o"), (0.16, one.level_share, "D")):
                if value := _percent(share):
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
    width = int(axes.get_figure(root=True).get_figwidth() * 72)  # type: ignore[union-attr]  # it has one
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
        size, width = len(names), int(axes.get_figure(root=True).get_figwidth() * 72)  # type: ignore[union-attr]
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
    axes.text(column, row, said, ha="center", va="center", color=colours.ink if share else colours.muted, fontsize=11)


# --- what it costs ------------------------------------------------------------------------------------------------


def _against(
    found: Standings, name: str, axis: str, value: Callable[[Standing], float | None], unit: str
) -> Chart | None:
    """Preference against a cost; None when fewer than two models have both."""
    points = [(one, x, y) for one in found.models if (x := value(one)) and (y := preference(one))]
    if len(points) < 2:
        return None
    log = max(x for _, x, _ in points) > _LOG_FROM * min(x for _, x, _ in points)

    def draw(axes: Axes, colours: Colours) -> None:
        axes.axhline(
            MIDDLE if _rated(found) else HALF, color=colours.muted, linewidth=1, linestyle=(0, (4, 4)), zorder=1
        )
        for one, x, (middle, low, high) in points:
            axes.plot([x, x], [low, high], color=colours.model, linewidth=1.5, alpha=0.5, zorder=2)
            face = colours.paper if one.preliminary else colours.model
            axes.plot(
                [x], [middle], "o", color=colours.model, markerfacecolor=face, markersize=8, markeredgewidth=2, zorder=3
            )
        _scales(axes, colours, [x for _, x, _ in points], log=log)
        if not _rated(found):
            axes.set_ylim(-3, 103)
            axes.set_yticks(range(0, 101, 25))
        axes.set_xlabel(f"{axis}{f',{unit}' if unit else ''}{' (logarithmic)' if log else ''}")
        axes.set_ylabel(_axis(found))
        labels(axes, [(x, y[0], one.model) for one, x, y in points], colours)

    left_out = [one.model for one in found.models if one not in [point[0] for point in points]]
    missing = f" Not shown, as it was not measured: {', '.join(left_out)}." if left_out else ""
    told = [f"{_told(one)} at {x:.3g}{unit}" for one, x, _ in points]
    better = "to the right: faster" if name == "speed" else "to the right: more memory"
    return Chart(
        name,
        f"What does preference cost in {name}?",
        f"Up: preferred; {better}. Lines: 95 % intervals of preference. {_HOLLOW}{missing}",
        f"{_axis(found)} against {axis}: {'; '.join(told)}",
        draw,
        lambda width: max(260, round(0.66 * width)),
    )


def _scales(axes: Axes, colours: Colours, xs: Sequence[float], *, log: bool) -> None:
    """Room on both sides for names; round numbers on the axis."""
    low, high = min(xs), max(xs)
    axes.grid(color=colours.line, linewidth=1)
    if log:
        axes.set_xscale("log")
        reach = (high / low) ** 0.25
        axes.set_xlim(low / reach, high * reach)
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        reach = (high - low or high) * 0.35
        axes.set_xlim(max(0.0, low - reach), high + reach)
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))


def _gb(count: float | None) -> float | None:
    return None if count is None or math.isnan(count) else count / 1e9
