"""One comparison as Markdown and as JSON: all of it, unharmed, and no picture's content."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from playground import report, votes
from playground.export import markdown, one
from playground.export.one import Picture, Saved
from playground.types import SIDES, Image, Interference, Memory, Message, ModelSpec, Sampling, Timing, Vote
from tests.fakes import answer, comparison

COMMONMARK = MarkdownIt("commonmark")
TEXTS = st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"])) | st.text("`~# \n>-|<ab")
"""A carriage return is a line end to Markdown, and a zero byte no character: a reader gives them back as others."""
SPECS = {
    "left": ModelSpec("small", "Small | 1B", "llama.cpp", quantization="Q4_1", source="/home/me/secret.gguf"),
    "right": ModelSpec("large", "Large", "openai", base_url="http://10.0.0.1/v1", api_key_env="MY_KEY"),
}


def saved(left: str = "four", right: str = "4", **about: Any) -> Saved:
    timing = Timing(ttft_s=0.25, total_s=2.0, decode_tokens_per_s=12.3)
    memory = Memory(peak_bytes=150_000_000, method="PSS")
    done = comparison(answer("small", left, timing=timing, memory=memory), answer("large", right))
    return Saved(done, SPECS, about.pop("prompt", "2 + 2?"), **about)


def cast(winner: str, **about: Any) -> Vote:
    return votes.new(winner, comparison(), blind=True, **about, prompt="2 + 2?")


def blocks(text: str) -> list[str]:
    """What a reader of CommonMark finds in fences, without the line end that each has."""
    return [token.content[:-1] for token in COMMONMARK.parse(text) if token.type == "fence"]


def headings(text: str) -> list[str]:
    tokens = COMMONMARK.parse(text)
    return [inside.content for token, inside in itertools.pairwise(tokens) if token.type == "heading_open"]


# -- Markdown --


@given(TEXTS)
def test_any_text_comes_out_of_its_fence_as_it_went_in(text: str):
    assert blocks(markdown.fenced(text)) == [text]


@given(TEXTS, TEXTS, TEXTS)
def test_prompt_and_both_answers_come_out_as_they_went_in_and_make_no_heading(prompt: str, left: str, right: str):
    text = markdown.comparison(saved(left, right, prompt=prompt))
    assert blocks(text) == [prompt, left, right]
    assert headings(text) == headings(markdown.comparison(saved()))


@given(st.text())
def test_a_title_is_one_line_of_plain_words(title: str):
    specs = {**SPECS, "left": replace(SPECS["left"], title=f"A {title}")}
    text = markdown.comparison(replace(saved(), models=specs))
    assert headings(text)[1:] == ["Prompt", *[h for h in headings(text) if h.startswith("Left")], *headings(text)[3:]]
    assert blocks(text) == ["2 + 2?", "four", "4"]
    (rendered,) = MarkdownIt("commonmark").parseInline(markdown.inline(title))
    assert "".join(child.content for child in rendered.children) == " ".join(title.split()).replace("\0", "\ufffd")


@pytest.mark.parametrize("text", ["```", "````\n```", "~~~", "a ``` b ```` c", "```python\nx\n```", "\n\n", "", " \t"])
def test_fences_within_answers_end_nothing(text: str):
    assert blocks(markdown.comparison(saved(text, text))) == ["2 + 2?", text, text]


def test_all_that_belongs_to_a_comparison_is_in_it():
    text = markdown.comparison(
        saved(
            pictures=(Picture("cat_1.png", "ab12"),),
            system={"left": "Be brief.", "right": "Be brief."},
            sampling={"left": Sampling(0.7, max_tokens=9), "right": Sampling(thinking=False)},
            earlier={"left": (Message("user", "Hello"), Message("assistant", "Hi"))},
            turn=2,
            vote=cast("model_b", reason="a `b`\nc"),
            not_counted_reason="voted faster than one can read",
        )
    )
    assert headings(text) == [
        *("Small \\| 1B and Large, side by side", "Earlier, left", "Prompt"),
        *("Left: Small \\| 1B", "System prompt, left", "Answer, left"),
        *("Right: Large", "System prompt, right", "Answer, right", "Figures", "Settings", "Vote", "Reason"),
    ]
    assert blocks(text) == ["Hello", "Hi", "2 + 2?", "Be brief.", "four", "Be brief.", "4", "a `b`\nc"]
    assert "- Image cat\\_1.png, SHA-256 ab12" in text
    assert "| first token | 0.25 s | – |" in text
    assert "| peak memory | 150 MB | – |" in text
    assert "| temperature | 0.7 | the server's own |" in text
    assert "Right is better. Cast at 20" in text
    assert "Z, names hidden. Not counted: voted faster than one can read." in text


def test_what_else_ran_and_how_many_threads_a_model_had_are_told():
    shares = Interference(0.34, 0.45, 0.04, 0.01)
    left = answer("small", "four", interference=shares, threads=3)
    text = markdown.comparison(replace(saved(), comparison=comparison(left, answer("large", "4"))))
    assert "| waited for CPU | 34 % | – |" in text
    assert "| used by others | 45 % | – |" in text
    assert "Disturbed 45 % by other programs." in text
    assert ", 3 CPU threads. Done" in text
    assert text.count("CPU thread") == 1


def test_a_failed_side_says_why_in_one_line():
    broken = replace(answer("large", ""), status="failed", error="The server\nsaid *500*.", finish_reason="error")
    text = markdown.comparison(replace(saved(), comparison=comparison(answer("small", "four"), broken)))
    assert "Failed (error). The server said \\*500\\*." in text
    assert blocks(text) == ["2 + 2?", "four"]


def test_thinking_stands_apart_from_the_answer():
    text = markdown.comparison(
        replace(saved(), comparison=comparison(answer("small", "4", reasoning="hm"), answer("large", "4")))
    )
    assert blocks(text) == ["2 + 2?", "hm", "4", "4"]


# -- JSON --


@given(st.text(), st.text())
def test_json_gives_back_what_was_asked_and_answered(prompt: str, left: str):
    found = json.loads(one.as_json(saved(left, prompt=prompt)))
    assert (found["prompt"], found["left"]["text"]) == (prompt, left)


def test_json_is_the_report_with_what_was_asked_set_and_voted():
    whole = saved(
        sampling={"left": Sampling(0.7)},
        pictures=(Picture("cat.png", "ab12"),),
        earlier={"left": (Message("user", "Look", (Image(b"PNG", "image/png", 1, 1, "cd34"),)),)},
        vote=cast("tie", reason="both short"),
    )
    found = json.loads(one.as_json(whole))
    assert found.items() >= json.loads(json.dumps(report.comparison(whole.comparison))).items()
    assert found["settings"]["left"]["temperature"] == 0.7
    assert found["settings"]["right"]["temperature"] is None
    assert found["images"] == [{"name": "cat.png", "sha256": "ab12"}]
    assert found["earlier"]["left"] == [{"role": "user", "text": "Look", "images": ["cd34"]}]
    about = {"winner": "tie", "blind": True, "reason": "both short", "counted": True, "not_counted_reason": ""}
    assert found["vote"].items() >= about.items()
    assert found["battle_id"] == whole.comparison.battle_id


def test_without_a_vote_there_is_none():
    assert json.loads(one.as_json(saved()))["vote"] is None
    assert "No vote." in markdown.comparison(saved())


@pytest.mark.parametrize("write", [one.as_json, markdown.comparison])
def test_no_path_no_address_and_no_key_leaves_with_it(write: Any):
    text = write(saved())
    assert [word for word in ("/home/me", "10.0.0.1", "MY_KEY") if word in text] == []
    assert all(SPECS[side].key in text for side in SIDES)
