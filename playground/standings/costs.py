"""Knows the pictures of preference against what it costs: what does the larger model buy?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from playground.standings.chart import CROWD, HALF, HOLLOW, MIDDLE, Chart, crowded, described, preference, rated, scale
from playground.standings.drawing import Colours, labels
from playground.standings.values import Standing, Standings

_LOG_FROM = 8
"""Costs that differ more than this are on a logarithmic axis."""


def speed(found: Standings) -> Chart | None:
    """Preference against tokens a second; None when fewer than two models have both."""
    return _against(found, "speed", "tokens per second, median", lambda one: one.figures.decode_tokens_per_s, "")


def memory(found: Standings) -> Chart | None:
    """Preference against peak memory; None when fewer than two models have both."""
    return _against(found, "memory", "peak memory, median", lambda one: _gb(one.figures.peak_bytes), " GB")


def _against(
    found: Standings, name: str, axis: str, value: Callable[[Standing], float | None], unit: str
) -> Chart | None:
    points = [(one, x, y) for one in found.models if (x := value(one)) and (y := preference(one))]
    if len(points) < 2:
        return None
    log = max(x for _, x, _ in points) > _LOG_FROM * min(x for _, x, _ in points)

    def draw(axes: Axes, colours: Colours) -> None:
        axes.axhline(
            MIDDLE if rated(found) else HALF, color=colours.muted, linewidth=1, linestyle=(0, (4, 4)), zorder=1
        )
        for one, x, (middle, low, high) in points:
            axes.plot([x, x], [low, high], color=colours.model, linewidth=1.5, alpha=0.5, zorder=2)
            face = colours.paper if one.preliminary else colours.model
            axes.plot(
                [x], [middle], "o", color=colours.model, markerfacecolor=face, markersize=8, markeredgewidth=2, zorder=3
            )
        _scales(axes, colours, [x for _, x, _ in points], log=log)
        if not rated(found):
            axes.set_ylim(-3, 103)
            axes.set_yticks(range(0, 101, 25))
        axes.set_xlabel(f"{axis}{f',{unit}' if unit else ''}{' (logarithmic)' if log else ''}")
        axes.set_ylabel(scale(found))
        names = [one.model for one, _, _ in points]
        if crowded(axes, len(points)):
            names = [str(found.models.index(one) + 1) for one, _, _ in points]
        labels(axes, [(x, y[0], name) for name, (_, x, y) in zip(names, points, strict=True)], colours)

    left_out = [one.model for one in found.models if one not in [point[0] for point in points]]
    missing = f" Not shown, for want of a figure or of a decisive vote: {', '.join(left_out)}." if left_out else ""
    if len(points) > CROWD:
        missing += " On a narrow page numbers stand for names, as in “Who beats whom?”."
    told = [f"{described(one)} at {x:.3g}{unit}" for one, x, _ in points]
    better = "to the right: faster" if name == "speed" else "to the right: more memory"
    return Chart(
        name,
        f"What does preference cost in {name}?",
        f"Up: preferred; {better}. Lines: 95 % intervals of preference. {HOLLOW}{missing}",
        f"{scale(found)} against {axis}: {'; '.join(told)}",
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
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        reach = (high - low or high) * 0.35
        axes.set_xlim(max(0.0, low - reach), high + reach)
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))


def _gb(count: float | None) -> float | None:
    return None if count is None else count / 1e9
