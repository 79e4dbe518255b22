"""Knows how a chart becomes an SVG for the page and a PNG for a file, by matplotlib's objects. Knows no chart.

Not `pyplot`, which keeps every figure it made and is not for threads. One drawing at a time, as matplotlib asks for.
"""

from __future__ import annotations

import io
import re
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from html import escape

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

PX_PER_INCH = 72
PNG_WIDTH, PNG_SCALE = 640, 2
_TEXT = 12
_PAD = 5 / PX_PER_INCH
_LOCK = threading.Lock()
"""Matplotlib is not for threads. Nor are filters of warnings: a name in a script that its typeface lacks is drawn as
boxes in a file, and as itself on the page, and both are said with a warning each time."""
Draw = Callable[[Axes, "Colours"], None]

mpl.rcParams.update(
    {
        "svg.fonttype": "none",  # words stay words: in the page's typeface, to be found and read out
        "text.parse_math": False,  # a model's name may hold a dollar
        "font.size": _TEXT,
        "font.family": "sans-serif",
    }
)


_OFFSETS: tuple[tuple[int, int, str], ...] = (
    (10, 0, "left"), (-10, 0, "right"), (9, 11, "left"), (9, -11, "left"), (-9, 11, "right"), (-9, -11, "right"),
    (9, 24, "left"), (9, -24, "left"), (-9, 24, "right"), (-9, -24, "right"),
)  # fmt: skip
"""Where a name may stand beside its mark, in px, and how it is aligned; the best first."""


@dataclass(frozen=True, slots=True)
class Colours:
    """A colour for each role."""

    ink: str
    muted: str
    line: str
    paper: str
    model: str
    less: str


PAPER = Colours("#1c1917", "#6f6962", "#e7e5e4", "#ffffff", "#0f766e", "#86509c")
"""For files, which are read on white."""
PAGE = Colours(*(f"#00010{n}" for n in range(1, 7)))
"""Stand-ins: in the page's SVG each becomes the variable of its role, so that one drawing does for light and dark."""


def figure(draw: Draw, width: int, height: int, colours: Colours) -> Figure:
    """The figure, in px at 72 to the inch."""
    made = Figure(figsize=(width / PX_PER_INCH, height / PX_PER_INCH), dpi=PX_PER_INCH)
    FigureCanvasAgg(made)
    made.set_layout_engine("constrained", w_pad=_PAD, h_pad=_PAD)
    made.patch.set_alpha(0)
    axes = made.add_subplot()
    axes.patch.set_alpha(0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(colours.line)
    axes.tick_params(which="both", color=colours.line, labelcolor=colours.muted)
    axes.xaxis.label.set_color(colours.muted)
    axes.yaxis.label.set_color(colours.muted)
    axes.set_axisbelow(True)
    draw(axes, colours)
    return made


def svg(draw: Draw, width: int, height: int, words: str) -> str:
    """For the page: one element that fills the width it is given, with `words` as its name."""
    out = io.StringIO()
    with _LOCK, warnings.catch_warnings(action="ignore", category=UserWarning):
        figure(draw, width, height, PAGE).savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # the same names in every figure; only definitions are referred to
    for role in fields(PAGE):
        text = text.replace(getattr(PAGE, role.name), f"var(--{role.name})")
    box = f'viewBox="0 0 {width} {height}" role="img" aria-label="{escape(words)}"'
    return re.sub(r"<svg [^>]*>", f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" {box}>', text, count=1)


def png(draw: Draw, height: int, title: str, caption: str) -> bytes:
    """For a file: on white, with its title above and what was counted below."""
    out = io.BytesIO()
    with _LOCK, warnings.catch_warnings(action="ignore", category=UserWarning):
        made = figure(draw, PNG_WIDTH, height + 70, PAPER)
        made.suptitle(title, x=0.02, ha="left", color=PAPER.ink, fontsize=_TEXT + 3, fontweight="bold")
        made.supxlabel(caption, x=0.02, ha="left", color=PAPER.muted, fontsize=_TEXT - 3)
        made.savefig(out, format="png", facecolor=PAPER.paper, dpi=PX_PER_INCH * PNG_SCALE)
    return out.getvalue()


def shortened(name: str, most: int) -> str:
    """The name with its middle left out where it is too long: beginnings and ends tell models apart."""
    name = " ".join(name.split())
    most = max(most, 8)
    return name if len(name) <= most else f"{name[: most // 2]}…{name[-(most - most // 2 - 1) :]}"


def labels(axes: Axes, points: Sequence[tuple[float, float, str]], colours: Colours) -> None:
    """A name beside each point, where it covers least of what is there already."""
    made = axes.get_figure(root=True)
    assert isinstance(made, Figure)
    made.draw_without_rendering()  # places are known only after the layout
    marks = [axes.transData.transform((x, y)) for x, y, _ in points]
    taken = [Bbox.from_bounds(x - 6, y - 6, 12, 12) for x, y in marks]
    frame = axes.get_window_extent()
    for (x, y, name), _ in zip(points, marks, strict=True):
        tries = [_label(axes, (x, y), shortened(name, 22), offset, colours) for offset in _OFFSETS]
        boxes = [one.get_window_extent() for one in tries]
        costs = [sum(_overlap(box, other) for other in taken) + 4 * _outside(box, frame) for box in boxes]
        best = costs.index(min(costs))
        for number, one in enumerate(tries):
            if number != best:
                one.remove()
        taken.append(boxes[best])


def _label(
    axes: Axes, point: tuple[float, float], name: str, offset: tuple[int, int, str], colours: Colours
) -> Annotation:
    right, up, align = offset
    text = axes.annotate(
        name,
        point,
        (right, up),
        textcoords="offset points",
        ha=align,
        va="center",
        color=colours.ink,
        annotation_clip=False,
    )
    text.set_in_layout(False)  # it must not push the axes about
    return text


def _overlap(one: Bbox, other: Bbox) -> float:
    """Area in common."""
    common = Bbox.intersection(one, other)
    return float(common.width * common.height) if common else 0.0


def _outside(box: Bbox, frame: Bbox) -> float:
    """Area beyond the frame."""
    return float(box.width * box.height) - _overlap(box, frame)
