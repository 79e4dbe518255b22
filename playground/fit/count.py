"""Knows how many parameters a model of a known architecture has, by what becomes of them when they are quantised.

The counts are those of the classes in transformers, number by number: a test builds each class without memory and
compares. Knows no bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playground.fit.config import Config, Kind, Text, inner, number, text
from playground.fit.errors import Unknown


@dataclass(frozen=True, slots=True)
class Count:
    """Parameters. `linear` are the matrices that bitsandbytes turns into 4 or 8 bit, `experts` those of experts that
    lie in one tensor (MXFP4 packs them, bitsandbytes does not); `embedding` and `head` are the two ends (`head` is 0
    where it is the embedding again); `vision` is the whole vision tower, whose matrices are in `linear` too.
    """

    linear: int
    experts: int
    embedding: int
    head: int
    rest: int
    vision: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.linear + self.experts + self.embedding + self.head + self.rest

    @property
    def language(self) -> int:
        """Without the vision tower."""
        return self.total - self.vision


def count(config: Config) -> Count:
    """Parameters of the whole model. Raises Unknown for an architecture that is not known."""
    found = text(config)
    counter = LAYERS.get(found.model_type)
    if counter is None:
        raise Unknown(f"the architecture {found.model_type or 'of its config.json'} is not counted yet")
    linear = experts = 0
    rest = found.hidden  # the norm after the last layer
    for kind in set(found.kinds):  # layers of one kind have the same parameters
        times, parts = found.kinds.count(kind), counter(found, kind)
        linear, experts, rest = linear + times * parts[0], experts + times * parts[1], rest + times * parts[2]
    tower, tower_rest = vision(config, found)
    embedding = found.vocabulary * found.hidden
    return Count(
        linear=linear + tower,
        experts=experts,
        embedding=embedding,
        head=0 if tied(config, found) else embedding,
        rest=rest + tower_rest,
        vision=tower + tower_rest,
    )


def tied(config: Config, found: Text) -> bool:
    """The output layer is the embedding again. A class's own default counts where the config is silent."""
    said = config.get("tie_word_embeddings", inner(config).get("tie_word_embeddings"))
    return bool(said) if said is not None else found.model_type.startswith("gemma")


Parts = tuple[int, int, int]
"""Of one layer: linear, experts, rest."""


def _attention(found: Text) -> Parts:
    """Queries, keys, values, output; with biases where the config has them."""
    queries, keys = found.heads * found.head_dim, found.kv_heads * found.head_dim
    matrices = found.hidden * (2 * queries + 2 * keys)
    biased = found.raw.get("attention_bias")
    return matrices, 0, (queries + 2 * keys + found.hidden) if biased else 0


def _mlp(found: Text) -> int:
    return 3 * found.hidden * found.get("intermediate_size")


def _llama(found: Text, kind: Kind) -> Parts:
    matrices, _, biases = _attention(found)
    inner_bias = 2 * found.get("intermediate_size") + found.hidden if found.raw.get("mlp_bias") else 0
    return matrices + _mlp(found), 0, biases + inner_bias + 2 * found.hidden


def _qwen3(found: Text, kind: Kind) -> Parts:
    matrices, _, rest = _llama(found, kind)
    return matrices, 0, rest + 2 * found.head_dim


def _gemma3(found: Text, kind: Kind) -> Parts:
    matrices, _, biases = _attention(found)
    return matrices + _mlp(found), 0, biases + 4 * found.hidden + 2 * found.head_dim


def _gpt_oss(found: Text, kind: Kind) -> Parts:
    matrices, _, biases = _attention(found)
    experts, inside = found.get("num_local_experts"), found.get("intermediate_size")
    packed = experts * 3 * found.hidden * inside
    expert_biases = experts * (2 * inside + found.hidden)
    router = experts * found.hidden + experts
    return matrices, packed, biases + found.heads + expert_biases + router + 2 * found.hidden


