"""Charts show the numbers of the standings and nothing surer: looked at in the figures, not in pixels."""

from __future__ import annotations

import io
import re
import threading
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from PIL import Image

from playground import standings
from playground.standings import charts, drawing, words
from playground.standings.drawing import PAPER
from playground.standings.values import Figures, Rating, Share, Standing, Standings
from tests import stored
from tests.test_standings import EMPTY, of, row, won

WIDE, NARROW = 560, 330


def named(found: Standings) -> dict[str, charts.Chart]:
    return {chart.name: chart for chart in charts.of(found)}


def axes(chart: charts.Chart, width: int = WIDE) -> Axes:
    return drawing.figure(chart.draw, width, chart.height(width), PAPER).axes[0]


def counted(rows: list[dict[str, object]]) -> Standings:
    written = [{**EMPTY, **{name: "" if v is None else str(v) for name, v in one.items()}} for one in rows]
    return standings.of([{**one, "counted": "true", "blind": one["blind"].lower()} for one in written], rounds=50)


@pytest.fixture(scope="module")
def three() -> Standings:
    return counted(stored.simulated({"small": 0, "middle": 150, "large": 300}, 300))


def marks(found: Axes) -> list[tuple[float, float]]:
    """Where marks stand."""
    return [(line.get_xdata()[0], line.get_ydata()[0]) for line in found.lines if line.get_marker() in ("o", "D")]


def texts(found: Axes) -> list[str]:
    return [text.get_text() for text in found.texts]


# -- what there is --


def test_no_votes_make_no_chart_and_one_vote_makes_two():
    assert charts.of(of()) == ()
    assert list(named(of(row("a", "b", "model_a")))) == ["intervals", "matrix"]


def test_with_figures_and_enough_votes_there_are_five(three: Standings):
    assert list(named(three)) == ["intervals", "matrix", "speed", "memory", "style"]


# -- intervals --


def test_a_mark_and_its_interval_are_those_of_the_table(three: Standings):
    found = axes(named(three)["intervals"])
    assert marks(found) == [(one.rating.value, place) for place, one in enumerate(three.models) if one.rating]
    drawn = [list(line.get_xdata()) for line in found.lines]
    assert all([one.rating.low, one.rating.high] in drawn for one in three.models if one.rating)
    assert [label.get_text() for label in found.get_yticklabels()] == [one.model for one in three.models]
    assert found.get_xlabel() == "rating, Elo scale"
    assert found.get_ylim()[0] > found.get_ylim()[1]  # best on top


def test_two_models_are_shown_by_their_shares_from_0_to_100_percent():
    found = axes(named(of(*won("a", "b", 12), *won("b", "a", 6)))["intervals"])
    assert marks(found) == [(pytest.approx(66.667, abs=0.001), 0), (pytest.approx(33.333, abs=0.001), 1)]
    assert found.get_xlim() == (-3, 103)
    assert found.get_xlabel() == "win share of decisive votes, %"


def test_a_preliminary_mark_is_hollow_and_another_is_full():
    for votes, expected in ((29, PAPER.paper), (30, PAPER.model)):
        found = axes(named(of(*won("a", "b", votes)))["intervals"])
        faces = {to_hex(line.get_markerfacecolor()) for line in found.lines if line.get_marker() == "o"}
        assert faces == {expected}


def test_a_model_without_a_decisive_vote_has_no_mark():
    found = axes(named(of(row("a", "b", "tie")))["intervals"])
    assert marks(found) == []
    assert [label.get_text() for label in found.get_yticklabels()] == ["a", "b"]


# -- who beats whom --


def cells(found: Axes) -> dict[tuple[float, float], str]:
    return {text.get_position(): text.get_text() for text in found.texts}


def test_a_cell_is_the_rows_share_against_the_column():
    found = axes(named(of(*won("a", "b", 3), *won("b", "a", 1), *won("b", "c", 2)))["matrix"])
    names = [label.get_text().split()[0] for label in found.get_yticklabels()]
    place = {name: number for number, name in enumerate(names)}
    said = cells(found)
    assert said[place["b"], place["a"]] == "75 %\nof 4"
    assert said[place["a"], place["b"]] == "25 %\nof 4"
    assert said[place["c"], place["b"]] == "100 %\nof 2"
    assert said[place["c"], place["a"]] == "–"
    assert (place["a"], place["a"]) not in said


