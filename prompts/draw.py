"""Knows how the pictures of the prompts look: `python prompts/draw.py` draws them all into `images/`, always the same.

Asks for Pillow only and uses the font inside it. Knows nothing of what is asked about a picture; the .toml files do.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

from sheet import INK, PAPER, Point, Sheet, on_circle

FOLDER = Path(__file__).parent / "images"
GREY, LINE = "#6b7280", "#d8dce2"
RED, BLUE, GREEN, YELLOW = "#d92d20", "#2563eb", "#1a9c4b", "#f5c518"
PURPLE, ORANGE, TEAL = "#7c3aed", "#f07c1d", "#2a9d9d"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


# --- charts and documents -----------------------------------------------------------------------------------------


def bars() -> Sheet:
    sheet = Sheet(720, 460)
    sheet.text(40, 24, "Books lent by the town library", 24, bold=True)
    sheet.text(40, 58, "Books a month, first half of the year", 16, GREY)
    for step in range(8):
        y = 400 - step * 40
        sheet.path([(90, y), (690, y)], LINE if step else INK, 1)
        sheet.text(80, y, str(step * 100), 15, GREY, "rm")
    for place, (month, books) in enumerate(zip(MONTHS, (400, 350, 500, 300, 650, 550), strict=False)):
        x = 112 + place * 98
        sheet.box(x, 400 - books * 0.4, 62, books * 0.4, BLUE)
        sheet.text(x + 31, 410, month, 17, at="ma")
    return sheet


def lines() -> Sheet:
    sheet = Sheet(760, 470)
    sheet.text(40, 22, "Average temperature of two towns", 24, bold=True)
    sheet.text(40, 56, "Degrees Celsius, by month", 16, GREY)
    for degrees in range(-5, 26, 5):
        y = 350 - degrees * 10
        sheet.path([(80, y), (640, y)], LINE if degrees else GREY, 1)
        sheet.text(70, y, str(degrees), 15, GREY, "rm")
    for place, month in enumerate(MONTHS):
        sheet.text(90 + place * 49, 412, month, 15, GREY, "ma")
    aldby = (-4, -3, 1, 6, 11, 16, 18, 17, 14, 7, 2, -2)
    corvo = (22, 21, 19, 16, 14, 10, 9, 10, 12, 15, 18, 21)
    for name, colour, degrees_by_month in (("Aldby", BLUE, aldby), ("Corvo", ORANGE, corvo)):
        points = [(90 + place * 49, 350 - degrees * 10) for place, degrees in enumerate(degrees_by_month)]
        sheet.path(points, colour, 3)
        for x, y in points:
            sheet.disc(x, y, 5, colour)
        sheet.text(points[-1][0] + 16, points[-1][1], name, 18, colour, "lm", bold=True)
    return sheet


def receipt() -> Sheet:
    sheet = Sheet(640, 720, "#cfd6dd")
    sheet.shape([(100, 30), (540, 30), (540, 690), *((540 - 11 * i, 690 - 8 * (i % 2)) for i in range(41))], PAPER)
    sheet.text(320, 60, "GREEN CORNER", 30, at="ma", bold=True)
    sheet.text(320, 102, "Mill Road 7     4 May 2026     17:42", 16, GREY, "ma")
    goods = (
        ("Rye bread", "2 x 3.40", "6.80"),
        ("Tomatoes", "0.750 kg x 3.20", "2.40"),
        ("Goat cheese", "1 x 5.95", "5.95"),
        ("Coffee", "2 x 4.50", "9.00"),
        ("Apples", "1.200 kg x 2.50", "3.00"),
    )
    sheet.path([(130, 144), (510, 144)], GREY)
    for row, (name, how, price) in enumerate(goods):
        y = 166 + row * 64
        sheet.text(130, y, name, 20)
        sheet.text(130, y + 27, how, 15, GREY)
        sheet.text(510, y, price, 20, at="ra")
    sheet.path([(130, 496), (510, 496)], GREY)
    sheet.text(130, 512, "TOTAL", 26, bold=True)
    sheet.text(510, 512, "29.15", 26, at="ra", bold=True)
    for y, name, amount in ((558, "Cash", "30.00"), (588, "Change", "0.85")):
        sheet.text(130, y, name, 20)
        sheet.text(510, y, amount, 20, at="ra")
    sheet.text(320, 636, "Thank you, come again!", 17, GREY, "ma")
    return sheet


def table(sheet: Sheet, top: float, columns: Sequence[tuple[float, str]], rows: Sequence[Sequence[str]]) -> None:
    """Rows of text; the first is the head. A column is where it stands and how it is anchored there."""
    for number, row in enumerate(rows):
        y = top + number * 48
        if number % 2 == 0:
            sheet.box(30, y, sheet.size[0] - 60, 48, "#e6ebf2" if number == 0 else "#f6f7f9")
        for (x, at), words in zip(columns, row, strict=True):
            sheet.text(x, y + 24, words, 18, at=at, bold=number == 0)


def timetable() -> Sheet:
    sheet = Sheet(760, 450)
    sheet.text(40, 26, "Northline: Halden to Port Ann", 25, bold=True)
    sheet.text(40, 62, "Monday to Friday, mornings", 16, GREY)
    rows = (
        ("Train", "11", "13", "15*", "17", "19"),
        ("Halden", "6:05", "7:05", "7:35", "7:50", "8:35"),
        ("Birk", "6:21", "7:21", "7:51", "8:06", "8:51"),
        ("Moss Lake", "6:40", "|", "8:10", "|", "9:10"),
        ("Ferris", "6:58", "7:51", "8:28", "8:36", "9:28"),
        ("Port Ann", "7:20", "8:12", "8:50", "9:02", "9:50"),
    )
    table(sheet, 98, [(50, "lm"), (280, "mm"), (380, "mm"), (480, "mm"), (580, "mm"), (680, "mm")], rows)
    sheet.text(40, 402, "*  Fridays only          |  does not stop", 16, GREY)
    return sheet


def bicycles() -> Sheet:
    sheet = Sheet(720, 400)
    sheet.text(40, 26, "Bicycles in our shop", 25, bold=True)
    rows = (
        ("Model", "Weight", "Gears", "Price", "In stock"),
        ("Heron", "11.2 kg", "10", "$780", "yes"),
        ("Swift", "9.4 kg", "12", "$940", "yes"),
        ("Marten", "10.1 kg", "11", "$860", "no"),
        ("Otter", "10.8 kg", "9", "$820", "yes"),
        ("Lynx", "12.5 kg", "8", "$540", "yes"),
    )
    table(sheet, 80, [(50, "lm"), (280, "rm"), (390, "rm"), (510, "rm"), (630, "mm")], rows)
    return sheet


def form() -> Sheet:
    sheet = Sheet(720, 620, "#fbfaf7")
    sheet.box(24, 24, 672, 572, PAPER, 6, outline=LINE)
    sheet.text(56, 52, "Application for a library card", 26, bold=True)
    answers = (
        ("Name", "Ada Novak"),
        ("Date of birth", "14 March 2031"),
        ("Street", "Harbour Street 12"),
        ("Postcode and town", ""),
        ("Telephone", "555 0187"),
    )
    for row, (asked, answer) in enumerate(answers):
        y = 112 + row * 62
        sheet.text(56, y + 12, asked, 18)
        sheet.box(270, y, 394, 44, PAPER, 4, outline=GREY)
        sheet.text(286, y + 22, answer, 21, BLUE, "lm")
    sheet.text(56, 436, "Tick one:", 18)
    for x, group in ((270, "Adult"), (410, "Child"), (550, "School")):
        sheet.box(x, 434, 24, 24, PAPER, 3, outline=GREY)
        sheet.text(x + 36, 436, group, 18)
        if group != "School":
            sheet.path([(x + 4, 446), (x + 11, 454), (x + 25, 432)], BLUE, 3)
    sheet.text(56, 526, "Date:  2 June 2026", 18)
    sheet.path([(400, 548), (664, 548)], GREY)
    sheet.path([(410 + t * 2, 528 - 16 * math.sin(t / 5) * math.cos(t / 17)) for t in range(100)], BLUE, 2)
    sheet.text(532, 556, "Signature", 15, GREY, "ma")
    return sheet


def town() -> Sheet:
    sheet = Sheet(760, 560, "#eef1e6")
    bank = [(x, 500 + 12 * math.sin(x / 90)) for x in range(0, 770, 10)]
    sheet.shape([*bank, *((x, y + 40) for x, y in reversed(bank))], "#a9cdea")
    sheet.text(570, 520, "River Lune", 16, "#2f6690", "mm")
    down = ((150, "Elm St"), (380, "Oak St"), (610, "Ash St"))
    across = ((110, "King Rd"), (260, "Mill Rd"), (410, "Quay Rd"))
    for y, _ in across:
        sheet.path([(20, y), (740, y)], "#c3c7bd", 32)
        sheet.path([(20, y), (740, y)], PAPER, 28)
    for x, _ in down:
        sheet.path([(x, 40), (x, 460)], "#c3c7bd", 32)
        sheet.path([(x, 42), (x, 458)], PAPER, 28)
    for y, name in across:
        sheet.path([(22, y), (738, y)], PAPER, 28)
        sheet.text(265, y, name, 16, GREY, "mm")
    for x, name in down:
        sheet.text(x, 22, name, 16, GREY, "mm")
    places = (
        (172, 336, "Station", RED),
        (172, 186, "School", PURPLE),
        (402, 132, "Cinema", ORANGE),
        (402, 186, "Bakery", ORANGE),
        (402, 336, "Market", GREEN),
        (632, 132, "Museum", BLUE),
        (632, 336, "Hotel", TEAL),
    )
    for x, y, name, colour in places:
        sheet.box(x, y, 104, 44 if y == 132 else 52, colour, 6)
        sheet.text(x + 52, y + (22 if y == 132 else 26), name, 18, PAPER, "mm", bold=True)
    sheet.shape([(60, 60), (48, 92), (60, 84), (72, 92)], INK)
    sheet.text(60, 48, "N", 18, at="mm", bold=True)
    return sheet


def clocks() -> Sheet:
    sheet = Sheet(720, 400)
    for x, title, hour, minute in ((190, "Film begins", 7, 20), (530, "Film ends", 9, 55)):
        sheet.text(x, 28, title, 24, at="ma", bold=True)
        sheet.disc(x, 228, 142, "#f6f7f9", INK)
        for number in range(1, 13):
            sheet.text(*on_circle(x, 228, 114, number / 12), str(number), 24, at="mm")
        for tick in range(60):
            inner = 132 if tick % 5 else 128
            sheet.path(
                [on_circle(x, 228, inner, tick / 60), on_circle(x, 228, 138, tick / 60)], GREY, 1 + (inner < 130)
            )
        sheet.path([(x, 228), on_circle(x, 228, 66, (hour + minute / 60) / 12)], INK, 8)
        sheet.path([(x, 228), on_circle(x, 228, 98, minute / 60)], INK, 4)
        sheet.disc(x, 228, 8, INK)
    return sheet


# --- counting and colours -----------------------------------------------------------------------------------------


def balls() -> Sheet:
    sheet = Sheet(720, 460, "#f6f7f9")
    chance, placed = random.Random(7), list[Point]()
    colours = [RED] * 7 + [BLUE] * 5 + [GREEN] * 4 + [YELLOW] * 3
    while len(placed) < len(colours):
        spot = (50 + chance.random() * 620, 50 + chance.random() * 360)
        if all(math.dist(spot, other) >= 82 for other in placed):
            sheet.disc(*spot, 36, colours[len(placed)])
            placed.append(spot)
    return sheet


def tiles() -> Sheet:
    sheet = Sheet(680, 520)
    for row in range(6):
        for column in range(8):
            odd = (row, column) == (3, 5)
            sheet.box(26 + column * 80, 26 + row * 80, 68, 68, "#57b9b3" if odd else TEAL, 10)
    return sheet


def shelf() -> Sheet:
    sheet = Sheet(720, 380, "#f3eee6")
    books = ((RED, 230), (BLUE, 200), (GREEN, 245), (RED, 215), (YELLOW, 190), (PURPLE, 235), (BLUE, 220), (RED, 205))
    for place, (colour, height) in enumerate((*books, (ORANGE, 240))):
        x = 66 + place * 66
        sheet.box(x, 310 - height, 58, height, colour, 4)
        for y in (310 - height + 22, 282):
            sheet.box(x, y, 58, 5, PAPER)
    sheet.box(30, 310, 660, 24, "#8a5a33", 4)
    return sheet


def papers() -> Sheet:
    sheet = Sheet(700, 520, "#eceff3")
    for colour, x, y in ((PURPLE, 60, 50), (GREEN, 190, 150), (YELLOW, 330, 60), (RED, 440, 190), (BLUE, 300, 270)):
        sheet.box(x, y, 200, 200, colour, 8, outline=PAPER)
    return sheet


def dice() -> Sheet:
    sheet = Sheet(760, 220, "#2f6b4f")
    spots = {1: "m", 3: "amz", 4: "acxz", 5: "acmxz", 6: "aclrxz"}
    where = {"a": (-1, -1), "c": (1, -1), "l": (-1, 0), "m": (0, 0), "r": (1, 0), "x": (-1, 1), "z": (1, 1)}
    for place, number in enumerate((3, 5, 1, 6, 4)):
        x, y = 90 + place * 145, 110 + (-1) ** place * 16
        sheet.box(x - 52, y - 52, 104, 104, PAPER, 18)
        for spot in spots[number]:
            sheet.disc(x + where[spot][0] * 29, y + where[spot][1] * 29, 10, INK)
    return sheet


def desk(cup: str, pencils: Sequence[str], plant: bool) -> Sheet:
    sheet = Sheet(640, 400, "#dfe9f2")
    sheet.box(0, 300, 640, 100, "#b98555")
    sheet.box(200, 110, 240, 160, INK, 10)
    sheet.box(212, 122, 216, 136, "#9cc9f0", 4)
    sheet.box(305, 270, 30, 26, INK)
    sheet.box(260, 292, 120, 12, INK, 5)
    sheet.disc(536, 272, 24, cup)
    sheet.disc(536, 272, 14, "#dfe9f2")
    sheet.box(470, 236, 66, 72, cup, 8)
    for place, colour in enumerate(pencils):
        sheet.path([(210 + place * 40, 372), (300 + place * 40, 336)], colour, 9)
    if plant:
        for lean in (-46, -22, 0, 22, 46):
            sheet.path([(104, 240), (104 + lean, 150 + abs(lean))], GREEN, 13)
            sheet.disc(104 + lean, 150 + abs(lean), 12, GREEN)
        sheet.shape([(70, 236), (138, 236), (128, 308), (80, 308)], "#c4572b")
    return sheet


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    charts = (bars, lines, receipt, timetable, bicycles, form, town, clocks)
    for subject, drawings in (("charts", charts), ("counting", (balls, tiles, shelf, papers, dice))):
        for number, drawing in enumerate(drawings, start=1):
            drawing().save(FOLDER / f"{subject}-{number:02}.png")
    desk(RED, (BLUE, YELLOW), plant=True).save(FOLDER / "counting-06-a.png")
    desk(BLUE, (BLUE, YELLOW, RED), plant=False).save(FOLDER / "counting-06-b.png")


if __name__ == "__main__":
    main()
