"""Knows what each cell of the token grid shows: the dense lesson of the vision tower. Not how it is learnt."""

import math
from collections import Counter

import numpy as np
from PIL import Image, ImageDraw

from training.shapes.drawing import number_box, outline
from training.shapes.world import COLOURS, SHAPES, Bar, Figure, Scene

NOTHING = 0
FIRST_FIGURE = 1
FIRST_DIGIT = FIRST_FIGURE + len(SHAPES) * len(COLOURS)
FIRST_BAR = FIRST_DIGIT + 10
CLASSES = FIRST_BAR + len(COLOURS)
FLAGS = ("centre", "tallest", "top", "bottom", "left", "right")
NUMBERS = ("in all", "of its shape", "of its colour", "from the left")
MOST = 5  # the highest number that is counted to
FINE = 4  # sub-cells a side: the middle one speaks for its cell


def owners(scene: Scene, rows: int, columns: int) -> np.ndarray:
    """Which figure or bar (1 for the first) each cell belongs to, 0 for none; uint8 of shape (rows, columns).

    A cell belongs to what covers its middle, or has its own middle there: the smallest star has a cell too.
    """
    chart = Image.new("L", (columns * FINE, rows * FINE), 0)
    for i, figure in enumerate(scene.figures, 1):
        fill_figure(ImageDraw.Draw(chart), figure, i, scene)
    found = middles(chart)
    for i, figure in enumerate(scene.figures, 1):
        found[middle(figure, rows, columns)] = i
    for i, bar in enumerate(scene.bars, 1):
        found[upright(bar, scene.base, rows, columns)] = i
    return found


def middles(chart: Image.Image) -> np.ndarray:
    return np.array(chart)[FINE // 2 :: FINE, FINE // 2 :: FINE]


def middle(figure: Figure, rows: int, columns: int) -> tuple[int, int]:
    return min(rows - 1, int(figure.y * rows)), min(columns - 1, int(figure.x * columns))


def upright(bar: Bar, base: float, rows: int, columns: int) -> tuple[slice, slice]:
    """The cells of a bar: of each row it reaches, those whose middle it covers, at least the one it stands in."""
    middle = int((bar.left + bar.right) / 2 * columns)
    first, last = math.ceil(bar.left * columns - 0.5), math.floor(bar.right * columns - 0.5)
    across = slice(min(first, middle), max(last, middle) + 1)
    return slice(math.floor((base - bar.height) * rows), math.ceil(base * rows)), across


def fill_figure(pen: ImageDraw.ImageDraw, figure: Figure, fill: int, scene: Scene) -> None:
    """The figure's outline on the chart, which may squeeze width and height differently from the picture."""
    width, height = pen.im.size
    across, down = width / scene.width, height / scene.height
    x, y, reach = figure.x * scene.width, figure.y * scene.height, figure.radius * min(scene.width, scene.height)
    if figure.shape == "circle":
        pen.ellipse(((x - reach) * across, (y - reach) * down, (x + reach) * across, (y + reach) * down), fill=fill)
    else:
        pen.polygon([(px * across, py * down) for px, py in outline(figure, x, y, reach)], fill=fill)


def cells(scene: Scene, rows: int, columns: int) -> np.ndarray:
    """What each cell shows, int64 of shape (rows, columns)."""
    if scene.number:
        return digits(scene, rows, columns)
    figures = [FIRST_FIGURE + SHAPES.index(f.shape) * len(COLOURS) + COLOURS.index(f.colour) for f in scene.figures]
    bars = [FIRST_BAR + COLOURS.index(bar.colour) for bar in scene.bars]
    return np.array([NOTHING, *figures, *bars], dtype=np.int64)[owners(scene, rows, columns)]


def digits(scene: Scene, rows: int, columns: int) -> np.ndarray:
    assert scene.number is not None
    chart = Image.new("L", (columns * FINE, rows * FINE), NOTHING)
    pen = ImageDraw.Draw(chart)
    left, top, right, bottom = number_box(scene.number, scene.width, scene.height)
    across, down = chart.width / scene.width, chart.height / scene.height
    step = (right - left) / len(scene.number.text)
    for i, digit in enumerate(scene.number.text):
        box = ((left + i * step) * across, top * down, (left + (i + 1) * step) * across - 1, bottom * down)
        pen.rectangle(box, fill=FIRST_DIGIT + int(digit))
    return middles(chart).astype(np.int64)


def flags(scene: Scene, rows: int, columns: int) -> np.ndarray:
    """What is true of each cell, float32 of shape (rows, columns, flags), in the order of `FLAGS`.

    Only things have a place, never the background: were every cell to say where it is, a model that looks everywhere
    at once would read nothing, and would never start to look at the thing it is asked about.
    """
    highest = max((bar.height for bar in scene.bars), default=0.0)
    figures = [[False, False, *thirds(figure.y, figure.x)] for figure in scene.figures]
    bars = [[False, bar.height == highest, *thirds(0.5, (bar.left + bar.right) / 2)] for bar in scene.bars]
    table = np.array([[False] * len(FLAGS), *figures, *bars], dtype=np.float32)
    found: np.ndarray = table[owners(scene, rows, columns)]
    for figure in scene.figures:
        found[middle(figure, rows, columns)][0] = 1
    return found


def thirds(down: float, across: float) -> list[bool]:
    """Whether a point is in the top, bottom, left and right third."""
    return [down < 1 / 3, down > 2 / 3, across < 1 / 3, across > 2 / 3]


def numbers(scene: Scene, rows: int, columns: int) -> np.ndarray:
    """What each cell counts, int64 of shape (rows, columns, numbers), in the order of `NUMBERS`; 0 where nothing.

    Every cell of a thing says how many things there are, how many of its shape and of its colour, and the how manieth
    from the left it is. So the tower learns to count, from thousands of cells a step, and an answer only has to read.
    """
    shapes = Counter(figure.shape for figure in scene.figures)
    colours = Counter(figure.colour for figure in scene.figures)
    order = sorted(one.x for one in scene.figures)
    figures = [
        [len(scene.figures), shapes[one.shape], colours[one.colour], order.index(one.x) + 1] for one in scene.figures
    ]
    bars = [[len(scene.bars), 0, 0, i] for i in range(1, len(scene.bars) + 1)]
    return np.array([[0] * len(NUMBERS), *figures, *bars], dtype=np.int64)[owners(scene, rows, columns)]