def _qwen3_5_attention(found: Text, kind: Kind) -> Parts:
    """Gated: queries carry a gate of the same size. Linear layers are gated delta-nets."""
    if kind == "full":
        matrices, _, biases = _attention(found)
        gate = found.hidden * found.heads * found.head_dim
        return matrices + gate, 0, biases + 2 * found.head_dim + 2 * found.hidden
    keys = found.get("linear_num_key_heads") * found.get("linear_key_head_dim")
    heads, width = found.get("linear_num_value_heads"), found.get("linear_value_head_dim")
    values = heads * width
    matrices = found.hidden * (2 * keys + values + values + 2 * heads + values)
    convolution = (2 * keys + values) * found.get("linear_conv_kernel_dim")
    return matrices, 0, convolution + 2 * heads + width + 2 * found.hidden


def _qwen3_5(found: Text, kind: Kind) -> Parts:
    matrices, _, rest = _qwen3_5_attention(found, kind)
    return matrices + _mlp(found), 0, rest


def _qwen3_5_moe(found: Text, kind: Kind) -> Parts:
    matrices, _, rest = _qwen3_5_attention(found, kind)
    experts = found.get("num_experts")
    packed = experts * 3 * found.hidden * found.get("moe_intermediate_size")
    shared = 3 * found.hidden * found.get("shared_expert_intermediate_size")
    return matrices + shared + found.hidden, packed, rest + experts * found.hidden


LAYERS: dict[str, Callable[[Text, Kind], Parts]] = {
    "llama": _llama,
    "mistral": _llama,
    "ministral3": _llama,
    "qwen3": _qwen3,
    "gemma3_text": _gemma3,
    "gpt_oss": _gpt_oss,
    "qwen3_5_text": _qwen3_5,
    "qwen3_5_moe_text": _qwen3_5_moe,
}


def vision(config: Config, found: Text) -> tuple[int, int]:
    """Matrices and the rest of the vision tower with what joins it to the language model; (0, 0) without one."""
    tower = config.get("vision_config")
    if not isinstance(tower, dict):
        return 0, 0
    kind = found.model_type.removesuffix("_text")
    if kind in ("qwen3_5", "qwen3_5_moe"):
        return _qwen_vision(tower)
    if kind == "gemma3":
        return _siglip(tower, found)
    if kind in ("mistral", "ministral3"):
        return _pixtral(tower, found, config)
    raise Unknown(f"the vision tower of {found.model_type} is not counted yet")


def _block(width: int, inside: int) -> tuple[int, int]:
    """One block of a vision transformer with biases: matrices, and biases with two layer norms."""
    return 4 * width * width + 2 * width * inside, 4 * width + inside + width + 4 * width


def _qwen_vision(tower: dict[str, Any]) -> tuple[int, int]:
    width, inside, depth = (number(tower, name) for name in ("hidden_size", "intermediate_size", "depth"))
    out = number(tower, "out_hidden_size")
    merged = width * number(tower, "spatial_merge_size") ** 2
    matrices, rest = _block(width, inside)
    patch = number(tower, "in_channels") * number(tower, "temporal_patch_size") * number(tower, "patch_size") ** 2
    ends = patch * width + width + number(tower, "num_position_embeddings") * width
    return (
        depth * matrices + merged * merged + merged * out,
        depth * rest + ends + 2 * width + merged + out,
    )


def _siglip(tower: dict[str, Any], found: Text) -> tuple[int, int]:
    if tower.get("vision_use_head") is not False:
        raise Unknown("a vision tower with a pooling head is not counted yet")
    width, inside, depth = (number(tower, name) for name in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    size, patch = number(tower, "image_size"), number(tower, "patch_size")
    matrices, rest = _block(width, inside)
    ends = number(tower, "num_channels") * patch**2 * width + width + (size // patch) ** 2 * width + 2 * width
    return depth * matrices, depth * rest + ends + width * found.hidden + width


def _pixtral(tower: dict[str, Any], found: Text, config: Config) -> tuple[int, int]:
    """Without biases; 2 x 2 patches are merged, then two matrices join it to the language model."""
    width, inside, depth = (number(tower, name) for name in ("hidden_size", "intermediate_size", "num_hidden_layers"))
    merged = width * number(config, "spatial_merge_size") ** 2
    matrices = depth * (4 * width * width + 3 * width * inside) + merged * width + found.hidden * (width + found.hidden)
    patch = number(tower, "num_channels") * number(tower, "patch_size") ** 2
    return matrices, depth * 2 * width + patch * width + 2 * width
