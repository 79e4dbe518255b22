"""Knows the pictures of the prompt library's shapes prompts. Not the prompts' words.

Run `python -m training.shapes.prompt_pictures` to draw them again into `prompts/images/`.
"""

from pathlib import Path

from training.shapes.drawing import draw
from training.shapes.world import RGB, Background, Bar, Figure, Number, Scene

FOLDER = Path(__file__).resolve().parents[2] / "prompts" / "images"
INK: dict[str, RGB] = {
    "red": (220, 40, 40),
    "orange": (245, 135, 20),
    "yellow": (250, 220, 40),
    "green": (40, 160, 60),
    "blue": (40, 90, 220),
    "purple": (140, 60, 180),
    "black": (25, 25, 25),
    "white": (240, 240, 240),
}
WHITE = Background("plain", (255, 255, 255), (255, 255, 255))
GREY = Background("plain", (128, 128, 128), (128, 128, 128))
SKY = Background("gradient", (200, 225, 250), (245, 250, 255))


def figure(shape: str, colour: str, x: float, y: float, radius: float) -> Figure:
    return Figure(shape, colour, INK[colour], x, y, radius)


def bar(colour: str, at: int, of: int, height: float) -> Bar:
    step = 0.9 / of
    return Bar(colour, INK[colour], 0.05 + step * (at + 0.12), 0.05 + step * (at + 0.88), height)


PICTURES: dict[str, Scene] = {
    "shapes-01": Scene(256, 256, WHITE, figures=(figure("circle", "red", 0.5, 0.5, 0.32),)),
    "shapes-02": Scene(
        320, 240, SKY, figures=(figure("square", "blue", 0.26, 0.5, 0.24), figure("star", "orange", 0.74, 0.48, 0.26))
    ),
    "shapes-03": Scene(
        256,
        256,
        WHITE,
        figures=(
            figure("triangle", "green", 0.2, 0.22, 0.16),
            figure("circle", "purple", 0.78, 0.24, 0.16),
            figure("square", "yellow", 0.22, 0.78, 0.16),
            figure("star", "black", 0.78, 0.78, 0.17),
        ),
    ),
    "shapes-04": Scene(256, 192, WHITE, number=Number("7", "blue", INK["blue"], 0.5, 0.5, 0.8)),
    "shapes-05": Scene(
        320,
        240,
        WHITE,
        bars=(bar("red", 0, 4, 0.35), bar("green", 1, 4, 0.78), bar("blue", 2, 4, 0.5), bar("orange", 3, 4, 0.22)),
    ),
    "shapes-06": Scene(
        256,
        256,
        GREY,
        figures=(
            figure("circle", "white", 0.5, 0.2, 0.15),
            figure("circle", "black", 0.22, 0.75, 0.15),
            figure("circle", "yellow", 0.78, 0.75, 0.15),
        ),
    ),
    "shapes-07": Scene(256, 256, SKY, number=Number("42", "purple", INK["purple"], 0.5, 0.5, 0.7)),
    "shapes-08": Scene(256, 256, WHITE, figures=(figure("circle", "green", 0.5, 0.5, 0.3),)),
}


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, scene in PICTURES.items():
        draw(scene).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
