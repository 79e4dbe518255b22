"""What values look like on the page: nothing of a person or a model becomes markup, and what is unknown says so."""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.pairs import Pair
from playground.types import (
    SIDES,
    Answer,
    Comparison,
    EngineState,
    Interference,
    Loading,
    Memory,
    Message,
    ModelSpec,
    Prompt,
    Stamps,
    Timing,
    Usage,
)
from playground.ui import booth, show
from playground.ui.pace import BUDGET_PER_S, FASTEST_PER_S, Pace
from playground.votes import Receipt
from playground.votes.guards import Check

DONE = Answer(
    "m", status="done", text="Hello", finish_reason="stop",
    stamps=Stamps(0.0, 0.5, 0.5, 1.0, chunks=2),
    timing=Timing(ttft_s=0.5, total_s=1.0, decode_tokens_per_s=86.0),
    usage=Usage(10, 0, 21, None, "server"), memory=Memory(1, 237_000_000, 2, None, "PSS"),
)  # fmt: skip
PAIR = Comparison("b", "in_turn", "left", DONE, replace(DONE, timing=Timing(ttft_s=0.25)))
SPEC = ModelSpec("k", "A title", "llama.cpp", quantization="Q4", parameters_b=0.135)


class Tags(HTMLParser):
    """The tags and the text of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(min_size=1))
def test_no_text_of_a_person_or_a_model_becomes_markup(text: str) -> None:
    shown = [
        (show.problem, text),
        (lambda t: show.pane(Answer("m", status="failed", error=t)), text),
        (lambda t: show.asked(Prompt(t, look_for=t), [], 1), text),
        (lambda t: show.card(replace(SPEC, quantization=t), EngineState("failed", error=t)), text),
        (lambda t: show.why(Pair("a", "b", t)), text),
        (lambda t: booth.note(None, t, error=t), text),
    ]
    for make, value in shown:
        assert Tags(make(value)).tags == Tags(make("x" * 3)).tags


def test_a_long_prompt_is_shown_in_part_with_its_length() -> None:
    html = show.asked(Prompt("x" * 1_000_000), [], 1)
    assert len(html) < 5_000
    assert "1,000,000 characters in all" in html


def values(answer: Answer, spec: ModelSpec | None = SPEC) -> dict[str, str]:
    return show.side_values("left", answer, spec)


def test_thinking_stands_apart_with_its_duration_and_is_open_while_it_lasts() -> None:
    stamps = Stamps(0.0, 0.5, 2.0, 2.5, chunks=4)
    thought = values(replace(DONE, reasoning="hm", stamps=stamps))
    assert (thought["thought"], thought["thought-label"]) == ("folded", "Thought for 1.5 s")
    now = values(replace(DONE, reasoning="hm", text="", status="thinking"))
    assert (now["thought"], now["thought-label"]) == ("open", "Thinking…")
    assert (values(DONE)["thought"], values(DONE)["thought-label"]) == ("", "")


def test_an_answer_carries_the_name_of_the_model_that_wrote_it_and_a_hidden_one_does_not() -> None:
    spec = replace(SPEC, title="A <b> title", engine="llama.cpp", quantization="Q4")
    assert values(DONE, spec)["by"] == "A &lt;b&gt; title <small>llama.cpp · Q4</small>"
    assert values(DONE, None)["by"] == "Left: a hidden model"


def test_an_answer_can_be_copied_as_it_was_written_when_it_has_ended() -> None:
    assert values(replace(DONE, text="**a**"))["source"] == "**a**"
    assert values(replace(DONE, status="writing"))["source"] == ""


def test_every_value_has_its_place_in_the_page() -> None:
    shells = "".join(
        [show.tape_shell(), *(make(side) for make in (show.answer_shell, show.foot_shell) for side in SIDES)]
    )
    places = set(re.findall(r'data-(?:live|cell|thought|copies)="([^"]+)"', shells))
    sent = {f"{side}.{key}" for side in SIDES for key in show.side_values(side, DONE, SPEC)}
    sent |= set(show.race_values(PAIR) | show.glance_values(PAIR))
    on_body = {"race", "sealed", "left.status", "right.status"}
    assert sent - on_body == places
    assert set(re.findall(r'data-blocks="([^"]+)"', shells)) == {
        f"{s}.{t}" for s in SIDES for t in ("text", "thought-text")
    }


def test_figures_face_each_other_and_the_longer_bar_is_the_larger_value() -> None:
    cells = show.glance_values(PAIR)
    assert cells["cell.0.left"][:3] == ["0.50", "s", 100]
    assert cells["cell.0.right"][:3] == ["0.25", "s", 50]


def test_an_unknown_figure_is_a_dash_with_its_reason() -> None:
    nothing = Answer("m", elsewhere=True, status="done", memory=Memory(reason="runs elsewhere"))
    text, unit, width, why = show.glance_values(replace(PAIR, left=nothing))["cell.3.left"]
    assert (text, unit, width) == ("–", "", 0)
    assert "Runs elsewhere." in why


def test_while_names_are_sealed_how_they_ran_is_not_told() -> None:
    assert show.race_values(PAIR, sealed=True)["pacing"] == "Names and figures come with your vote."


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        ("writing", "reading", ""),
        ("done", "writing", "Left answered."),
        ("done", "done", "Left answered. Right answered. Both answered: which is better?"),
        ("failed", "stopped", "Left failed. Right was stopped."),
    ],
)
def test_a_screen_reader_is_told_who_has_ended(left: str, right: str, said: str) -> None:
    assert show.said(replace(PAIR, left=replace(DONE, status=left), right=replace(DONE, status=right))) == said


def test_earlier_turns_are_rendered_as_answers_are_and_questions_stay_as_typed() -> None:
    html = show.earlier([Message("user", "**a** <b>"), Message("assistant", "**a** <b>\x00")], "left")
    assert "**a** &lt;b&gt;</div>" in html
    assert "<strong>a</strong> &lt;b&gt;\ufffd" in html


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("writing", "done", "Vote when both answers are finished."),
        ("done", "done", "are written to here.csv"),
        ("stopped", "done", "not counted: left stopped"),
    ],
)
def test_the_line_under_the_votes_says_what_is_possible_and_why(left: str, right: str, expected: str) -> None:
    now = replace(PAIR, left=replace(DONE, status=left), right=replace(DONE, status=right))
    assert expected in Tags(booth.note(now, "here.csv")).text


def test_when_neither_side_said_a_word_there_is_nothing_to_vote_on() -> None:
    now = replace(PAIR, left=Answer("m", status="failed"), right=Answer("m", status="stopped"))
    assert not booth.can_vote(now)
    assert "nothing to vote on" in booth.note(now, "here.csv")


@pytest.mark.parametrize(
    ("receipt", "expected"),
    [
        (Receipt("", (Check("haste", "ok"),)), "Thank you. Your vote is in here.csv."),
        (Receipt("voted too fast"), "kept, but not counted: voted too fast."),
        (Receipt("", (Check("rate", "unchecked"), Check("haste", "ok"))), "It counts; how often you vote could not"),
    ],
)
def test_the_thanks_say_whether_the_vote_counts_or_could_not_be_checked(receipt: Receipt, expected: str) -> None:
    assert expected in Tags(booth.thanks("here.csv", receipt)).text


def test_loading_shows_percent_and_bytes() -> None:
    html = show.pane(Answer("m", status="loading", loading=Loading("fetching", 43_000_000, 100_000_000, "bytes")))
    assert "43 %" in html
    assert "43 MB of 100 MB" in html
    assert "beware" not in html


def test_what_the_person_should_know_while_it_comes_is_text() -> None:
    html = show.pane(Answer("m", status="loading", loading=Loading("fetching", note="Nearly <b>full.")))
    assert '<span class="beware">Nearly &lt;b&gt;full.</span>' in html


def test_an_answer_that_was_cut_says_so() -> None:
    cut = replace(DONE, finish_reason="length")
    assert "cut off at max tokens" in show.foot(cut)


@pytest.mark.parametrize("watchers", [1, 5, 25, 100])
def test_updates_are_at_most_15_a_second_and_share_a_budget(watchers: int) -> None:
    pace = Pace()
    with ExitStack() as stack:
        for _ in range(watchers):
            stack.enter_context(pace.watching())
        per_second = 1 / pace.every_s()
    assert per_second <= FASTEST_PER_S
    assert per_second * watchers <= BUDGET_PER_S + 1e-6
    assert pace.every_s() == pytest.approx(1 / FASTEST_PER_S)


def test_what_a_server_says_of_itself_stands_beside_our_own_figures() -> None:
    timings = {"predicted_per_second": 85.6, "prompt_per_second": 1234.4, "cache_n": 7.0}
    told = replace(DONE, server=timings, usage=Usage(10, 0, 21, 7, "server"))
    text = Tags(show.all_figures(replace(PAIR, left=told))).text
    assert "86 tok/sserver's own speed–" in text
    assert "1,234 tok/sserver's reading speed–" in text
    assert "7 tokprompt tokens from a cache–" in text


def test_where_no_server_says_anything_of_itself_there_is_no_line_for_it() -> None:
    text = Tags(show.all_figures(PAIR)).text
    assert "server's" not in text
    assert "cache" not in text


@pytest.mark.parametrize(
    ("url", "said"), [("http://127.0.0.1:8000", "a server of this machine"), ("https://api.example.org", "elsewhere")]
)
def test_a_card_tells_a_server_of_this_machine_from_one_elsewhere(url: str, said: str):
    spec = ModelSpec("m", "M", "openai", "x", base_url=url)
    assert f">{said}<" in show.card(spec, EngineState("elsewhere"))


CALM = replace(DONE, interference=Interference(0.01, 0.1, 0.05, 0.0))
CLAIM = "everything else took at most 10 % of the CPUs"


def test_the_line_above_the_figures_claims_of_the_machine_only_what_was_measured_of_both():
    said = show.pacing(Comparison("b", "in_turn", "right", CALM, CALM))
    assert f"one after the other, right first; {CLAIM}" in said
    together = show.pacing(Comparison("b", "together", "left", CALM, CALM))
    assert "asked at the same time" in together
    assert CLAIM not in together


@pytest.mark.parametrize(
    "other",
    [
        DONE,
        replace(DONE, elsewhere=True),
        replace(DONE, interference=Interference(0.01, None, reason="too short")),
        replace(DONE, interference=Interference(None, 0.01, reason="no schedstat")),
        replace(DONE, interference=Interference(0.2, 0.01)),
        replace(DONE, interference=Interference(0.01, 0.2)),
        replace(CALM, status="writing"),
    ],
    ids=["nothing", "elsewhere", "half", "the other half", "waited", "others", "not yet"],
)
def test_where_one_side_was_disturbed_or_not_measured_nothing_is_claimed(other: Answer):
    for left, right in ((CALM, other), (other, CALM)):
        assert show.pacing(Comparison("b", "in_turn", "left", left, right)) == "one after the other, left first"