@pytest.mark.parametrize(
    ("share", "low", "high", "sure"),
    [(1, 0.21, 1, 0), (0.6, 0.49, 0.7, 0), (0.7, 0.6, 0.78, 0.2), (0.3, 0.22, 0.4, -0.2), (0, 0, 0.16, -0.68)],
)
def test_colour_follows_the_end_of_the_interval_that_is_nearer_to_one_half(
    share: float, low: float, high: float, sure: float
):
    assert charts.sureness(Share(share, low, high, 10)) == pytest.approx(sure)


def test_one_win_of_one_has_no_colour():
    coloured = [
        patch.get_facecolor()
        for patch in axes(named(of(*won("a", "b", 1)))["matrix"]).patches
        if to_hex(patch.get_facecolor()) in (PAPER.model, PAPER.less)
    ]
    assert coloured == []
    both = axes(named(of(*won("a", "b", 20)))["matrix"]).patches
    assert {to_hex(patch.get_facecolor()) for patch in both} >= {PAPER.model, PAPER.less}


# -- what it costs --


def test_points_are_medians_against_preference(three: Standings):
    for name, value in (
        ("speed", lambda one: one.figures.decode_tokens_per_s),
        ("memory", lambda one: one.figures.peak_bytes / 1e9),
    ):
        found = axes(named(three)[name])
        assert marks(found) == [(value(one), one.rating.value) for one in three.models if one.rating]
        assert sorted(texts(found)) == ["large", "middle", "small"]
        assert found.get_ylabel() == "rating, Elo scale"
        assert found.get_xlabel() in ("tokens per second, median", "peak memory, median, GB")


def test_a_model_without_a_figure_is_named_and_with_one_left_there_is_no_chart(three: Standings):
    first, *rest = three.models
    without = replace(three, models=(replace(first, figures=Figures()), *rest))
    chart = named(without)["speed"]
    assert len(marks(axes(chart))) == 2
    assert f"Not shown, for want of a figure or of a decisive vote: {first.model}." in chart.note
    alone = replace(three, models=(first, *(replace(one, figures=Figures()) for one in rest)))
    assert "speed" not in named(alone)


def standing(name: str, value: float, speed: float, **about: object) -> Standing:
    given = {"rank": 1, "votes": 99, "wins": 50, "losses": 49, "ties": 0, "both_bad": 0, "share": None}
    rating = Rating(value, value - 40, value + 40)
    figures = Figures(decode_tokens_per_s=speed, peak_bytes=2e9)
    rest = {"level_share": None, "rating": rating, "preliminary": False, "figures": figures}
    return Standing(name, **{**given, **rest, **about})


def test_costs_far_apart_are_on_a_logarithmic_axis_that_says_so(three: Standings):
    near = replace(three, models=(standing("a", 1100, 10), standing("b", 900, 40)), pairs=(), style=None)
    far = replace(near, models=(standing("a", 1100, 1), standing("b", 900, 90)))
    assert axes(named(near)["speed"]).get_xscale() == "linear"
    assert axes(named(far)["speed"]).get_xscale() == "log"
    assert axes(named(far)["speed"]).get_xlabel().endswith("(logarithmic)")


def test_names_of_points_that_stand_close_do_not_cover_each_other(three: Standings):
    close = [standing(f"model-{n}", 1000 + 15 * n, 30 + 0.4 * n) for n in range(4)]
    found = drawing.figure(named(replace(three, models=tuple(close), pairs=()))["speed"].draw, WIDE, 370, PAPER)
    boxes = [text.get_window_extent() for text in found.axes[0].texts]
    assert len(boxes) == 4
    assert not any(one.overlaps(other) for n, one in enumerate(boxes) for other in boxes[:n])


def test_on_a_narrow_page_many_models_are_numbered_as_in_the_matrix(three: Standings):
    many = replace(three, models=tuple(standing(f"m{n}", 1000 - n, 10 + n) for n in range(10)), pairs=(), style=None)
    chart = named(many)["speed"]
    assert set(texts(axes(chart, NARROW))) == {str(n) for n in range(1, 11)}
    assert set(texts(axes(chart, WIDE))) == {f"m{n}" for n in range(10)}
    assert "numbers stand for names" in chart.note


# -- style --


def test_shares_as_counted_stand_above_those_at_equal_style(three: Standings):
    found = axes(named(three)["style"])
    one = three.models[0]
    assert one.share
    assert one.level_share
    assert (100 * one.share.value, -0.16) in marks(found)
    assert (100 * one.level_share.value, 0.16) in marks(found)


# -- pictures --


