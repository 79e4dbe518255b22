"""Models without a chat template continue text; one whose template raises says so in its own words. Real servers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from playground import asking, headers, weights
from playground.compare import Race
from playground.engines.base import Engine
from playground.engines.llama import LlamaEngine
from playground.engines.replay import ReplayEngine
from playground.engines.serve import TransformersEngine
from playground.entrant import Entrant
from playground.errors import PromptError
from playground.types import Answer, Finished, Image, Message, ModelSpec, Sampling
from tests import checkpoints
from tests.weights_fixture import Q4, smollm2_cache

__all__ = ["smollm2_cache"]
GREEDY = Sampling(temperature=0.0, max_tokens=8, thinking=True)
ONE = (Message("user", "The capital of France is"),)
TURNS = (Message("system", "A list."), *ONE, Message("assistant", " Paris."), Message("user", "Of Italy:"))
REFUSES = "{% if messages|length > 1 %}{{ raise_exception('Only one turn, please') }}{% endif %}"
WHOLE = "A list.\n\nThe capital of France is Paris.\n\nOf Italy:"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[Path], Engine]]:
    """Opens engines by what their weights are, each of them closed in the end."""
    engines: list[Engine] = []

    def engine(source: Path, **row: bool) -> Engine:
        llama = source.suffix == ".gguf"
        name = "llama.cpp" if llama else "transformers"
        spec = ModelSpec("mine", "Mine", name, source=str(source), context_tokens=1024, thinking=True, **row)  # type: ignore[arg-type]
        engines.append((LlamaEngine if llama else TransformersEngine)(spec, tmp_path, threads=1))
        return engines[-1]

    yield engine
    for each in engines:
        each.close()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return checkpoints.architecture("llama", tmp_path / "llama")


def raced(engine: Engine, messages: tuple[Message, ...], tmp_path: Path) -> tuple[Answer, Answer]:
    """That model and a recording, asked the same."""
    said = {"schema": 1, "answers": [{"events": [[0, "text", "Certainly."]]}]}
    (tmp_path / "said.json").write_text(json.dumps(said))
    other = ReplayEngine(ModelSpec("said", "Said", "replay", source=str(tmp_path / "said.json")))
    race = Race(
        {"left": Entrant(engine, messages, GREEDY), "right": Entrant(other, messages, GREEDY)}, "in_turn", "left"
    )
    for _ in race.snapshots():
        pass
    return race.now.left, race.now.right


def prompt_tokens(engine: Engine, messages: tuple[Message, ...]) -> tuple[int | None, int | None]:
    """What the server read, and what we count."""
    for _ in engine.prepare():
        pass
    *_, last = engine.stream(messages, GREEDY)
    assert isinstance(last, Finished)
    return last.usage.prompt_tokens, engine.count_tokens(messages)


def test_a_checkpoint_without_a_template_continues_the_text_and_says_so(checkpoint: Path, opened, tmp_path: Path):
    engine = opened(checkpoint)
    with_template, _ = raced(engine, ONE, tmp_path)
    assert (with_template.status, with_template.notice) == ("done", "")
    (checkpoint / "chat_template.jinja").unlink()
    engine.close()
    left, right = raced(engine, ONE, tmp_path)
    assert (left.status, left.error, right.status) == ("done", "", "done")
    assert left.text
    assert left.notice == asking.CONTINUES_NOTICE
    assert left.usage.source == "server"
    read = AutoTokenizer.from_pretrained(checkpoint)
    assert left.usage.prompt_tokens == len(read(ONE[0].text)["input_ids"]) != with_template.usage.prompt_tokens
    assert prompt_tokens(engine, TURNS) == (len(read(WHOLE)["input_ids"]),) * 2


def test_a_base_model_that_could_see_is_shown_no_picture(tmp_path: Path, opened):
    seer = checkpoints.architecture("qwen3_5", tmp_path / "seer")
    (seer / "chat_template.jinja").unlink()
    engine = opened(seer, reads_images=True)
    assert prompt_tokens(engine, ONE) == (len(AutoTokenizer.from_pretrained(seer)(ONE[0].text)["input_ids"]),) * 2
    image = Image(b"", "image/png", 1, 1, "0" * 64)
    with pytest.raises(PromptError, match=r"Mine has no chat template, so .* cannot be shown images\. Take them out"):
        list(engine.stream((Message("user", "What is this?", (image,)),), GREEDY))


def test_a_template_that_raises_is_quoted_and_the_other_side_goes_on(checkpoint: Path, opened, tmp_path: Path):
    file = checkpoint / "chat_template.jinja"
    file.write_text(REFUSES + file.read_text())
    engine = opened(checkpoint)
    refused, other = raced(engine, TURNS, tmp_path)
    assert_told(refused)
    assert (other.status, other.text) == ("done", "Certainly.")
    assert raced(engine, ONE, tmp_path)[0].status == "done"


def assert_told(answer: Answer) -> None:
    assert answer.status == "failed"
    assert answer.error == (
        'The chat template of Mine does not take this conversation: "Only one turn, please". Change what it names (the '
        "system prompt, the order of turns), begin a new conversation, or choose another model."
    )


# --- the same on llama.cpp --------------------------------------------------------------------------------------------


@pytest.fixture
def rewritten(smollm2_cache: Path, tmp_path: Path) -> Callable[[str], Path]:
    """SmolLM2's GGUF with another template of the same length; "" takes it out."""
    source = weights.locate(Q4, smollm2_cache)
    assert source
    data = source.read_bytes()
    old = headers.values(source)["tokenizer.chat_template"].encode()

    def write(template: str) -> Path:
        new = template.encode() + b"{#" + b" " * (len(old) - len(template) - 4) + b"#}"
        before, after = (old, new) if template else (b"tokenizer.chat_template", b"tokenizer.chat_nothing_")
        assert len(before) == len(after)
        (tmp_path / "other.gguf").write_bytes(data.replace(before, after))
        return tmp_path / "other.gguf"

    return write


