"""Knows how a GGUF file becomes a bf16 safetensors checkpoint. A program of its own, because it needs torch.

python -P convert_child.py FILE.gguf FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(source: Path, target: Path) -> None:
    """Write weights, tokenizer with chat template, and generation config to `target`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    folder, name = str(source.parent), source.name
    print("converting: reading the tokenizer", flush=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    if not tokenizer.chat_template or tokenizer.eos_token_id is None:
        raise SystemExit(f"{name} has no chat template or no end-of-turn token; answers would never stop")
    print("converting: reading the weights", flush=True)
    config = GgufConfig(dequantize=True, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=name, quantization_config=config, dtype=torch.bfloat16
    )
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    print("converting: writing", flush=True)
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
