"""Knows what each cell of the token grid shows: the dense lesson of the vision tower. Not how it is learnt."""

import math

import numpy as np
from PIL import Image, ImageDraw

from training.shapes.drawing import number_box, outline
from training.shapes.world import COLOURS, SHAPES, Figure, Scene

NOTHING = 0
FIRST_FIGURE = 1
FIRST_DIGIT = FIRST_FIGURE + len(SHAPES) * len(COLOURS)
FIRST_BAR = FIRST_DIGIT + 10
CLASSES = FIRST_BAR + len(COLOURS)
FLAGS = ("centre", "biggest", "smallest", "tallest", "top", "bottom", "left", "right")
FINE = 4  # sub-cells a side: the middle one speaks for its cell
CLEARLY = 1.15


def cells(scene: Scene, rows: int, columns: int) -> np.ndarray:
    """What the middle of each cell shows, int64 of shape (rows, columns)."""
    chart = Image.new("L", (columns * FINE, rows * FINE), NOTHING)
    pen = ImageDraw.Draw(chart)
    for figure in scene.figures:
        fill_figure(pen, figure, figure_class(figure), scene)
    for bar in scene.bars:
        box = (
            bar.left * chart.width,
            (scene.base - bar.height) * chart.height,
            bar.right * chart.width,
            scene.base * chart.height,
        )
        pen.rectangle(box, fill=FIRST_BAR + COLOURS.index(bar.colour))
    fill_digits(pen, scene)
    return middles(chart)


def middles(chart: Image.Image) -> np.ndarray:
    return np.asarray(chart)[FINE // 2 :: FINE, FINE // 2 :: FINE].astype(np.int64)


def figure_class(figure: Figure) -> int:
    return FIRST_FIGURE + SHAPES.index(figure.shape) * len(COLOURS) + COLOURS.index(figure.colour)


def fill_figure(pen: ImageDraw.ImageDraw, figure: Figure, fill: int, scene: Scene) -> None:
    """The figure's outline on the chart, which may squeeze width and height differently from the picture."""
    width, height = pen.im.size
    across, down = width / scene.width, height / scene.height
    x, y, reach = figure.x * scene.width, figure.y * scene.height, figure.radius * min(scene.width, scene.height)
    if figure.shape == "circle":
        pen.ellipse(((x - reach) * across, (y - reach) * down, (x + reach) * across, (y + reach) * down), fill=fill)
    else:
        pen.polygon([(px * across, py * down) for px, py in outline(figure, x, y, reach)], fill=fill)


def fill_digits(pen: ImageDraw.ImageDraw, scene: Scene) -> None:
    if scene.number is None:
        return
    left, top, right, bottom = number_box(scene.number, scene.width, scene.height)
    across, down = pen.im.size[0] / scene.width, pen.im.size[1] / scene.height
    step = (right - left) / len(scene.number.text)
    for i, digit in enumerate(scene.number.text):
        box = ((left + i * step) * across, top * down, (left + (i + 1) * step) * across - 1, bottom * down)
        pen.rectangle(box, fill=FIRST_DIGIT + int(digit))


def flags(scene: Scene, rows: int, columns: int) -> np.ndarray:
    """What is true of each cell, float32 of shape (rows, columns, flags), in the order of `FLAGS`.

    Only things have a place, never the background: were every cell to say where it is, a model that looks everywhere
    at once would read nothing, and would never start to look at the thing it is asked about.
    """
    found = np.zeros((rows, columns, len(FLAGS)), dtype=np.float32)
    for figure in scene.figures:
        found[min(rows - 1, int(figure.y * rows)), min(columns - 1, int(figure.x * columns)), 0] = 1
        found[covered(figure, scene, rows, columns), 4:] = thirds(figure.y, figure.x)
    for flag, first in ((1, biggest(scene.figures)), (2, smallest(scene.figures))):
        if first:
            found[covered(first, scene, rows, columns), flag] = 1
    for bar in scene.bars:
        middle = (bar.left + bar.right) / 2
        across = slice(math.floor(bar.left * columns), math.ceil(bar.right * columns))
        found[math.floor((scene.base - bar.height) * rows) : math.ceil(scene.base * rows), across, 4:] = thirds(
            0.5, middle
        )
    if scene.bars:
        tall = max(scene.bars, key=lambda bar: bar.height)
        found[:, math.floor(tall.left * columns) : math.ceil(tall.right * columns), 3] = 1
    return found


def covered(figure: Figure, scene: Scene, rows: int, columns: int) -> np.ndarray:
    """Bool of shape (rows, columns): the cells whose middle the figure covers."""
    chart = Image.new("L", (columns * FINE, rows * FINE), 0)
    fill_figure(ImageDraw.Draw(chart), figure, 1, scene)
    return middles(chart) > 0


def thirds(down: float, across: float) -> list[bool]:
    """Whether a point is in the top, bottom, left and right third."""
    return [down < 1 / 3, down > 2 / 3, across < 1 / 3, across > 2 / 3]


def biggest(figures: tuple[Figure, ...]) -> Figure | None:
    """The one whose radius clearly beats all others, if there is such a one."""
    ordered = sorted(figures, key=lambda one: -one.radius)
    return ordered[0] if len(ordered) > 1 and ordered[0].radius >= CLEARLY * ordered[1].radius else None


def smallest(figures: tuple[Figure, ...]) -> Figure | None:
    """The one whose radius all others clearly beat, if there is such a one."""
    ordered = sorted(figures, key=lambda one: one.radius)
    return ordered[0] if len(ordered) > 1 and CLEARLY * ordered[0].radius <= ordered[1].radius else None
