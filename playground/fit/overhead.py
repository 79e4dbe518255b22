"""Knows what a model's process takes beside weights and cache. Measured, not derived: see docs/decisions.md.

Both engines hold a fixed part (the program and its libraries) and, while they read a prompt, numbers for each token
that they read at once: transformers for the whole prompt, llama.cpp for 512 tokens at a time.
"""

from __future__ import annotations

from playground.fit.cache import BATCH, Engine
from playground.fit.config import Text, optional

MB = 1_000_000
SERVER_BYTES = 940 * MB
"""`transformers serve` with a processor and a small model, measured on a CPU: 922 to 987 MB."""
QUANTIZER_BYTES = 600 * MB
"""What bitsandbytes adds on a CPU: measured 40 to 770 MB, so the least certain figure here."""
LLAMA_BYTES = 62 * MB
"""llama.cpp's server by the xllamacpp wheel, measured."""
CUDA_BYTES = 1_343 * MB
"""Kernels that PyTorch loads onto a device, as Hugging Face measured them ("Model training anatomy"). Not by us: we
have no such device."""
PROMPT = 1024
"""Tokens of the prompt that working memory is counted for."""


def overhead_bytes(found: Text, context_tokens: int, engine: Engine, *, on_gpu: bool = False, bnb: bool = False) -> int:
    """Bytes beside weights and cache, on the device where the model runs."""
    if engine == "llama.cpp":
        batch = min(context_tokens, BATCH)
        logits = BATCH * found.vocabulary * 4 if on_gpu else 0  # reserved; on a CPU never touched
        return LLAMA_BYTES + logits + batch * 4 * (3 * inside(found) + 6 * found.hidden)
    fixed = CUDA_BYTES if on_gpu else SERVER_BYTES + (QUANTIZER_BYTES if bnb else 0)
    return fixed + min(context_tokens, PROMPT) * token_bytes(found)


def token_bytes(found: Text) -> int:
    """Working memory of transformers for one token of the prompt: fitted to five shapes, measured."""
    delta = 64 * _values(found) if "linear" in found.kinds else 0  # the gated delta-net computes in 32 bit
    return 2 * (3 * inside(found) + 23 * found.hidden) + delta


def inside(found: Text) -> int:
    """Width of what one token passes inside the MLP: of all experts that it meets."""
    raw = found.raw
    width = optional(raw, "moe_intermediate_size") or optional(raw, "intermediate_size") or 4 * found.hidden
    shared = optional(raw, "shared_expert_intermediate_size") or 0
    return width * (optional(raw, "num_experts_per_tok") or 1) + shared


def _values(found: Text) -> int:
    return found.get("linear_num_value_heads") * found.get("linear_value_head_dim")
