"""What is true of thinking in text: marks of every family part it from the answer, however the text is split."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.engines.pieces import scalar
from playground.engines.transcript import Text, Transcript
from playground.types import Delta, Revised
from tests.engines.pieces import kept

GPT_OSS = "openai/gpt-oss-20b"
HARMONY = "<|channel|>analysis<|message|>Hm<|end|><|start|>assistant<|channel|>final<|message|>Hi"


def said(parts: Sequence[str], model: str = "", *, opened: bool = False, cut_short: bool = False) -> list[Text]:
    transcript = Transcript(model, opened=opened)
    found = [text for n, part in enumerate(parts) for text in transcript.say(part, float(n))]
    return [*found, *transcript.end(cut_short)]


def parted(whole: str, model: str = "", **how: bool) -> tuple[str, str]:
    """Thinking and answer, which are the same in one piece and in pieces of one and of three characters."""
    found = kept(said([whole], model, **how))
    assert kept(said(list(whole), model, **how)) == found
    assert kept(said([whole[n : n + 3] for n in range(0, len(whole), 3)], model, **how)) == found
    return found


# --- marks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "whole"),
    [
        ("", "<think>Hm</think>\n\nHi"),
        ("", "\n<think>\nHm\n</think>Hi"),
        ("", "<THINK>Hm</THINK>Hi"),
        ("", "<think>\n<think>\nHm</think>Hi"),
        ("", "<think>Hm</think>\n</think>\n\nHi"),
        ("", "<thinking>\nHm\n</thinking>\n\nHi"),
        ("", "<thought>Hm</thought>Hi"),
        ("", "<reasoning>Hm</reasoning>Hi"),
        ("ByteDance-Seed/Seed-OSS-36B", "<seed:think>Hm</seed:think>Hi"),
        ("MiniMax-M3", "<mm:think>Hm</mm:think>Hi"),
        ("LongCat", "<longcat_think>Hm</longcat_think>\nHi"),
        ("Kimi-VL-A3B-Thinking", "◁think▷Hm◁/think▷Hi"),
        ("mistralai/Magistral-Small", "[THINK]Hm[/THINK]Hi"),
        ("google/gemma-4-31b-it", "<|channel>thought\nHm\n<channel|>Hi<turn|>"),
        ("google/gemma-4-31b-it", "thought\nHm\n<channel|>Hi"),
        ("google/medgemma-27b", "<unused94>thought\nHm<unused95>Hi"),
        ("command-a-reasoning", "<|START_THINKING|>Hm<|END_THINKING|><|START_RESPONSE|>Hi<|END_RESPONSE|>"),
        ("OpenThinker", "<|begin_of_thought|>\nHm\n<|end_of_thought|>\n<|begin_of_solution|>\nHi<|end_of_solution|>"),
        ("Apertus", "<|inner_prefix|>Hm<|inner_suffix|>Hi"),
        ("Hunyuan-A13B", "<think>\nHm\n</think>\n<answer>\nHi</answer>"),
        ("ERNIE-4.5", "<think>Hm</think>\n\n<response>\nHi</response>\n"),
        ("solar-open", "<|think|>Hm<|end|><|start|>assistant<|message|>Hi"),
        (GPT_OSS, HARMONY),
        ("any name", HARMONY + "<|return|>"),
        ("", "<|start|>assistant" + HARMONY),
        ("", HARMONY.replace("<|start|>assistant", "")),
        ("", HARMONY.replace("final<", "final <|constrain|>text<")),
        ("", HARMONY.removeprefix("<|channel|>")),
        ("", "<|channel|>analysis<|message|>Hm<|end|>Hi"),
        ("", "<|start|>assistant to=self<|message|>Hm<|eom|><|start|>assistant to=user<|message|>Hi<|eot|>"),
        (GPT_OSS, "analysisHm.assistantfinalHi".replace("Hm.", "Hm")),
        ("mlx-community/gpt-oss-120b-MXFP4", "analysisHmassistantfinalHi"),
        ("ibm-granite/granite-3.3-8b", "Here is my thought process:\nHm\nHere is my response:\n\nHi"),
        ("ServiceNow/Apriel-15b", "Here are my reasoning steps:\nHm\n[BEGIN FINAL RESPONSE]\nHi[END FINAL RESPONSE]"),
        ("", "<|im_start|>assistant\n<think>Hm</think>Hi<|im_end|>"),
        ("", "<|start_header_id|>assistant<|end_header_id|>\n\n<think>Hm</think>Hi<|eot_id|>"),
    ],
)
def test_each_family_marks_its_thoughts_in_its_own_way(model: str, whole: str) -> None:
    assert parted(whole, model) == ("Hm", "Hi")


@pytest.mark.parametrize(
    "whole",
    [
        "2 plus 2.\n</think>\n\nHi",
        "2 plus 2.</think>Hi",
        "2 plus 2.\n\n</think>\n\n</think>\nHi",
        "2 plus 2.\n</thinking>\nHi",
        "2 plus 2.</seed:think>Hi",
        "2 plus 2.[/THINK]Hi",
        "2 plus 2.◁/think▷Hi",
        "2 plus 2.\n<channel|>Hi",
        "2 plus 2.<|END_THINKING|><|START_RESPONSE|>Hi",
        "2 plus 2.<|end|><|start|>assistant<|channel|>final<|message|>Hi",
    ],
)
def test_a_closing_mark_alone_makes_thinking_of_what_stood_before_it(whole: str) -> None:
    assert parted(whole) == ("2 plus 2.", "Hi")
    assert parted(whole, opened=True) == ("2 plus 2.", "Hi")


def test_words_that_could_be_text_count_only_with_the_family_that_writes_them() -> None:
    for whole in ("analysisHm.assistantfinalHi", "thought\nHm", "Here is my thought process:\nHm"):
        assert parted(whole, "qwen3") == ("", whole)
    assert parted("analysis of the text", GPT_OSS) == ("", "analysis of the text")
    assert parted("Analysis", GPT_OSS) == ("", "Analysis")
    assert parted("thought-provoking", "gemma-4") == ("", "thought-provoking")


def test_a_label_without_a_thought_is_dropped_and_what_follows_is_the_answer() -> None:
    assert parted("thought\nHi there", "gemma-4") == ("", "Hi there")


def test_what_is_said_for_a_tool_is_shown_nowhere_and_a_word_before_it_is() -> None:
    call = "<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>"
    final = "<|start|>assistant<|channel|>final<|message|>Done."
    assert parted(f"<|channel|>commentary<|message|>I look.<|end|>{call}{final}") == ("", "I look.\n\nDone.")


@pytest.mark.parametrize(
    ("whole", "thought", "answer"),
    [
        ("<think>\n\n</think>\n\nHi", "", "Hi"),
        ("</think>\n\nHi", "", "Hi"),
        ("<think>a<think>b</think>c</think>Hi", "abc", "Hi"),
        ("<think>a</think>b\n</think>\n\nHi", "ab", "Hi"),
        ("<think>a</think><think>b</think>Hi", "ab", "Hi"),
        ("Sure.\n<think>\nHm\n</think>\n\nHi", "Hm", "Sure.\nHi"),
        ("<think>Hm < a </think> b </think>", "Hm < a", "b </think>"),
        ("Hi</think>", "", "Hi"),
        ("<think>I end with `</think>` then</think>Hi", "I end with `</think>` then", "Hi"),
        ("  plain", "", "  plain"),
        ("<thi", "", "<thi"),
        ("a < b and [x] ◁", "", "a < b and [x] ◁"),
        ("<s>old</s>", "", "<s>old</s>"),
        ("a <|im_end|> b", "", "a <|im_end|> b"),
        ("<answer>4</answer>", "", "<answer>4</answer>"),
        ("<|channel|>odd", "", "<|channel|>odd"),
    ],
)
def test_thought_stands_apart_from_answer_and_marks_nowhere(whole: str, thought: str, answer: str) -> None:
    assert parted(whole) == (thought, answer)


@pytest.mark.parametrize(
    "whole",
    [
        "The tag <think>",
        "It opens with <think> and closes with </think> again.",
        "Write `</think>` to close.\nThen go on.",
        'The "</think>" tag ends it, said he.',
        "```\nHm\n</think>\n\nHi\n```\nThat was it.",
        "~~~xml\n<think>\n</think>\n~~~\nok",
        "Use `<|im_end|>` here.",
        "`<|channel|>final<|message|>` begins an answer.",
    ],
)
def test_an_answer_that_speaks_about_marks_stays_whole(whole: str) -> None:
    assert parted(whole) == ("", whole)


def test_what_a_model_that_should_think_does_not_mark_is_its_answer() -> None:
    assert parted("Paris.", opened=True) == ("", "Paris.")
    assert parted("Paris.\n", opened=True) == ("", "Paris.\n")
    assert parted("cut off </thi", opened=True, cut_short=True) == ("cut off </thi", "")
    assert parted("<think>cut off", cut_short=True) == ("cut off", "")


MARKS = [
    "<think>",
    "</think>",
    "<",
    "/",
    "think>",
    " ",
    "\n",
    "word",
    "<thi",
    "`",
    "```",
    "<|im_end|>",
    "</s>",
    "[THINK]",
]
MARKS += [
    "[/THINK]",
    "<|channel|>",
    "analysis",
    "final",
    "<|message|>",
    "<|start|>",
    "<|end|>",
    "assistant",
    " " * 20,
    ".",
]


@given(st.lists(st.sampled_from(MARKS), max_size=14), st.booleans(), st.sampled_from(["", GPT_OSS, "gemma-4"]))
def test_any_split_of_the_text_parts_it_alike(parts: list[str], opened: bool, model: str) -> None:
    whole = "".join(parts)
    found = kept(said([whole], model, opened=opened))
    assert kept(said(parts, model, opened=opened)) == found
    assert kept(said(list(whole), model, opened=opened)) == found


@given(st.text(max_size=200), st.lists(st.integers(0, 200), max_size=6))
def test_text_without_marks_comes_out_as_it_went_in(whole: str, cuts: list[int]) -> None:
    whole = scalar(whole).replace("<", "").replace("[", "")
    edges = [0, *sorted(cuts), len(whole)]
    assert kept(said([whole[a:b] for a, b in pairwise(edges)])) == ("", whole)


# --- fields ----------------------------------------------------------------------------------------------------------


def both(*steps: tuple[str, str]) -> tuple[str, str]:
    """Thinking and answer of steps that say ("t", text of the field for thinking) or ("a", text of the other)."""
    transcript, found = Transcript(), list[Text]()
    for n, (field, text) in enumerate(steps):
        found += transcript.think(text, float(n)) if field == "t" else transcript.say(text, float(n))
    found += transcript.end()
    assert found == sorted(found, key=lambda each: each.at_s if isinstance(each, Delta) else -1) or any(
        isinstance(each, Revised) for each in found
    )
    return kept(found)


@pytest.mark.parametrize(
    "steps",
    [
        [("t", "Hm"), ("a", "</think>\n\nHi")],
        [("t", "Hm"), ("a", "\n"), ("a", "</thi"), ("a", "nk>"), ("a", "\n\nHi")],
        [("t", "<think>\nHm\n</think>"), ("a", "\n\nHi")],
        [("t", "<think>"), ("t", "Hm"), ("a", "Hi")],
        [("t", "Hm\n</think>\n\nHi")],
        [("t", "Hm"), ("t", "</think>"), ("t", "H"), ("t", "i")],
        [("a", "<think>"), ("t", "\n"), ("t", "Hm"), ("a", "</think>"), ("a", "\n\nHi")],
        [("a", "<think>"), ("t", "Hm"), ("a", "Hi")],
        [("t", "Hm"), ("a", "<think>Hm</think>\n\nHi")],
        [("t", "H"), ("a", "<think>\nH"), ("t", "m"), ("a", "m"), ("a", "\n</think>\n\nHi")],
        [("t", "Hm<|end|>"), ("a", "<|start|>assistant<|channel|>final<|message|>Hi")],
        [("t", "[THINK]Hm[/THINK]"), ("a", "Hi")],
    ],
)
def test_marks_are_dropped_although_thinking_has_a_field_of_its_own(steps: list[tuple[str, str]]) -> None:
    thought, answer = both(*steps)
    assert (thought.strip(), answer) == ("Hm", "Hi")


def test_a_thought_in_its_field_may_speak_about_marks() -> None:
    spoken = "I could write </think> here, or `</think>`."
    assert both(("t", spoken), ("a", "Hi")) == (spoken, "Hi")


def test_two_thoughts_one_in_its_field_and_one_in_marks_are_both_kept() -> None:
    assert both(("t", "One."), ("a", "<think>Two.</think>Hi")) == ("One.Two.", "Hi")


# --- stamps ----------------------------------------------------------------------------------------------------------


def stamps(*parts: str, model: str = "") -> list[tuple[str, float, bool]]:
    return [(each.text, each.at_s, each.reasoning) for each in said(parts, model) if isinstance(each, Delta)]


def test_text_that_was_held_back_keeps_the_stamp_it_came_with() -> None:
    assert stamps("\n", "Hi") == [("\n", 0.0, False), ("Hi", 1.0, False)]
    assert stamps("a ", "<", "div", ">", " b") == [
        *(("a ", 0.0, False), ("<", 1.0, False), ("div", 2.0, False), (">", 3.0, False), (" b", 4.0, False))
    ]
    assert stamps("<think>", "Hm.\n", "\n", "So.", "</think>", "\n\n", "Hi") == [
        *(("Hm.", 1.0, True), ("\n\n", 2.0, True), ("So.", 3.0, True), ("Hi", 6.0, False))
    ]


def test_a_chunk_is_one_delta_also_where_its_end_may_begin_a_mark() -> None:
    assert stamps("if a <", " b:\n", " c") == [("if a <", 0.0, False), (" b:\n", 1.0, False), (" c", 2.0, False)]


def test_an_answer_begins_with_the_chunk_in_which_its_text_first_shows() -> None:
    *_, revised, delta = said(["2 plus 2.\n", "</think>", "\n\n", "Hi"])
    assert revised == Revised("", "2 plus 2.", None)
    assert delta == Delta("Hi", 3.0)
    assert said(["Pa", "ris."], opened=True)[-1] == Revised("Paris.", "", 0.0)


def test_a_count_goes_with_the_text_that_it_is_of() -> None:
    transcript = Transcript()
    found = [
        *transcript.say("Hm</think>Hi", 1.0, 10),
        *transcript.say(" the", 2.0, 11),
        *transcript.say("re <", 3.0, 13),
    ]
    found += [*transcript.say("b> ok\n", 4.0, 15), *transcript.end()]
    counts = [(each.text, each.tokens) for each in found if isinstance(each, Delta)]
    assert counts == [("Hm", None), ("Hi", 10), (" the", 11), ("re <", 13), ("b> ok\n", 15)]
    thoughts = [each for n, part in enumerate(("a.\n", "b")) for each in transcript.think(part, 5.0 + n, 20 + n)]
    assert [(each.text, each.tokens) for each in thoughts if isinstance(each, Delta)] == [("a.", None), ("\nb", 21)]


# --- cost ------------------------------------------------------------------------------------------------------------


def steps_of(work: Callable[[], object]) -> int:
    """Lines of our code that ran, which a faster or slower machine does not change."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> object:
        nonlocal count
        if "playground" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(None)
    return count


@pytest.mark.parametrize(
    "token",
    ["word ", "<", "a <b> ", "\n", "</think>x", "<think>", "<|im_end|>", "`</think>` ", "[", "<|channel|>", "a"],
)
@pytest.mark.parametrize("before", ["", "<think>"])
def test_a_token_costs_the_same_whatever_came_before_it(token: str, before: str) -> None:
    def cost(tokens: int) -> int:
        return steps_of(lambda: said([before, *[token] * tokens], GPT_OSS))

    few, many = cost(200), cost(2000)
    assert many < 13 * few


@pytest.mark.parametrize("token", ["</think>x", "<|im_end|>", "<think>", "<", "\n", "analysis", "<|channel|>"])
def test_a_long_text_in_one_piece_costs_what_it_is_long(token: str) -> None:
    few, many = (steps_of(lambda n=n: said([token * n], GPT_OSS)) for n in (1000, 10_000))  # type: ignore[misc]
    assert many < 13 * few
