"""Knows what the header of a GGUF file says of a model's shape, in the words of a config.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playground import headers

NAMES = {
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "context_length": "max_position_embeddings",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.sliding_window": "sliding_window",
    "attention.kv_lora_rank": "kv_lora_rank",
    "attention.shared_kv_layers": "num_kv_shared_layers",
    "full_attention_interval": "full_attention_interval",
    "ssm.conv_kernel": "linear_conv_kernel_dim",
    "ssm.state_size": "linear_key_head_dim",
    "ssm.group_count": "linear_num_key_heads",
    "ssm.time_step_rank": "linear_num_value_heads",
    "expert_used_count": "num_experts_per_tok",
    "expert_feed_forward_length": "moe_intermediate_size",
    "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
}
TYPES = {
    "llama": "llama",
    "qwen3": "qwen3",
    "qwen35": "qwen3_5_text",
    "qwen35moe": "qwen3_5_moe_text",
    "gemma3": "gemma3_text",
    "gpt-oss": "gpt_oss",
}


def config(path: Path) -> dict[str, Any] | None:
    """Its shape as a config.json would say it; None for what is no such file."""
    said = headers.values(path)
    if not said:
        return None
    family = str(said.get("general.architecture", ""))
    found = {
        ours: max(value) if isinstance(value, list) else value  # a list has one number a layer, 0 where it keeps none
        for theirs, ours in NAMES.items()
        if (value := said.get(f"{family}.{theirs}")) not in (None, [])
    }
    if "linear_key_head_dim" in found:
        found["linear_value_head_dim"] = found["linear_key_head_dim"]
    if family not in TYPES:  # how its windows lie is not known: all layers count as full
        found.pop("sliding_window", None)
    return found | {"model_type": TYPES.get(family, family), "vocab_size": said.get("tokenizer.ggml.tokens")}
