"""What a conversation costs: the cache that transformers really fills, tensor by tensor, is what `fit` says."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest

from playground.fit import known
from playground.fit.cache import kv_bytes
from playground.fit.config import text
from tests import checkpoints


def filled(model: Any, tokens: int) -> int:
    """Bytes of the cache after a prompt and five more tokens: `tokens` in all."""
    import torch
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)
    # transformers before 5.24 knows it by the older name alone
    name = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
    with torch.no_grad():
        ids = torch.ones((1, tokens - 5), dtype=torch.long)
        model(input_ids=ids, use_cache=True, **{name: cache})
        for _ in range(5):
            model(input_ids=ids[:, :1], use_cache=True, **{name: cache})
    return sum(tensor.numel() * tensor.element_size() for layer in cache.layers for tensor in tensors(layer))


def tensors(layer: Any) -> list[Any]:
    """What one layer of the cache keeps."""
    states = [*getattr(layer, "conv_states", {}).values()] if hasattr(layer, "conv_states") else []
    states += [*getattr(layer, "recurrent_states", {}).values()] if hasattr(layer, "recurrent_states") else []
    both = [getattr(layer, "keys", None), getattr(layer, "values", None)]
    return [tensor for tensor in [*states, *both] if tensor is not None]


SMALL = {"vocab_size": 64, "hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4, "head_dim": 32}
WINDOWED = {**SMALL, "num_key_value_heads": 2, "sliding_window": 16}


def configs() -> list[tuple[str, str, Any]]:
    import transformers as t

    linear = {"linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 16}
    return [
        (
            "full attention, grouped",
            "LlamaForCausalLM",
            t.LlamaConfig(**SMALL, num_hidden_layers=3, num_key_value_heads=1),
        ),
        ("every layer a window", "MistralForCausalLM", t.MistralConfig(**WINDOWED, num_hidden_layers=2)),
        (
            "every second a window",
            "GptOssForCausalLM",
            t.GptOssConfig(**WINDOWED, num_hidden_layers=4, num_local_experts=4),
        ),
        ("five of six a window", "Gemma3ForCausalLM", t.Gemma3TextConfig(**WINDOWED, num_hidden_layers=7)),
        (
            "three of four a state",
            "Qwen3_5ForConditionalGeneration",
            checkpoints.qwen3_5(
                **SMALL, num_hidden_layers=8, num_key_value_heads=2, linear_value_head_dim=24, **linear
            ),
        ),
    ]


@pytest.mark.parametrize("tokens", [7, 16, 90])
@pytest.mark.parametrize("case", range(5))
def test_the_cache_has_the_bytes_that_are_said_of_it(case: int, tokens: int):
    import torch
    import transformers

    words, name, config = configs()[case]
    model = getattr(transformers, name)(config).to(torch.bfloat16).eval()
    said = json.loads(config.to_json_string(use_diff=False)) | {"dtype": "bfloat16"}
    assert kv_bytes(text(said), tokens) == filled(model, tokens), words


def test_qwen3_5_9b_keeps_32_kib_a_token_where_the_naive_formula_says_128():
    shape = text(known.shapes()["qwen/qwen3.5-9b"].config)
    per_token = (kv_bytes(shape, 20_000) - kv_bytes(shape, 10_000)) / 10_000
    assert per_token == 32 * 1024
    assert len(shape.kinds) * 2 * shape.kv_heads * shape.head_dim * 2 == 128 * 1024


def test_gpt_oss_120b_keeps_36_kib_a_token_beyond_its_windows():
    shape = text(known.shapes()["openai/gpt-oss-120b"].config)
    assert (kv_bytes(shape, 20_000) - kv_bytes(shape, 10_000)) / 10_000 == 36 * 1024


def test_llama_cpp_reserves_the_whole_context_and_a_window_with_one_batch():
    shape = text(known.shapes()["google/gemma-3-4b-it"].config)
    cell = 2 * shape.kv_heads * shape.head_dim * 2
    full, sliding = shape.kinds.count("full"), shape.kinds.count("sliding")
    assert (full, sliding) == (5, 29)
    assert kv_bytes(shape, 8000, "llama.cpp") == cell * (full * 8192 + sliding * 1536)
    assert kv_bytes(shape, 1000, "llama.cpp") == cell * (full + sliding) * 1024