@pytest.mark.weights
def test_a_gguf_without_a_template_continues_the_text_where_llama_cpp_would_make_up_a_template(
    rewritten: Callable[[str], Path], opened, tmp_path: Path
):
    engine = opened(rewritten(""))
    left, _ = raced(engine, ONE, tmp_path)
    assert (left.status, left.notice) == ("done", asking.CONTINUES_NOTICE)
    assert left.text.startswith(" Paris")
    assert left.usage.prompt_tokens == 5
    assert prompt_tokens(engine, TURNS) == (17, 17)


@pytest.mark.weights
def test_a_template_of_a_gguf_that_raises_is_quoted(rewritten: Callable[[str], Path], opened, tmp_path: Path):
    engine = opened(rewritten(REFUSES + "{% for m in messages %}{{ m.content }}{% endfor %}"))
    first, other = raced(engine, TURNS, tmp_path)
    assert_told(first)
    assert other.status == "done"
    assert raced(engine, ONE, tmp_path)[0].status == "done"


# --- and in the app's own process -------------------------------------------------------------------------------------


def test_where_a_gpu_is_lent_the_same_holds(checkpoint: Path, tmp_path: Path):
    from playground.engines.zerogpu import ZeroGPUEngine

    template = checkpoint / "chat_template.jinja"
    whole = template.read_text()
    for text, notice in ((REFUSES + whole, ""), ("", asking.CONTINUES_NOTICE)):
        template.write_text(text) if text else template.unlink()
        engine = ZeroGPUEngine(ModelSpec("mine", "Mine", "transformers", source=str(checkpoint)), tmp_path)
        answer, other = raced(engine, TURNS, tmp_path)
        assert (engine.notice(), other.status) == (notice, "done")
        if notice:
            words = AutoTokenizer.from_pretrained(checkpoint)(WHOLE)["input_ids"]
            assert (answer.status, answer.notice, answer.usage.prompt_tokens) == ("done", notice, len(words))
        else:
            assert_told(answer)
        engine.close()
