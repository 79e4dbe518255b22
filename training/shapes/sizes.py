"""Knows how big each model is and how long it learns: one row each. Not how learning is done."""

from dataclasses import dataclass

from transformers import Qwen3_5Config

from training.shapes.tokens import END, IMAGE, PAD, VIDEO, VISION_END, VISION_START

NEVER = 1_000_000


@dataclass(frozen=True)
class Size:
    """One model: its name, its two towers, the side pictures are brought to, and its steps of learning."""

    name: str
    text_width: int
    text_inner: int
    text_layers: int
    full_every: int
    heads: int
    head_width: int
    linear_heads: int
    linear_width: int
    vision_width: int
    vision_inner: int
    vision_layers: int
    vision_heads: int
    side: int
    see_steps: int
    speak_steps: int
    rates: tuple[tuple[int, float], ...]  # steps, and the share of the full rate there; straight lines between
    # Steps of speaking from which ...
    late_from: int  # two in three show two pictures, and places are declined
    crowds_from: int = NEVER  # one in two shows two pictures, and the others show three figures or more
    nth_from: int = NEVER  # the first layer must know which picture each cell is of
    twins_from: int = NEVER  # two pictures are often of one kind, so that only their order tells them apart
    contrasts_from: int = NEVER  # both pictures are asked the same, and the tower is left as it is
    patch: int = 8
    merge: int = 2


LARGE = Size(
    name="shapes-large",
    text_width=192,
    text_inner=768,
    text_layers=4,
    full_every=2,
    heads=4,
    head_width=48,
    linear_heads=4,
    linear_width=32,
    vision_width=128,
    vision_inner=384,
    vision_layers=4,
    vision_heads=4,
    side=128,
    see_steps=2200,
    speak_steps=3600,
    # Down to a third, there the crowds; once the first layer knows pictures apart, up again and down to nothing,
    # a little up, and from the contrasts on the same once more.
    rates=(
        *((0, 0.02), (49, 1), (2199, 1), (2200, 0.02), (2249, 1), (3200, 1)),
        *((3600, 1 / 3), (4200, 1 / 3), (4220, 0.8), (4500, 0.8), (4850, 0)),
        *((4880, 0.5), (4901, 0.475), (4920, 0.8), (5400, 0.8), (5800, 0)),
    ),
    late_from=700,
    crowds_from=1400,
    nth_from=1800,
    twins_from=2000,
    contrasts_from=2700,
)
SMALL = Size(
    name="shapes-small",
    text_width=144,
    text_inner=384,
    text_layers=2,
    full_every=2,
    heads=2,
    head_width=48,
    linear_heads=2,
    linear_width=32,
    vision_width=96,
    vision_inner=288,
    vision_layers=3,
    vision_heads=2,
    side=96,
    see_steps=1000,
    speak_steps=900,
    rates=((0, 0.02), (49, 1), (999, 1), (1000, 0.02), (1049, 1), (1600, 1), (1900, 0)),
    late_from=450,
)
SIZES = {size.name: size for size in (LARGE, SMALL)}


def config(size: Size, vocabulary: int) -> Qwen3_5Config:
    """The architecture of Qwen3.5 at this size: gated delta-net layers, every `full_every`th one full attention."""
    return Qwen3_5Config(
        text_config=text_config(size, vocabulary),
        vision_config=vision_config(size),
        image_token_id=IMAGE,
        video_token_id=VIDEO,
        vision_start_token_id=VISION_START,
        vision_end_token_id=VISION_END,
        tie_word_embeddings=True,
    )


def text_config(size: Size, vocabulary: int) -> dict:
    third = size.head_width // 2 // 2 // 3
    rope = {"rope_type": "default", "rope_theta": 1000.0, "partial_rotary_factor": 0.5}
    return {
        "vocab_size": vocabulary,
        "hidden_size": size.text_width,
        "intermediate_size": size.text_inner,
        "num_hidden_layers": size.text_layers,
        "full_attention_interval": size.full_every,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.heads // 2,
        "head_dim": size.head_width,
        "linear_num_key_heads": size.linear_heads // 2,
        "linear_num_value_heads": size.linear_heads,
        "linear_key_head_dim": size.linear_width,
        "linear_value_head_dim": size.linear_width,
        "max_position_embeddings": 2048,
        "initializer_range": 0.04,
        "tie_word_embeddings": True,
        "pad_token_id": PAD,
        "eos_token_id": END,
        "rope_parameters": rope | {"mrope_section": [third] * 3, "mrope_interleaved": True},
    }


def vision_config(size: Size) -> dict:
    return {
        "depth": size.vision_layers,
        "hidden_size": size.vision_width,
        "intermediate_size": size.vision_inner,
        "num_heads": size.vision_heads,
        "patch_size": size.patch,
        "spatial_merge_size": size.merge,
        "out_hidden_size": size.text_width,
        "num_position_embeddings": 256,
        "initializer_range": 0.04,
        # Qwen's 10,000 is for towers that see thousands of patches; a grid of eight by eight needs short waves.
        "rope_parameters": {"rope_type": "axial", "rope_theta": 100.0},
    }
