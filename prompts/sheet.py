"""Knows how to draw smooth lines, shapes and words on one sheet. Knows no picture; those are in `draw.py`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FINER = 3  # drawn this much larger and scaled down, so that edges are smooth
INK, PAPER = "#1f2328", "#ffffff"
Point = tuple[float, float]


class Sheet:
    """A picture in final pixels; every measure is multiplied by FINER on its way to Pillow."""

    def __init__(self, width: int, height: int, paper: str = PAPER) -> None:
        self.size = (width, height)
        self.large = Image.new("RGB", (width * FINER, height * FINER), paper)
        self.draw = ImageDraw.Draw(self.large)

    def box(
        self, x: float, y: float, width: float, height: float, fill: str | None, radius: float = 0, **line: str
    ) -> None:
        edges = [x * FINER, y * FINER, (x + width) * FINER - 1, (y + height) * FINER - 1]
        self.draw.rounded_rectangle(edges, radius * FINER, fill, line.get("outline"), 2 * FINER)

    def disc(self, x: float, y: float, radius: float, fill: str, outline: str | None = None) -> None:
        self.draw.circle((x * FINER, y * FINER), radius * FINER, fill, outline, 2 * FINER)

    def path(self, points: Sequence[Point], fill: str, width: float = 1) -> None:
        self.draw.line([(x * FINER, y * FINER) for x, y in points], fill, round(width * FINER), joint="curve")

    def shape(self, points: Sequence[Point], fill: str) -> None:
        self.draw.polygon([(x * FINER, y * FINER) for x, y in points], fill)

    def text(
        self, x: float, y: float, words: str, size: int = 18, fill: str = INK, at: str = "la", bold: bool = False
    ) -> None:
        font = ImageFont.load_default(size * FINER)
        stroke = round(size * FINER / 40) if bold else 0
        self.draw.text((x * FINER, y * FINER), words, fill, font, anchor=at, stroke_width=stroke, stroke_fill=fill)

    def save(self, path: Path) -> None:
        small = self.large.resize(self.size, Image.Resampling.LANCZOS)
        small.quantize(192, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)


def on_circle(x: float, y: float, radius: float, turn: float) -> Point:
    """The point `turn` of the way round, clockwise from the top."""
    return x + radius * math.sin(math.tau * turn), y - radius * math.cos(math.tau * turn)
