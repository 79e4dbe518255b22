"""Knows how to draw a scene with Pillow. Not what is asked about it."""

import functools
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from training.shapes.world import Background, Bar, Figure, Number, Scene

Point = tuple[float, float]


def draw(scene: Scene) -> Image.Image:
    """The picture of a scene, RGB, `scene.width` by `scene.height` pixels."""
    scale = 2 if scene.smooth and max(scene.width, scene.height) <= 400 else 1
    image = paper(scene.background, scene.width, scene.height)
    if scale > 1:
        image = image.resize((scene.width * scale, scene.height * scale), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(image)
    for figure in scene.figures:
        put_figure(pen, figure, *image.size)
    for bar in scene.bars:
        put_bar(pen, bar, scene.base, *image.size)
    if scene.number:
        put_number(pen, scene.number, *image.size)
    return image.reduce(scale) if scale > 1 else image


def paper(background: Background, width: int, height: int) -> Image.Image:
    if background.style == "plain":
        return Image.new("RGB", (width, height), background.rgb)
    if background.style == "gradient":
        return gradient(background, width, height)
    grain = np.random.default_rng(background.seed).integers(-18, 19, (height, width, 1), dtype=np.int16)
    return Image.fromarray((np.array(background.rgb, dtype=np.int16) + grain).clip(0, 255).astype(np.uint8))


def gradient(background: Background, width: int, height: int) -> Image.Image:
    """From one corner (which one: by the seed) to its opposite."""
    across, down = np.linspace(0, 1, width), np.linspace(0, 1, height)
    along = (across[None, :: 1 if background.seed & 1 else -1] + down[:, None]) / 2
    first, last = np.array(background.rgb), np.array(background.other)
    return Image.fromarray((first + along[..., None] * (last - first)).astype(np.uint8))


def put_figure(pen: ImageDraw.ImageDraw, figure: Figure, width: int, height: int) -> None:
    x, y, reach = figure.x * width, figure.y * height, figure.radius * min(width, height)
    if figure.shape == "circle":
        pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=figure.rgb)
    else:
        pen.polygon(outline(figure, x, y, reach), fill=figure.rgb)


def outline(figure: Figure, x: float, y: float, reach: float) -> list[Point]:
    """The corners of a square, triangle or star inside the circle of radius `reach`."""
    corners, start = {"square": (4, 45.0), "triangle": (3, -90.0), "star": (10, -90.0)}[figure.shape]
    inner = 0.45 if figure.shape == "star" else 1.0
    angles = [math.radians(start + figure.turn + 360 * i / corners) for i in range(corners)]
    reaches = [reach * (inner if i % 2 else 1.0) for i in range(corners)]
    return [(x + r * math.cos(a), y + r * math.sin(a)) for a, r in zip(angles, reaches, strict=True)]


def put_bar(pen: ImageDraw.ImageDraw, bar: Bar, base: float, width: int, height: int) -> None:
    pen.rectangle((bar.left * width, (base - bar.height) * height, bar.right * width, base * height), fill=bar.rgb)


def put_number(pen: ImageDraw.ImageDraw, number: Number, width: int, height: int) -> None:
    font = common_font(max(8, round(number.size * min(width, height))))
    pen.text((number.x * width, number.y * height), number.text, fill=number.rgb, font=font, anchor="mm")


@functools.cache
def common_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that comes inside Pillow, so that a machine needs no font of its own."""
    return ImageFont.load_default(size)


def number_box(number: Number, width: int, height: int) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the drawn digits, in pixels."""
    font = common_font(max(8, round(number.size * min(width, height))))
    pen = ImageDraw.Draw(Image.new("L", (1, 1)))
    return pen.textbbox((number.x * width, number.y * height), number.text, font=font, anchor="mm")