@pytest.mark.parametrize("name", ["intervals", "matrix", "speed", "memory", "style"])
def test_the_pages_svg_has_a_name_its_words_as_words_and_the_pages_colours_only(three: Standings, name: str):
    chart = named(three)[name]
    for width in (WIDE, NARROW):
        drawn = drawing.svg(chart.draw, width, chart.height(width), chart.words)
        root = ET.fromstring(drawn.replace("var(--", "var-").replace(")", ""))
        assert root.get("role") == "img"
        assert root.get("aria-label")
        assert root.get("viewBox") == f"0 0 {width} {chart.height(width)}"
        said = " ".join(root.itertext())
        assert "large" in said
        assert drawn.count("var(--ink)") > 0
        assert {colour for colour in re.findall(r"#[0-9a-f]{6}", drawn) if colour != "#ffffff"} == set()


def test_words_for_who_cannot_see_hold_the_numbers(three: Standings):
    for chart in charts.of(three):
        assert all(one.model in chart.words for one in three.models)
    assert "1" in named(three)["intervals"].words
    assert "of 1 against" in named(of(row("a", "b", "model_a")))["matrix"].words


@pytest.mark.parametrize("name", ["intervals", "speed", "style"])
def test_a_png_has_the_width_it_should_and_something_on_it(three: Standings, name: str):
    chart = named(three)[name]
    data = drawing.png(chart.draw, chart.height(drawing.PNG_WIDTH), chart.title, "300 votes")
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format == "PNG"
        assert picture.width == drawing.PNG_WIDTH * drawing.PNG_SCALE
        colours = {to_hex([c / 255 for c in rgb]) for _, rgb in picture.convert("RGB").getcolors(1 << 20) or ()}
        assert {PAPER.paper, PAPER.ink, PAPER.model} <= colours


def test_any_name_can_be_drawn():
    strange = ["$x^2$", '<script>alert("1")</script>', "模型一号", "a\nb", "x" * 300, "=1+1"]
    found = of(*(row(one, "plain", "model_a") for one in strange))
    for chart in charts.of(found):
        drawn = drawing.svg(chart.draw, WIDE, chart.height(WIDE), chart.words)
        assert "<script" not in drawn
        ET.fromstring(drawn.replace("var(--", "var-").replace(")", ""))
        assert drawing.png(chart.draw, chart.height(WIDE), chart.title, "").startswith(b"\x89PNG")


def test_a_long_name_keeps_its_beginning_and_its_end():
    assert drawing.shortened("qwen3.5-9b-instruct-q4", 15) == "qwen3.5…ruct-q4"
    assert drawing.shortened("short", 15) == "short"
    assert len(drawing.shortened("x" * 99, 20)) == 20


def test_many_threads_may_draw_at_once(three: Standings):
    chart, drawn = named(three)["intervals"], []

    def draw() -> None:
        drawn.append(drawing.svg(chart.draw, WIDE, 200, "words"))

    workers = [threading.Thread(target=draw) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len({re.sub(r"[a-z][0-9a-f]{9,}", "", one) for one in drawn}) == 1


# -- the verdict --


def test_the_verdict_is_no_surer_than_the_interval():
    assert words.verdict(of()) == "No votes that count yet."
    assert words.verdict(of(row("a", "b", "tie"))).startswith("No decisive vote yet")
    one = words.verdict(of(row("a", "b", "model_a")))
    assert (
        one
        == "No preference is shown yet: a won 100 % (21 to 100) of 1 decisive vote, and the interval holds one half."
    )
    assert words.verdict(of(*won("a", "b", 5), *won("b", "a", 5))).startswith("a and b are level: 50 %")
    assert (
        words.verdict(of(*won("a", "b", 20))) == "a is preferred to b: it won 100 % (84 to 100) of 20 decisive votes."
    )


def test_the_verdict_of_two_says_what_the_preferred_one_costs():
    cells = {"decode_tokens_per_s_a": "20", "decode_tokens_per_s_b": "50", "peak_bytes_a": "3e9", "peak_bytes_b": "1e9"}
    said = words.verdict(of(*(row("large", "small", "model_a", **cells) for _ in range(20))))
    assert said.endswith("It writes 0.4 times as fast and holds 3 times the memory.")


def test_the_verdict_of_many_names_who_is_not_told_apart():
    clear = of(*won("a", "b", 60), *won("a", "c", 60), *won("b", "c", 30), *won("c", "b", 30))
    assert words.verdict(clear) == "a is ahead of both others."
    close = of(*won("a", "b", 6), *won("b", "a", 3), *won("a", "c", 30), *won("b", "c", 30))
    assert words.verdict(close) == "a ranks first, but its interval overlaps with that of b."
