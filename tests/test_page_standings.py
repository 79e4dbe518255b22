"""The standings tab in a real browser: its numbers are the command's, its charts are there, and files can be taken."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from playground import library, settings
from tests import site, stored
from tests.browser import LONG_S, MARKS, browser, playwright, visit

__all__ = ["browser", "visit"]
pytestmark = MARKS

PROMPTS = [prompt.id for prompt in library.load(settings.Settings().prompts)[:60]]


@dataclass(frozen=True)
class Place:
    """An app, and the votes file that it was given."""

    url: str
    votes: Path


def models(folder: Path) -> str:
    said = [{"match": "", "events": site.words("Four.")}]
    return site.model(folder, "small", said, "Small", extra="parameters_b = 0.5") + site.model(
        folder, "large", said, "Large", extra="parameters_b = 70"
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Votes between three models, one of which is in no catalog and has a name that is markup."""
    home = tmp_path_factory.mktemp("standings")
    path = home / "votes.csv"
    rows = stored.simulated({"small": 0, "large": 250, "<b>stranger</b>": 100}, 300, ["typed", *PROMPTS])
    stored.write(path, rows)
    with site.app(home, models(home), "--left", "small", "--right", "large", "--votes", str(path)) as url:
        yield Place(url, path)


def command(place: Place, *flags: str) -> dict[str, object]:
    """What the command line says of the same file."""
    run = [sys.executable, "-m", "playground", "standings", "--votes", str(place.votes), "--json", *flags]
    done = subprocess.run(run, cwd=site.ROOT, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def opened(tab: object) -> object:
    tab.get_by_role("tab", name="Standings").click()
    tab.locator(".board .status").wait_for(timeout=LONG_S)
    return tab


def table(tab: object) -> list[list[str]]:
    rows = tab.get_by_role("table", name="Standings").locator("tbody tr").all()
    return [[cell.inner_text().strip() for cell in row.locator("td").all()] for row in rows]


def expected(found: dict[str, object]) -> list[list[str]]:
    """Rank to both-bad of each model, as the page writes them."""
    rows = []
    for one in found["models"]:
        rating, share = one["rating"], one["share"]
        percent = [f"{100 * share[name]:.0f}" for name in ("value", "low", "high")]
        points = [f"{rating[name]:.0f}" for name in ("value", "low", "high")] if rating else []
        level = one["level_share"]
        rows.append([
            str(one["rank"]),
            one["model"] + (" preliminary" if one["preliminary"] else ""),
            *([f"{points[0]} {points[1]} to {points[2]}"] if points else []),
            f"{percent[0]} % {percent[1]} to {percent[2]}",
            *([f"{100 * level['value']:.0f} % {100 * level['low']:.0f} to {100 * level['high']:.0f}"] if level else []),
            *(str(one[name]) for name in ("wins", "losses", "ties", "both_bad")),
        ])  # fmt: skip
    return rows


def counts(tab: object, width: int) -> list[list[str]]:
    return [row[:width] for row in table(tab)]


def pick(tab: object, label: str, option: str) -> None:
    tab.get_by_label(label, exact=True).click()
    tab.get_by_role("option", name=option, exact=True).click()


def says(tab: object, votes: object) -> None:
    """The line about what was read has that many votes."""
    playwright.expect(tab.locator(".board .status")).to_contain_text(
        re.compile(rf"^\s*{votes} votes? "), timeout=LONG_S
    )


def test_the_numbers_are_those_of_the_command_line(visit: Callable[..., object], place: Place) -> None:
    tab, found = opened(visit(place.url)), command(place)
    rows = expected(found)
    assert counts(tab, len(rows[0])) == rows
    says(tab, found["votes"])
    playwright.expect(tab.locator(".board .verdict")).to_contain_text("large")
    playwright.expect(tab.locator(".board .notes")).to_contain_text("The left side won")
    playwright.expect(tab.locator(".board .age")).to_contain_text(re.compile("just now|s ago"))
    assert tab.locator(".board b b").count() == 0  # a name is text


def test_every_chart_is_seen_and_says_in_words_what_it_shows(visit: Callable[..., object], place: Place) -> None:
    tab = opened(visit(place.url))
    figures = tab.locator("figure.chart")
    playwright.expect(figures).to_have_count(5)
    for number in range(5):
        (picture,) = [each for each in figures.nth(number).get_by_role("img").all() if each.is_visible()]
        box = picture.bounding_box()
        assert box["width"] > 400
        assert box["height"] > 100
        assert "large" in picture.get_attribute("aria-label")
        assert picture.locator("text").first.is_visible()
    assert "rating, Elo scale" in figures.nth(0).inner_text()
    assert "tokens per second, median" in figures.nth(2).inner_text()
    assert "peak memory, median, GB" in figures.nth(3).inner_text()


@pytest.mark.parametrize(
    ("label", "option", "flags"),
    [
        ("Subject", "Everyday", ("--subject", "Everyday")),
        ("Images", "with images", ("--images",)),
        ("Mode", "blind only", ("--blind",)),
        ("Paced", "together", ("--pacing", "together")),
        ("Language", "cyrillic script", ("--language", "cyrillic")),
    ],
)
def test_a_filter_changes_numbers_and_charts_as_its_flag_does(
    visit: Callable[..., object], place: Place, label: str, option: str, flags: tuple[str, ...]
) -> None:
    tab = opened(visit(place.url))
    before = tab.locator("figure.chart").first.get_by_role("img").first.get_attribute("aria-label")
    found = command(place, *flags)
    pick(tab, label, option)
    says(tab, found["votes"])
    rows = expected(found)
    assert counts(tab, len(rows[0])) == rows
    assert tab.locator("figure.chart").first.get_by_role("img").first.get_attribute("aria-label") != before


def test_sizes_and_dates_filter_too_and_a_wrong_date_is_told(visit: Callable[..., object], place: Place) -> None:
    tab = opened(visit(place.url))
    since = tab.get_by_label("Since", exact=True)
    since.fill("2026-11-15")
    since.press("Enter")
    says(tab, command(place, "--since", "2026-11-15")["votes"])
    since.fill("yesterday")
    since.press("Enter")
    playwright.expect(tab.get_by_role("alert").first).to_contain_text("Since must be a date", timeout=LONG_S)
    since.fill("")
    since.press("Enter")
    says(tab, 300)
    pick(tab, "Model size", "both under 1B")
    playwright.expect(tab.locator(".prose.board")).to_contain_text(
        "No counted vote fits these filters.", timeout=LONG_S
    )
    assert tab.locator("figure.chart").count() == 0


def test_tables_and_charts_can_be_taken_away(visit: Callable[..., object], place: Place) -> None:
    tab = opened(visit(place.url))
    with tab.expect_download(timeout=LONG_S) as taken:
        tab.get_by_role("button", name="Table as CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(taken.value.path()).read_text(encoding="utf-8"))))
    found = command(place)["models"]
    assert taken.value.suggested_filename == "standings.csv"
    assert [(row["model"], int(row["wins"])) for row in rows] == [(one["model"], one["wins"]) for one in found]
    for name in ("Intervals", "Matrix", "Speed", "Memory", "Style"):
        with tab.expect_download(timeout=LONG_S) as taken:
            tab.get_by_role("button", name=f"{name} as PNG").click()
        assert taken.value.suggested_filename == f"{name.lower()}.png"
        with Image.open(taken.value.path()) as picture:
            assert (picture.format, picture.width) == ("PNG", 1280)


def test_a_vote_that_was_cast_meanwhile_is_counted_when_asked_again(
    visit: Callable[..., object], tmp_path: Path
) -> None:
    path = tmp_path / "votes.csv"
    with site.app(tmp_path, models(tmp_path), "--left", "small", "--right", "large", "--votes", str(path)) as url:
        tab = opened(visit(url))
        playwright.expect(tab.locator(".prose.board")).to_contain_text("No votes yet.")
        stored.write(path, [stored.vote(0, "small", "large", "model_a")])
        tab.get_by_role("button", name="Count again").click()
        says(tab, 1)
        playwright.expect(tab.locator(".board .verdict")).to_contain_text("No preference is shown yet")
        playwright.expect(tab.locator("figure.chart")).to_have_count(2)
        assert tab.get_by_text("preliminary", exact=True).count() == 2
        path.write_text("date,amount\n")
        tab.get_by_role("button", name="Count again").click()
        playwright.expect(tab.get_by_role("alert").first).to_contain_text("not a votes file", timeout=LONG_S)


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (760, "light"), (1280, "dark")])
def test_no_width_or_scheme_makes_the_tab_scroll_sideways(
    visit: Callable[..., object], place: Place, width: int, scheme: str
) -> None:
    tab = opened(visit(place.url, width, 844, scheme))
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    for picture in tab.locator("figure.chart").get_by_role("img").all():
        if picture.is_visible():
            box = picture.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            size = picture.locator("text").first.evaluate("each => each.getBoundingClientRect().height")
            assert size >= 10  # px: it can be read
    ink = tab.locator("figure.chart text").first.evaluate("each => getComputedStyle(each).fill")
    light = sum(map(int, re.findall(r"\d+", ink)[:3])) > 380
    assert light is (scheme == "dark")
