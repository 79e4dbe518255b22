"""By which words a model gives itself away, and by which it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground import catalog
from playground.names import names, told
from playground.types import ModelSpec

QWEN = ModelSpec(
    "qwen",
    "Qwen3.5 9B · 4-bit, llama.cpp",
    "llama.cpp",
    family="Qwen3.5",
    repository="Qwen/Qwen3.5-9B",
    maker="Alibaba",
)
LLAMA = ModelSpec(
    "llama", "Llama 3.1 8B", "transformers", family="Llama", repository="meta-llama/Llama-3.1-8B-Instruct"
)
GPT = ModelSpec("gpt", "gpt-oss 20B", "openai", family="gpt-oss", repository="openai/gpt-oss-20b")
SMALL = ModelSpec("small", "Shapes small · demo model, knows shapes, digits and bars", "transformers", family="Shapes")
OWN = ModelSpec("own", "My server", "openai", source="acme/RoadRunner2-7B-chat")


@pytest.mark.parametrize(
    ("spec", "text", "found"),
    [
        (QWEN, "I am Qwen, made by Alibaba Cloud.", "Qwen"),
        (QWEN, "As QWEN3.5 I would say four.", "QWEN3.5"),
        (QWEN, "Ask qwen2 about it", "qwen"),
        (QWEN, "我是Qwen。", "Qwen"),
        (QWEN, "I'm a model that was trained by Alibaba Cloud.", "Alibaba"),
        (LLAMA, "I'm an AI model called Llama.", "Llama"),
        (LLAMA, "I am a large language model that was trained by Meta", "Meta"),
        (LLAMA, "Llama 3.1 says: four.", "Llama 3.1"),
        (LLAMA, "llama-3.1 says: four.", "llama-3.1"),
        (GPT, "My name is ChatGPT? No: my name is GPT.", "GPT"),
        (GPT, "This is gpt-oss speaking.", "gpt-oss"),
        (GPT, "I was developed by OpenAI.", "OpenAI"),
        (OWN, "RoadRunner at your service.", "RoadRunner"),
        (OWN, "I was made by ACME.", "ACME"),
    ],
)
def test_a_model_that_names_itself_or_its_maker_is_noticed(spec: ModelSpec, text: str, found: str) -> None:
    assert told(text, spec) == found


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (QWEN, "Four, as 9B of them said in 4-bit arithmetic."),
        (LLAMA, "A llama eats grass. Metaphors and metabolism are words. Llamas, too."),
        (LLAMA, "I am glad you ask. A llama is an animal of the Andes."),
        (GPT, "The open AI movement is large."),
        (SMALL, "There are two shapes: a small red circle and a large blue square. I am sure."),
        (OWN, "My server is down. Chat with me."),
        (QWEN, "I am Llama, trained by Meta."),
        (QWEN, "Alibaba was founded in 1999."),
    ],
)
def test_words_of_the_language_and_other_models_are_let_pass(spec: ModelSpec, text: str) -> None:
    assert told(text, spec) == ""


@pytest.mark.parametrize("spec", list(catalog.load()), ids=lambda spec: spec.key)
def test_no_row_of_ours_is_told_by_a_common_word(spec: ModelSpec) -> None:
    known = names(spec)
    common = {
        "small",
        "large",
        "model",
        "instruct",
        "base",
        "server",
        "4-bit",
        "bf16",
        "hugging",
        "face",
        "the",
        "port",
    }
    assert not common & (known.anywhere | known.of_self)
    assert all(len(word) > 2 and not word.isdigit() for word in known.anywhere | known.of_self)


def test_every_row_of_ours_is_told_by_some_word() -> None:
    assert [spec.key for spec in catalog.load() if names(spec) == names(ModelSpec("k", "", "openai"))] == []


@given(st.text(), st.sampled_from([QWEN, LLAMA, GPT, SMALL, OWN]))
def test_what_is_found_stands_in_the_text(text: str, spec: ModelSpec) -> None:
    assert told(text, spec) in text


@given(st.text(alphabet=" ,;:()*\n\"'。，", max_size=20), st.sampled_from(["Qwen", "qwen3.5", "QWEN"]))
def test_a_telling_word_is_found_between_any_signs(signs: str, word: str) -> None:
    assert told(f"Well{signs} {word}{signs}", QWEN) == word


PLAIN = "small large model the a red square is I am it says four"


@given(st.lists(st.sampled_from(PLAIN.split()), max_size=60))
def test_plain_talk_gives_nobody_away(words: list[str]) -> None:
    assert [spec.key for spec in (QWEN, LLAMA, GPT, SMALL, OWN) if told(" ".join(words), spec)] == []


def test_a_long_answer_full_of_beginnings_is_read_in_time() -> None:
    assert told("I am I am " * 20_000, LLAMA) == ""
