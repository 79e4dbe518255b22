"""The list of models as HTML: what each row says and offers. Whatever stands in a row is text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from playground.fit import Fit
from playground.inventory import Bar, Inventory, Part, Row
from playground.memory import Held
from playground.types import EngineState, ModelSpec
from playground.ui import shelf

SPEC = ModelSpec("m-1", "M One", "llama.cpp", "o/n/f.gguf", quantization="Q4_K_M", parameters_b=9)
NEEDS = Fit("tight", 6_000_000_000, 600_000_000, 200_000_000, 7_000_000_000, "ram", "Set its context_tokens to 4,096.",
            "It needs", 16384)  # fmt: skip
ROW = Row(SPEC, EngineState("not_loaded"), NEEDS)
BAR = Bar("RAM", 10, (Part("<b>M</b>", "model", 4), Part("free", "free", 6)))


def text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def listed(row: Row, *, fixed: bool = False) -> str:
    found = Inventory((row,), ())
    return shelf.top(found, "", shelf.FIXED if fixed else shelf.OWNERS) + shelf.rest(
        found, "", shelf.FIXED if fixed else shelf.OWNERS
    )


def button(html: str) -> str:
    found = re.search(r'<button[^>]*aria-label="([^"]*)"', html)
    return found[1] if found else ""


@pytest.mark.parametrize(
    ("about", "says", "offers"),
    [
        ({}, "to be fetched", "Fetch M One"),
        ({"fetch_bytes": 5_680_000_000}, "5.68 GB to fetch", "Fetch M One"),
        ({"present": True}, "not loaded", "Load M One"),
        ({"state": EngineState("ready"), "held": Held(237_000_000)}, "ready tight", "Unload M One"),
        ({"state": EngineState("ready"), "held": Held(237_000_000)}, "237 MB in memory", "Unload M One"),
        (
            {"state": EngineState("ready"), "held": Held(1_000_000_000, 0, 4_000_000_000)},
            "5.00 GB of it 4.00 GB on the GPU",
            "Unload M One",
        ),
        ({"state": EngineState("ready"), "answering": True, "idle_s": 0.0}, "asked just now", "Unload M One"),
        ({"state": EngineState("failed", error="It was killed.")}, "It was killed.", "Load again M One"),
        ({"state": EngineState("loading", "weights", 3, 12)}, "weights 25 % 3 of 12", "Cancel M One"),
        ({"state": EngineState("loading", "fetching", note="Nearly full <.")}, "Nearly full &lt;.", "Cancel M One"),
        (
            {"state": EngineState("loading", "fetching", 10**9, 4 * 10**9, unit="bytes", left_s=40.0)},
            "fetching 25 % · about 40 s left 1.00 GB of 4.00 GB",
            "Cancel M One",
        ),
    ],
)
def test_a_row_says_where_its_model_is_and_offers_what_can_be_done(about: dict[str, object], says: str, offers: str):
    html = listed(replace(ROW, **about))
    assert says in text(html)
    assert button(html) == offers


def test_a_model_that_answers_cannot_be_unloaded():
    assert re.search("<button[^>]* disabled ", listed(replace(ROW, state=EngineState("ready"), answering=True)))


def test_the_verdict_has_its_numbers_and_the_next_step_behind_it():
    assert "cache for 16,384 tokens 600 MB run time 200 MB together 6.80 GB free in memory 7.00 GB Set its" in text(
        listed(ROW)
    )


@pytest.mark.parametrize(
    ("spec", "lacks", "says"),
    [
        (replace(SPEC, engine="openai", base_url="https://far.example/v1"), "FAR_KEY", "needs FAR_KEY"),
        (replace(SPEC, engine="openai", base_url="https://far.example/v1"), "", "far.example"),
        (replace(SPEC, engine="openai", base_url="http://127.0.0.1:8000/v1"), "", "server at 127.0.0.1:8000"),
        (replace(SPEC, engine="replay"), "", "recording"),
    ],
)
def test_what_runs_elsewhere_says_where_and_is_not_loaded(spec: ModelSpec, lacks: str, says: str):
    html = listed(Row(spec, EngineState("elsewhere"), Fit("fits", where="elsewhere"), lacks=lacks))
    assert says in text(html)
    assert button(html) == ""


def test_where_nothing_can_be_loaded_there_are_no_buttons():
    assert button(listed(ROW, fixed=True)) == ""


@pytest.mark.parametrize(
    ("words", "there"),
    [("", True), ("one LLAMA", True), ("q4 m-1", True), ("images", False), ("text", True), ("bf16", False)],
)
def test_a_filter_keeps_rows_that_have_all_its_words(words: str, there: bool):
    html = shelf.rest(Inventory((ROW,), ()), words, shelf.OWNERS)
    assert ("M One" in html) is there
    assert there or "Clear the filter" in html


def test_whatever_stands_in_a_row_is_text():
    evil = replace(SPEC, title='<img src=x onerror="a">', key='"><script>', quantization="<i>", family="<u>")
    html = listed(replace(ROW, spec=evil, state=EngineState("failed", error="<script>alert(1)</script>")))
    html += shelf.top(Inventory((), (BAR,)), "", shelf.OWNERS)
    assert not re.search("<(img|script|u>|i>|b>M)", html)


def test_the_bar_is_told_in_words_too():
    html = shelf.top(Inventory((), (BAR,)), "", shelf.OWNERS)
    assert 'style="width:40.00%"' in html
    assert 'aria-label="&lt;b&gt;M&lt;/b&gt; 0 kB, free 0 kB"' in html


@pytest.mark.parametrize(
    ("idle_s", "said"), [(3, "just now"), (42, "40 s ago"), (600, "10 min ago"), (9000, "2 h ago")]
)
def test_last_use_is_told_in_words(idle_s: float, said: str):
    assert shelf.ago(idle_s) == said
