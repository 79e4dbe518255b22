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
    """What is true of each cell, float32 of shape (rows, columns, flags), in the order of `FLAGS`."""
    found = np.zeros((rows, columns, len(FLAGS)), dtype=np.float32)
    for figure in scene.figures:
        found[min(rows - 1, int(figure.y * rows)), min(columns - 1, int(figure.x * columns)), 0] = 1
    for flag, figure in ((1, biggest(scene.figures)), (2, smallest(scene.figures))):
        if figure:
            chart = Image.new("L", (columns * FINE, rows * FINE), 0)
            fill_figure(ImageDraw.Draw(chart), figure, 1, scene)
            found[..., flag] = middles(chart)
    if scene.bars:
        bar = max(scene.bars, key=lambda bar: bar.height)
        found[:, math.floor(bar.left * columns) : math.ceil(bar.right * columns), 3] = 1
    found[..., 4:] = thirds(rows, columns)
    return found


def thirds(rows: int, columns: int) -> np.ndarray:
    """Whether the middle of each cell is in the top, bottom, left or right third."""
    down, across = np.mgrid[:rows, :columns] + 0.5
    return np.stack([down < rows / 3, down > rows * 2 / 3, across < columns / 3, across > columns * 2 / 3], axis=-1)


def biggest(figures: tuple[Figure, ...]) -> Figure | None:
    """The one whose radius clearly beats all others, if there is such a one."""
    ordered = sorted(figures, key=lambda one: -one.radius)
    return ordered[0] if len(ordered) > 1 and ordered[0].radius >= CLEARLY * ordered[1].radius else None


def smallest(figures: tuple[Figure, ...]) -> Figure | None:
    """The one whose radius all others clearly beat, if there is such a one."""
    ordered = sorted(figures, key=lambda one: one.radius)
    return ordered[0] if len(ordered) > 1 and CLEARLY * ordered[0].radius <= ordered[1].radius else None
