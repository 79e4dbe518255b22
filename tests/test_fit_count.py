"""The arithmetic of `fit`: parameters as transformers' own classes have them, bytes as their makers publish them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from playground.fit import known, sizes
from playground.fit.config import text
from playground.fit.count import count
from playground.fit.errors import Unknown

SHAPES = known.shapes()
SIGLIP = dict(SHAPES["google/gemma-3-4b-it"].config["vision_config"])


def real(name: str, config: Any) -> int:
    """Parameters of that class of transformers, built without memory; shared ones count once."""
    import torch
    import transformers

    with torch.device("meta"):
        model = getattr(transformers, name)(config)
    model.tie_weights()
    return sum({id(each): each.numel() for each in model.parameters()}.values())


CLASSES: list[tuple[str, str, dict[str, Any]]] = [
    ("Qwen3_5ForConditionalGeneration", "Qwen3_5Config", {}),
    ("Qwen3_5ForCausalLM", "Qwen3_5TextConfig", {"tie_word_embeddings": True, "num_hidden_layers": 7}),
    ("Qwen3_5MoeForConditionalGeneration", "Qwen3_5MoeConfig", {}),
    ("GptOssForCausalLM", "GptOssConfig", {}),
    ("LlamaForCausalLM", "LlamaConfig", {"mlp_bias": True, "attention_bias": True, "num_key_value_heads": 8}),
    ("MistralForCausalLM", "MistralConfig", {"head_dim": 96}),
    ("Qwen3ForCausalLM", "Qwen3Config", {}),
    ("Gemma3ForCausalLM", "Gemma3TextConfig", {}),
    ("Gemma3ForConditionalGeneration", "Gemma3Config", {"vision_config": SIGLIP}),
]


@pytest.mark.parametrize(("model", "config", "changes"), CLASSES, ids=[model for model, _, _ in CLASSES])
def test_parameters_are_those_of_the_class(model: str, config: str, changes: dict[str, Any]):
    import transformers

    made = getattr(transformers, config)(**changes)
    said = json.loads(made.to_json_string(use_diff=False))
    assert count(said).total == real(model, made)


CLASS_OF = {
    "Qwen3.5": ("Qwen3_5ForConditionalGeneration", "Qwen3_5Config"),
    "gpt-oss": ("GptOssForCausalLM", "GptOssConfig"),
    "Llama 3": ("LlamaForCausalLM", "LlamaConfig"),
    "Ministral 3": ("Mistral3ForConditionalGeneration", "Mistral3Config"),
    "Mistral Small 3": ("Mistral3ForConditionalGeneration", "Mistral3Config"),
    "Mistral 7B": ("MistralForCausalLM", "MistralConfig"),
    "Gemma 3": ("Gemma3ForConditionalGeneration", "Gemma3Config"),
    "SmolLM2": ("LlamaForCausalLM", "LlamaConfig"),
}


@pytest.mark.parametrize(
    "source", sorted({min(s for s, other in SHAPES.items() if other is shape) for shape in SHAPES.values()})
)
def test_every_shape_of_the_package_is_read_as_its_class_reads_it(source: str):
    """Parameters and kinds of layers, with the whole table handed to the class of transformers."""
    import transformers

    shape = SHAPES[source]
    model, config = CLASS_OF[shape.family]
    said = {name: value for name, value in shape.config.items() if name != "quantization_config"}
    if "num_experts" in said.get("text_config", {}):
        model, config = model.replace("3_5", "3_5Moe"), config.replace("3_5", "3_5Moe")
    made = getattr(transformers, config)(**json.loads(json.dumps(said)))
    assert count(shape.config).total == real(model, made)
    inner = made.get_text_config()
    if kinds := getattr(inner, "layer_types", None):
        assert [f"{kind}_attention" for kind in text(shape.config).kinds] == list(kinds)


PUBLISHED = {
    "openai/gpt-oss-20b": 13_761_264_768,
    "meta-llama/llama-3.1-8b-instruct": 16_060_522_496,
    "meta-llama/llama-3.3-70b-instruct": 141_107_412_992,
    "mistralai/mistral-7b-instruct-v0.3": 14_496_047_104,
    "google/gemma-3-4b-it": 8_600_158_944,
}
"""`total_size` in model.safetensors.index.json on the Hub, found in copies of those files in November 2026."""


@pytest.mark.parametrize(("source", "published"), PUBLISHED.items(), ids=list(PUBLISHED))
def test_a_checkpoint_has_the_size_that_its_makers_publish(source: str, published: int):
    assert sizes.checkpoint_bytes(SHAPES[source].config) == published


def several_tokens(config: Any) -> int:
    """Parameters of the head that predicts several tokens at once, which Qwen3.5 checkpoints hold and transformers does
    not load: one more layer of full attention, a matrix that joins two states, three norms."""
    shape = text(config)
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    attention = shape.hidden * (3 * queries + 2 * keys) + 2 * shape.head_dim
    layer = attention + 3 * shape.hidden * shape.get("intermediate_size") + 2 * shape.hidden
    return layer + 2 * shape.hidden * shape.hidden + 3 * shape.hidden


def test_qwen3_5_9b_is_its_published_size_to_the_byte():
    """But for that head, and `A_log` and the norm inside each linear layer, which are stored in 32 bit."""
    config = SHAPES["qwen/qwen3.5-9b"].config
    shape = text(config)
    wide = shape.get("linear_num_value_heads") + shape.get("linear_value_head_dim")
    more = 2 * several_tokens(config) + 2 * wide * shape.kinds.count("linear")
    assert sizes.checkpoint_bytes(config) + more == 19_306_216_416


def test_published_counts_of_parameters():
    """Of Qwen3.5-4B (with that head) and Mistral Small 3.2 (with its vision tower)."""
    small = SHAPES["qwen/qwen3.5-4b"].config
    assert count(small).total + several_tokens(small) == 4_659_865_088
    assert count(SHAPES["mistralai/mistral-small-3.2-24b-instruct-2506"].config).total == 24_011_361_280


def test_qwen3_5_122b_has_the_language_parameters_that_servers_of_its_gguf_report():
    assert count(SHAPES["qwen/qwen3.5-122b-a10b"].config).language == 122_111_526_912


@pytest.mark.parametrize(
    ("source", "quantization", "published"),
    [
        ("openai/gpt-oss-20b", "MXFP4", 12_109_565_632),
        ("qwen/qwen3.5-122b-a10b", "Q4_K_M", 76_525_965_312),
        ("meta-llama/llama-3.1-8b-instruct", "Q4_K_M", 4_900_000_000),
        ("meta-llama/llama-3.3-70b-instruct", "UD-Q4_K_M", 43_100_000_000),
        ("qwen/qwen3.5-9b", "Q4_K_M", 5_680_000_000),
        ("mistralai/ministral-3-8b-instruct-2512", "Q5_K_M", 6_059_268_512),
    ],
)
def test_a_gguf_file_is_within_five_percent_of_the_published_one(source: str, quantization: str, published: int):
    assert sizes.gguf_bytes(SHAPES[source].config, quantization) == pytest.approx(published, rel=0.05)


def test_mxfp4_that_must_be_unpacked_is_the_sixteen_bit_model():
    """The trap of measuring.md: about 63 GB as stored, about 234 GB where the kernels are missing."""
    config = SHAPES["openai/gpt-oss-120b"].config
    assert sizes.running_bytes(config, "", unpacked=False) == sizes.checkpoint_bytes(config) == 65_248_815_744
    assert sizes.running_bytes(config, "", unpacked=True) == 2 * count(config).total == 233_658_313_344


def test_four_bits_shrink_matrices_and_leave_embedding_head_and_norms():
    """A tiny model of the class, quantised by bitsandbytes as the worker does it, measured tensor by tensor."""
    import torch
    from transformers import BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM
    from transformers.integrations.bitsandbytes import replace_with_bnb_linear

    made = LlamaConfig(
        vocab_size=512, hidden_size=256, intermediate_size=768, num_hidden_layers=2, num_attention_heads=4
    )
    kind = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
    whole = LlamaForCausalLM(made).to(torch.bfloat16)
    state = {name: tensor.clone() for name, tensor in whole.state_dict().items()}
    model = replace_with_bnb_linear(whole, modules_to_not_convert=["lm_head"], quantization_config=kind)
    held = 0
    for name, module in model.named_modules():
        if type(module).__name__ == "Linear4bit":
            import bitsandbytes as bnb

            weight = bnb.nn.Params4bit(
                state[f"{name}.weight"], requires_grad=False, quant_type="nf4", compress_statistics=True
            )
            weight = weight.to("cpu")
            scales = weight.quant_state
            parts = [weight.data, scales.absmax, scales.state2.absmax]
            held += sum(part.numel() * part.element_size() for part in parts)
        elif not list(module.children()):
            held += sum(each.numel() * 2 for each in module.parameters())
    said = json.loads(made.to_json_string(use_diff=False)) | {"dtype": "bfloat16"}
    assert sizes.running_bytes(said, "bnb-4bit", unpacked=False) == pytest.approx(held, rel=0.001)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({}, "num_attention_heads"),
        ({"model_type": "deepseek_v3", "kv_lora_rank": 512}, "another kind of cache"),
        ({**SHAPES["openai/gpt-oss-20b"].config, "model_type": "new"}, "the architecture new"),
        ({**SHAPES["openai/gpt-oss-20b"].config, "layer_types": ["mamba"]}, "layers of the kind mamba"),
        ({**SHAPES["openai/gpt-oss-20b"].config, "vision_config": {}}, "vision tower"),
    ],
)
def test_what_is_not_known_is_said_and_not_guessed(config: dict[str, Any], reason: str):
    with pytest.raises(Unknown, match=reason):
        count(config)


def test_an_unknown_quantisation_of_a_file_has_no_size():
    with pytest.raises(Unknown, match="TQ1_0"):
        sizes.gguf_bytes(SHAPES["qwen/qwen3.5-9b"].config, "TQ1_0")
