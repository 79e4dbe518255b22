"""Knows the nouns of the little world: figures, bars, numbers, scenes. Not how they are drawn or asked about."""

from dataclasses import dataclass

SHAPES = ("circle", "square", "triangle", "star")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "black", "white")
PLACES = (
    ("top left", "top", "top right"),
    ("left", "middle", "right"),
    ("bottom left", "bottom", "bottom right"),
)
RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Figure:
    """One shape. `x`, `y` are the centre as shares of the picture; `radius` is a share of its shorter side."""

    shape: str
    colour: str
    rgb: RGB
    x: float
    y: float
    radius: float
    turn: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.colour} {self.shape}"


@dataclass(frozen=True)
class Bar:
    """One bar of a chart; `left`, `right`, `height` are shares of the picture."""

    colour: str
    rgb: RGB
    left: float
    right: float
    height: float


@dataclass(frozen=True)
class Number:
    """One or two digits; `size` is the font size as a share of the shorter side."""

    text: str
    colour: str
    rgb: RGB
    x: float
    y: float
    size: float


@dataclass(frozen=True)
class Background:
    """`style` is plain, gradient or noise; `other` is the far end of a gradient."""

    style: str
    rgb: RGB
    other: RGB
    seed: int = 0


@dataclass(frozen=True)
class Scene:
    """A picture before it is drawn: exactly one of `figures`, `bars`, `number` is filled."""

    width: int
    height: int
    background: Background
    figures: tuple[Figure, ...] = ()
    bars: tuple[Bar, ...] = ()
    number: Number | None = None
    base: float = 0.92
    smooth: bool = True


def place(figure: Figure) -> str | None:
    """The word for where a figure is, or None when its centre is too near a border between two words."""
    row, column = third(figure.y), third(figure.x)
    return None if row is None or column is None else PLACES[row][column]


def third(share: float) -> int | None:
    """0, 1 or 2 for the first, middle or last third; None within 0.03 of a border, where people disagree."""
    if min(abs(share - 1 / 3), abs(share - 2 / 3)) < 0.03:
        return None
    return min(2, int(share * 3))
