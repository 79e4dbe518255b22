"""Checkpoints of real classes with small sizes and random weights, saved as their makers save them. No test itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from playground import weights

READS = weights.PACKAGE / "weights" / "shapes-small"
"""Whose tokenizer they get; the class decides whether its picture processor comes along."""


def save(folder: Path, model: str, config: Any, *, sees: bool = False) -> Path:
    """A bf16 checkpoint of that class of transformers, with a tokenizer, in `folder`."""
    import torch
    import transformers

    torch.manual_seed(0)
    made = getattr(transformers, model)(config).to(torch.bfloat16)
    made.save_pretrained(folder)
    left_out = {"config.json", "generation_config.json", "model.safetensors"}
    for path in READS.iterdir():
        if path.name not in left_out and (sees or "process" not in path.name):
            shutil.copy(path, folder)
    if not sees:
        path = folder / "tokenizer_config.json"
        said = json.loads(path.read_text())
        path.write_text(json.dumps({name: value for name, value in said.items() if name != "processor_class"}))
    return folder


def qwen3_5(**text: Any) -> Any:
    """A config of Qwen3.5's dense class with a tiny vision tower; `text` are sizes of its language model."""
    from transformers import Qwen3_5Config

    head = text.get("head_dim", 64)
    turns = [head // 8 - 2 * (head // 24), head // 24, head // 24]
    rope = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.25, "mrope_interleaved": True}
    sizes = {"vocab_size": 4096, "head_dim": head, "max_position_embeddings": 4096, **text}
    tower = {"depth": 1, "hidden_size": 64, "intermediate_size": 128, "num_heads": 2, "num_position_embeddings": 64}
    return Qwen3_5Config(
        tie_word_embeddings=True,
        text_config={**sizes, "tie_word_embeddings": True, "rope_parameters": {**rope, "mrope_section": turns}},
        vision_config={**tower, "out_hidden_size": text["hidden_size"]},
    )


def llama(**sizes: Any) -> Any:
    """A config of Llama's class whose output layer is its embedding."""
    from transformers import LlamaConfig

    return LlamaConfig(**{"vocab_size": 4096, "tie_word_embeddings": True, "max_position_embeddings": 4096, **sizes})
