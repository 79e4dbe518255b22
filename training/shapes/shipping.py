"""Knows how a learnt model becomes files that plain `from_pretrained` loads. Not how it was learnt."""

import hashlib
import os
import tempfile
from pathlib import Path

import torch
from transformers import GenerationConfig, Qwen3_5ForConditionalGeneration, Qwen3VLProcessor

from training.shapes.tokens import END, PAD

SUMS = "SHA256SUMS"
LONGEST_ANSWER = 64


def ship(model: Qwen3_5ForConditionalGeneration, processor: Qwen3VLProcessor, folder: Path) -> None:
    """Writes weights (bf16), processor, tokenizer and chat template; each file appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    model = model.to(torch.bfloat16).eval()
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=END, pad_token_id=PAD, max_new_tokens=LONGEST_ANSWER
    )
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".part-") as part:
        model.save_pretrained(part)
        processor.save_pretrained(part)
        for path in sorted(Path(part).iterdir()):
            path.chmod(0o644)  # safetensors writes files that only their owner may read
            os.replace(path, folder / path.name)


def write_sums(weights: Path) -> None:
    """`SHA256SUMS` of every shipped file below `weights`, as `sha256sum --check` reads it."""
    files = sorted(path for path in weights.rglob("*") if path.is_file() and path.name != SUMS)
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(weights).as_posix()}\n" for path in files
    ]
    part = weights / f".{SUMS}.part"
    part.write_text("".join(lines), encoding="ascii")
    os.replace(part, weights / SUMS)
