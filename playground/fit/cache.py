"""Knows what a model keeps of what it has read: keys and values, or a state of fixed size. Knows no weights.

transformers: 2 x kv heads x head dim x tokens in full-attention layers; sliding layers keep `window - 1` tokens; a
gated delta-net keeps a recurrent state in 32 bit and the last inputs of its convolution. llama.cpp allocates all at
the start, in 16 bit: full layers for the whole context in steps of 256 cells, sliding ones for window + 512
(`llama-kv-cache-iswa.cpp`), states in 32 bit.
"""

from __future__ import annotations

from typing import Literal

from playground.fit.config import Text

Engine = Literal["transformers", "llama.cpp"]
CELLS = 256
BATCH = 512
"""Tokens that llama.cpp reads at once, its default `n_ubatch`."""


def kv_bytes(found: Text, context_tokens: int, engine: Engine = "transformers") -> int:
    """Bytes for one conversation of that many tokens."""
    number_bytes = 2 if engine == "llama.cpp" else found.number_bytes
    per_token = 2 * found.kv_heads * found.head_dim * number_bytes
    full, sliding = _tokens(found, context_tokens, engine)
    counted = {kind: found.kinds.count(kind) for kind in ("full", "sliding", "linear")}
    states = counted["linear"] * _state_bytes(found, engine) if counted["linear"] else 0
    return per_token * (counted["full"] * full + counted["sliding"] * sliding) + states


def _tokens(found: Text, context_tokens: int, engine: Engine) -> tuple[int, int]:
    """Tokens that a full and that a sliding layer keep."""
    if engine == "llama.cpp":
        return _padded(context_tokens), min(_padded(context_tokens), _padded(found.window + BATCH))
    return context_tokens, min(context_tokens, max(found.window - 1, 0))


def _padded(tokens: int) -> int:
    return -(-tokens // CELLS) * CELLS


def _state_bytes(found: Text, engine: Engine) -> int:
    """Of one gated delta-net layer."""
    keys = found.get("linear_num_key_heads") * found.get("linear_key_head_dim")
    values = found.get("linear_num_value_heads") * found.get("linear_value_head_dim")
    recurrent = values * found.get("linear_key_head_dim") * 4
    kernel = found.get("linear_conv_kernel_dim")
    if engine == "llama.cpp":
        return recurrent + (2 * keys + values) * (kernel - 1) * 4
    return recurrent + (2 * keys + values) * kernel * found.number_bytes
