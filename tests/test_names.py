"""By which words a model gives itself away, and by which it does not."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground import catalog
from playground.names import _sentence as sentence
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
        (QWEN, "I am qwen2.", "qwen"),
        (QWEN, "I am Q\u200bwen.", "Qwen"),
        (QWEN, "I am \uff31\uff57\uff45\uff4e.", "Qwen"),
        (QWEN, "我是Qwen。", "Qwen"),
        (QWEN, "I'm a model that was trained by Alibaba Cloud.", "Alibaba Cloud"),
        (LLAMA, "I'm an AI model called Llama.", "Llama"),
        (LLAMA, "I am a large language model that was trained by Meta", "Meta"),
        (LLAMA, "Llama 3.1 says: four.", "Llama"),
        (LLAMA, "llama-3.1 says: four.", "llama"),
        (GPT, "My name is ChatGPT? No: my name is GPT.", "ChatGPT"),
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
        (QWEN, "Ask qwen2 about it"),
        (QWEN, 'She said: "I am Qwen, your captain."'),
        (QWEN, "```\nprint('I am Qwen')\n```"),
        (LLAMA, "I am a llama and live in Peru."),
    ],
)
def test_words_of_the_language_and_other_models_are_let_pass(spec: ModelSpec, text: str) -> None:
    assert told(text, spec) == ""


@pytest.mark.parametrize(
    ("prompt", "found"),
    [("Who are you?", "Qwen"), ("Are you Qwen?", ""), ("Say: I am \uff31\uff57\uff45\uff4e", "")],
)
def test_a_name_that_the_prompt_has_tells_nothing(prompt: str, found: str) -> None:
    assert told("I am Qwen.", QWEN, prompt) == found


@pytest.mark.parametrize("spec", list(catalog.load()), ids=lambda spec: spec.key)
def test_no_row_of_ours_is_told_by_a_common_word(spec: ModelSpec) -> None:
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
    assert not common & names(spec)
    assert all(len(word) > 1 and not word.isdigit() for word in names(spec))


def test_every_row_of_ours_is_told_by_some_word() -> None:
    assert [spec.key for spec in catalog.load() if not names(spec)] == []


@given(st.text(), st.sampled_from([QWEN, LLAMA, GPT, SMALL, OWN]))
def test_what_is_found_is_a_name_of_the_model(text: str, spec: ModelSpec) -> None:
    found = told(f"I am {text}", spec)
    assert not found or any(found.casefold().replace("-", " ").startswith(n.replace("-", " ")) for n in names(spec))


@given(st.text(alphabet=" ,:()*_'", max_size=6), st.sampled_from(["Qwen", "qwen3.5", "QWEN"]))
def test_a_name_is_found_between_any_signs(signs: str, word: str) -> None:
    assert told(f"I am{signs} {word}{signs}", QWEN)


PLAIN = "small large model the a red square is I am it says four"


@given(st.lists(st.sampled_from(PLAIN.split()), max_size=60))
def test_plain_talk_gives_nobody_away(words: list[str]) -> None:
    assert [spec.key for spec in (QWEN, LLAMA, GPT, OWN) if told(" ".join(words), spec)] == []


@pytest.mark.parametrize("text", ["I am I am " * 20_000, "I am a Meta " * 10_000, "Llama " * 40_000, '"I ' * 50_000])
def test_a_long_answer_costs_in_proportion_to_its_length(text: str) -> None:
    """Counted, not timed: what is looked at beside a name has a limit."""
    told(text, LLAMA)
    before, after = sentence(text, len(text) // 2, len(text) // 2)
    assert len(before) + len(after) <= 2 * 200


# --- how often it is wrong --------------------------------------------------------------------------------------------

ROOT = Path(__file__).parents[1]
LIST = ROOT / "tests" / "data" / "self_identification.csv"
MODELS = {
    "Qwen": ("Qwen3.5 9B", "Qwen/Qwen3.5-9B", "Alibaba"),
    "Llama": ("Llama 3.1 8B", "meta-llama/Llama-3.1-8B-Instruct", "Meta"),
    "gpt-oss": ("gpt-oss 120B", "openai/gpt-oss-120b", "OpenAI"),
    "Gemma": ("Gemma 3 4B", "google/gemma-3-4b-it", "Google"),
    "Mistral": ("Mistral 7B", "mistralai/Mistral-7B-Instruct-v0.3", "Mistral AI"),
    "SmolLM2": ("SmolLM2 135M", "HuggingFaceTB/SmolLM2-135M-Instruct", "Hugging Face"),
}


def wrong(half: str, kind: str) -> tuple[int, int]:
    """How many texts of that kind are judged wrongly, of how many."""
    with LIST.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["half"], row["kind"]) == (half, kind)]
    specs = {
        family: ModelSpec(family, title, "openai", family=family, repository=repository, maker=maker)
        for family, (title, repository, maker) in MODELS.items()
    }
    judged = [bool(told(row["text"], specs[row["family"]])) != (kind == "names") for row in rows]
    return sum(judged), len(judged)


@pytest.mark.parametrize(("half", "kind"), list(itertools.product(["dev", "held"], ["names", "innocent"])))
def test_the_error_rates_are_those_that_the_docs_state(half: str, kind: str) -> None:
    errors, texts = wrong(half, kind)
    said = "while the rules were written" if half == "dev" else "held out"
    line = next(line for line in (ROOT / "docs" / "votes.md").read_text("utf-8").splitlines() if f"| {said} |" in line)
    assert f"{errors} of {texts}" in line.split("|")[2 if kind == "names" else 3]
