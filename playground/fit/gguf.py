"""Knows what the header of a GGUF file says of a model's shape, in the words of a config.json. Reads no tensor.

The `gguf` package's reader takes seconds for a vocabulary; this one steps over it.
"""

from __future__ import annotations

import mmap
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

KINDS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Values of one size, by their number in the format; 8 is a text, 9 a list."""

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


def config(path: Path) -> dict[str, Any]:
    """Its shape as a config.json would say it. Raises OSError, ValueError, struct.error for what is no such file."""
    said = _said(path)
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


def said(path: Path) -> dict[str, Any]:
    """Names and values in the file's header (see `header`); nothing for what is no such file."""
    with suppress(OSError, ValueError, LookupError, struct.error):
        return _said(path)
    return {}


def _said(path: Path) -> dict[str, Any]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return header(data)


def header(data: mmap.mmap) -> dict[str, Any]:
    """Names and values. Of a list of texts, how many; raises ValueError for another format."""
    magic, _, _, count = struct.unpack_from("<4sIQQ", data)
    if magic != b"GGUF":
        raise ValueError("not a GGUF file")
    said, at = {}, 24
    for _ in range(count):
        name, at = _text(data, at)
        (kind,) = struct.unpack_from("<I", data, at)
        said[name], at = _value(data, at + 4, kind)
    return said


def _text(data: mmap.mmap, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<Q", data, at)
    end = at + 8 + length
    return data[at + 8 : end].decode("utf-8", "replace"), end


def _value(data: mmap.mmap, at: int, kind: int) -> tuple[Any, int]:
    if kind == 8:
        return _text(data, at)
    if kind != 9:
        form = f"<{KINDS[kind]}"
        return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
    inner, count = struct.unpack_from("<IQ", data, at)
    at += 12
    if inner in KINDS:
        form = f"<{count}{KINDS[inner]}"
        return list(struct.unpack_from(form, data, at)), at + struct.calcsize(form)
    for _ in range(count):
        at = at + 8 + int(struct.unpack_from("<Q", data, at)[0]) if inner == 8 else _value(data, at, inner)[1]
    return count, at
