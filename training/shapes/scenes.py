"""Knows how to make up scenes at random. Not how they are drawn or asked about."""

import math
from random import Random

from training.shapes.world import COLOURS, RGB, SHAPES, Background, Bar, Figure, Number, Scene

# Several inks per colour word, so that a stranger's pure red and a designer's soft red both read "red".
INKS: dict[str, tuple[RGB, ...]] = {
    "red": ((255, 0, 0), (220, 40, 40), (200, 20, 30)),
    "orange": ((255, 165, 0), (245, 135, 20), (255, 140, 0)),
    "yellow": ((255, 255, 0), (250, 220, 40), (255, 215, 0)),
    "green": ((0, 128, 0), (40, 160, 60), (0, 200, 0), (34, 139, 34)),
    "blue": ((0, 0, 255), (40, 90, 220), (30, 110, 240)),
    "purple": ((128, 0, 128), (140, 60, 180), (150, 50, 200)),
    "black": ((0, 0, 0), (25, 25, 25)),
    "white": ((255, 255, 255), (240, 240, 240)),
}
PAPERS: tuple[RGB, ...] = ((255, 255, 255), (245, 245, 245), (200, 200, 200), (128, 128, 128), (0, 0, 0), (40, 44, 52))
JITTER = 14
CONTRAST = 110.0
Names = tuple[list[str], list[str]]


def ink(random: Random, colour: str) -> RGB:
    return jittered(random, random.choice(INKS[colour]), JITTER)


def jittered(random: Random, rgb: RGB, by: int) -> RGB:
    red, green, blue = (min(255, max(0, part + random.randint(-by, by))) for part in rgb)
    return red, green, blue


def contrasts(one: RGB, others: list[RGB]) -> bool:
    return all(math.dist(one, other) >= CONTRAST for other in others)


def paper(random: Random) -> RGB:
    if random.random() < 0.35:
        return 255, 255, 255
    if random.random() < 0.5:
        return jittered(random, random.choice(PAPERS), 10)
    return random.randint(0, 255), random.randint(0, 255), random.randint(0, 255)


def background(random: Random, inks: list[RGB]) -> Background:
    """A background that every ink in `inks` stands out from, at both ends of a gradient."""
    first = next(rgb for rgb in iter(lambda: paper(random), None) if contrasts(rgb, inks))
    style = random.choices(("plain", "gradient", "noise"), (5, 2, 2))[0]
    ends = [jittered(random, first, 60) for _ in range(4)]
    other = next((end for end in ends if contrasts(end, inks)), first)
    return Background(style, first, other, random.randrange(1 << 30))


def size(random: Random) -> tuple[int, int]:
    """Width and height in pixels, 64 to 512, no side more than 1.6 times the other."""
    longer = round(math.exp(random.uniform(math.log(80), math.log(512))))
    shorter = max(64, round(longer / random.choice((1.0, 1.0, random.uniform(1.0, 1.6)))))
    return (longer, shorter) if random.random() < 0.6 else (shorter, longer)


def radius(random: Random, count: int) -> float:
    low, high = {1: (0.15, 0.42), 2: (0.14, 0.26), 3: (0.12, 0.21), 4: (0.115, 0.18), 5: (0.11, 0.16)}[count]
    return random.uniform(low, high)


def figure(random: Random, count: int, width: int, height: int, names: Names, placed: list[Figure]) -> Figure | None:
    """One more figure that touches no other, or None when forty throws found no room."""
    shapes, colours = names
    colour = random.choice(colours)
    shorter, reach = min(width, height), radius(random, count)
    for _ in range(40):
        x = random.uniform(reach * shorter * 1.05 / width, 1 - reach * shorter * 1.05 / width)
        y = random.uniform(reach * shorter * 1.05 / height, 1 - reach * shorter * 1.05 / height)
        found = Figure(random.choice(shapes), colour, ink(random, colour), x, y, reach, random.uniform(-14, 14))
        if all(apart(found, other, width, height) for other in placed):
            return found
    return None


def names(random: Random) -> Names:
    """The shapes and colours that a scene draws from: often few, so that there is something to count."""
    shapes, colours = random.choice((1, 2, 4, 4)), random.choice((2, 4, 8))
    return random.sample(SHAPES, shapes), random.sample(COLOURS, colours)


def apart(one: Figure, other: Figure, width: int, height: int) -> bool:
    gap = math.hypot((one.x - other.x) * width, (one.y - other.y) * height) / min(width, height)
    return gap > (one.radius + other.radius) * 1.08


def figures(random: Random, count: int, width: int, height: int) -> Scene:
    """`count` figures (1 to 5) that do not touch and whose inks stand out from the background."""
    while True:
        placed: list[Figure] = []
        drawn_from = names(random)
        for _ in range(count):
            found = figure(random, count, width, height, drawn_from, placed)
            placed += [found] if found else []
        inks = [one.rgb for one in placed]
        # Very many different inks leave no paper that all of them stand out from: throw again.
        if len(placed) == count and any(contrasts(paper(random), inks) for _ in range(20)):
            return Scene(width, height, background(random, inks), figures=tuple(placed), smooth=random.random() < 0.8)


def bars(random: Random, width: int, height: int) -> Scene:
    """Three to five bars of different colours; the tallest beats the next by an eighth or more."""
    while True:
        count = random.randint(3, 5)
        tallest = random.uniform(0.5, 0.82)
        heights = [tallest] + [random.uniform(0.08, tallest / 1.125) for _ in range(count - 1)]
        random.shuffle(heights)
        step, fill = 0.9 / count, random.uniform(0.55, 0.9)
        colours = random.sample(COLOURS, count)
        lefts = [0.05 + step * (i + (1 - fill) / 2) for i in range(count)]
        chart = tuple(
            Bar(c, ink(random, c), x, x + step * fill, h) for c, x, h in zip(colours, lefts, heights, strict=True)
        )
        inks = [bar.rgb for bar in chart]
        if any(contrasts(paper(random), inks) for _ in range(20)):
            return Scene(width, height, background(random, inks), bars=chart, base=random.uniform(0.88, 0.97))


def number(random: Random, width: int, height: int) -> Scene:
    """One digit (0 to 9) or two (10 to 99), four to eight tenths of the shorter side high."""
    text = str(random.randint(0, 9) if random.random() < 0.35 else random.randint(10, 99))
    colour = random.choice(COLOURS)
    room = 0.95 if len(text) == 1 else 0.8
    drawn = Number(
        text,
        colour,
        ink(random, colour),
        random.uniform(0.4, 0.6),
        random.uniform(0.4, 0.6),
        random.uniform(0.45, room),
    )
    return Scene(width, height, background(random, [drawn.rgb]), number=drawn)
