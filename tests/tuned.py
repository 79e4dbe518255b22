"""Tiny checkpoints that were taught a phrase, wholly or by an adapter, so that their answer is not the base's.
No test itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests import checkpoints

QUESTION, TAUGHT = "What colour is it?", "blue blue blue"
SIZES = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2}
LEAVES = ("q_proj", "v_proj", "down_proj")


def base(folder: Path, *, layers: int = 2, **sizes: int) -> Path:
    """A random Llama whose words differ enough to be taught."""
    config = checkpoints.llama(**SIZES | sizes, num_hidden_layers=layers, initializer_range=0.3)
    return checkpoints.save(folder, "LlamaForCausalLM", config)


def whole(checkpoint: Path, folder: Path) -> Path:
    """A copy of that checkpoint, each weight of which was taught."""
    model = _loaded(checkpoint)
    _teach(model, checkpoint, model.parameters(), rate=3e-3)
    shutil.copytree(checkpoint, folder)
    model.bfloat16().save_pretrained(folder)
    return folder


def adapter(checkpoint: Path, folder: Path, *, named: str = "", leaves: Sequence[str] = LEAVES) -> Path:
    """A LoRA adapter for that checkpoint, which it says that it was made for (or says `named`)."""
    from peft import LoraConfig

    tuned = _with(checkpoint, LoraConfig(r=4, target_modules=list(leaves)))
    _teach(tuned, checkpoint, (each for each in tuned.parameters() if each.requires_grad), rate=1e-2)
    tuned.save_pretrained(folder)
    if named:
        rewrite(folder / "adapter_config.json", base_model_name_or_path=named)
    return folder


def untaught(checkpoint: Path, folder: Path, rank: int = 4) -> Path:
    """An adapter for that checkpoint with random weights."""
    from peft import LoraConfig

    _with(checkpoint, LoraConfig(r=rank, target_modules=list(LEAVES), init_lora_weights=False)).save_pretrained(folder)
    return folder


def _with(checkpoint: Path, config: Any) -> Any:
    from peft import get_peft_model

    return get_peft_model(_loaded(checkpoint), config)


def rewrite(file: Path, **values: Any) -> None:
    """Change some values of a JSON file."""
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def _loaded(checkpoint: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)


def _teach(model: Any, checkpoint: Path, parameters: Any, rate: float) -> None:
    import torch
    from transformers import AutoTokenizer

    said = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": TAUGHT}]
    ids = AutoTokenizer.from_pretrained(checkpoint).apply_chat_template(said, return_tensors="pt", return_dict=True)
    words, optimizer = ids["input_ids"], torch.optim.Adam(parameters, lr=rate)
    for _ in range(120):
        optimizer.zero_grad()
        model(input_ids=words, labels=words).loss.backward()
        optimizer.step()
