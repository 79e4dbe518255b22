"""Knows how to read what a `config.json` says of a model's shape. Counts nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from playground.fit.errors import Unknown

Kind = Literal["full", "sliding", "linear"]
Config = Mapping[str, Any]
DTYPES = {"float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes of one number by the name in `dtype` (once `torch_dtype`)."""
MOST_LAYERS = 10_000


@dataclass(frozen=True, slots=True)
class Text:
    """The language model: what its layers are and what one layer measures."""

    model_type: str
    hidden: int
    vocabulary: int
    heads: int
    kv_heads: int
    head_dim: int
    kinds: tuple[Kind, ...]
    window: int
    number_bytes: int
    context_tokens: int | None
    raw: Config

    def get(self, name: str) -> int:
        """A whole number of the config that must be there. Raises Unknown."""
        return number(self.raw, name)


def text(config: Config) -> Text:
    """What the language model is; a config of a vision-language model holds it in `text_config`. Raises Unknown."""
    raw = {**{name: config[name] for name in ("dtype", "torch_dtype") if name in config}, **inner(config)}
    if "kv_lora_rank" in raw or raw.get("num_kv_shared_layers"):
        raise Unknown("its attention keeps another kind of cache, which is not counted yet")
    heads = number(raw, "num_attention_heads")
    hidden = number(raw, "hidden_size")
    return Text(
        model_type=str(raw.get("model_type") or config.get("model_type") or ""),
        hidden=hidden,
        vocabulary=number(raw, "vocab_size"),
        heads=heads,
        kv_heads=optional(raw, "num_key_value_heads") or heads,
        head_dim=optional(raw, "head_dim") or hidden // heads,
        kinds=kinds(raw),
        window=optional(raw, "sliding_window") or 0,
        number_bytes=DTYPES.get(str(raw.get("dtype") or raw.get("torch_dtype") or "bfloat16"), 2),
        context_tokens=optional(raw, "max_position_embeddings"),
        raw=raw,
    )


def inner(config: Config) -> Config:
    """The part about the language model."""
    nested = config.get("text_config")
    return nested if isinstance(nested, Mapping) else config


def kinds(raw: Config) -> tuple[Kind, ...]:
    """What each layer attends with: named one by one, or by a rule. Raises Unknown."""
    count = number(raw, "num_hidden_layers")
    if count > MOST_LAYERS:
        raise Unknown(f"its config.json speaks of {count:,} layers")
    named = raw.get("layer_types")
    if isinstance(named, list) and named:
        return tuple(_kind(str(name)) for name in named)
    interval = optional(raw, "full_attention_interval")
    if interval:
        return _repeated(count, interval, "linear")
    window = optional(raw, "sliding_window")
    if not window or raw.get("use_sliding_window") is False:
        return _repeated(count, 1, "full")
    every = optional(raw, "sliding_window_pattern") or {"gemma3_text": 6, "gpt_oss": 2}.get(
        str(raw.get("model_type", "")), 0
    )
    return _repeated(count, every, "sliding")


def _repeated(count: int, every: int, kind: Kind) -> tuple[Kind, ...]:
    """Every so many layers one with full attention; none where `every` is 0."""
    return tuple("full" if every and (layer + 1) % every == 0 else kind for layer in range(count))


def _kind(name: str) -> Kind:
    match name:
        case "full_attention":
            return "full"
        case "sliding_attention":
            return "sliding"
        case "linear_attention":
            return "linear"
    raise Unknown(f"it has layers of the kind {name}, which are not counted yet")


def number(raw: Config, name: str) -> int:
    """A whole number that must be there. Raises Unknown."""
    value = optional(raw, name)
    if value is None:
        raise Unknown(f"its config.json has no `{name}`")
    return value


def optional(raw: Config, name: str) -> int | None:
    """A whole number above 0, or None for anything else."""
    value = raw.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
