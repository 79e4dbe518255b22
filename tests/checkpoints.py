"""Checkpoints of real classes with small sizes and random weights, saved as their makers save them. No test itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playground import weights

READS = weights.PACKAGE / "weights" / "shapes-small"
"""Whose tokenizer they get; the class decides whether its picture processor comes along."""


def save(folder: Path, model: str, config: Any, *, sees: bool = False, endless: bool = False) -> Path:
    """A bf16 checkpoint of that class of transformers, with a tokenizer, in `folder`. `endless`: only tokens of letters
    are ever the likeliest, so that an answer is text from the first token on, and goes on."""
    import torch
    import transformers

    torch.manual_seed(0)
    made = getattr(transformers, model)(config).to(torch.bfloat16)
    if endless:
        with torch.no_grad():
            rows = made.get_output_embeddings().weight
            rows[[n for n in range(len(rows)) if n not in _words()]] = 0  # with the score 0 others are always likelier
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


def _words() -> set[int]:
    """Tokens of letters: no end of an answer, no piece of a character (nothing is shown until it is whole), and none
    of those that a model has room for and its tokenizer does not know."""
    vocabulary = json.loads((READS / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    return {number for token, number in vocabulary.items() if token.isascii() and token.isalpha()}


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


# --- one small model of each architecture that has rows ---------------------------------------------------------------

SMALL = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4, "head_dim": 32}
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 1}
DELTA = {"linear_num_key_heads": 8, "linear_num_value_heads": 16, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
"""16 gates, as Qwen3.5 0.8B and 2B have: no whole block of 32."""
WORDS = {"vocab_size": 768, "max_position_embeddings": 4096, "tie_word_embeddings": True}
EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}


def architecture(name: str, folder: Path) -> Path:
    """A checkpoint of that architecture (see `ARCHITECTURES`), whose answers are text and do not end by themselves."""
    model, config = ARCHITECTURES[name]
    save(folder, model, config(), sees=name in SEES, endless=True)
    if name == "gemma3":
        _gemma3_eyes(folder)
    if name.endswith("mxfp4"):
        pack_experts(folder)
    return folder


def _qwen3_5() -> Any:
    config = qwen3_5(**SMALL, **HEADS, **DELTA, vocab_size=768)
    config.vision_config.patch_size = 8  # as the processor of `READS` cuts
    config.vision_start_token_id, config.vision_end_token_id = 3, 4
    config.image_token_id, config.video_token_id = 5, 6
    return config


def _qwen3_5_moe() -> Any:
    from transformers import Qwen3_5MoeConfig

    dense = _qwen3_5().to_dict()
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64}
    text = {**dense["text_config"], **experts, "shared_expert_intermediate_size": 64}
    text.pop("model_type")
    tower = {name: value for name, value in dense["vision_config"].items() if name != "model_type"}
    tokens = {name: value for name, value in dense.items() if name.endswith("_token_id")}
    return Qwen3_5MoeConfig(tie_word_embeddings=True, text_config=text, vision_config=tower, **tokens)


def _gpt_oss() -> Any:
    from transformers import GptOssConfig

    return GptOssConfig(**SMALL, **HEADS, **WORDS, **EXPERTS, sliding_window=32)


def _mistral() -> Any:
    from transformers import MistralConfig

    return MistralConfig(**SMALL, **HEADS, **WORDS, sliding_window=None)


def _ministral3() -> Any:
    from transformers import Ministral3Config

    return Ministral3Config(**SMALL, **HEADS, **WORDS)


def _llama() -> Any:
    return llama(**SMALL, **HEADS, vocab_size=768)


def _gemma3() -> Any:
    from transformers import Gemma3Config

    tower = {"hidden_size": 48, "intermediate_size": 68, "num_hidden_layers": 1, "num_attention_heads": 2}
    return Gemma3Config(
        tie_word_embeddings=True,
        text_config={**SMALL, **HEADS, **WORDS, "sliding_window": 32, "query_pre_attn_scalar": 32},
        vision_config={**tower, "image_size": 64, "patch_size": 16},
        mm_tokens_per_image=4,
        image_token_index=5,
        boi_token_index=3,
        eoi_token_index=4,
    )


def _gemma3_eyes(folder: Path) -> None:
    """The picture processor of Gemma 3, with the markers that `READS` has."""
    from transformers import Gemma3ImageProcessor, Gemma3Processor, PreTrainedTokenizerFast

    begin, token, end = "<|vision_start|>", "<|image_pad|>", "<|vision_end|>"
    marks = {"boi_token": begin, "image_token": token, "eoi_token": end}
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, extra_special_tokens=marks)
    cut = Gemma3ImageProcessor(size={"height": 64, "width": 64})
    template = (folder / "chat_template.jinja").read_text().replace(begin + token + end, begin)
    Gemma3Processor(cut, tokenizer, template, image_seq_length=4).save_pretrained(folder)


SEES = ("qwen3_5", "qwen3_5_moe", "gemma3")
ARCHITECTURES: dict[str, tuple[str, Callable[[], Any]]] = {
    "qwen3_5": ("Qwen3_5ForConditionalGeneration", _qwen3_5),
    "qwen3_5_moe": ("Qwen3_5MoeForConditionalGeneration", _qwen3_5_moe),
    "gpt_oss": ("GptOssForCausalLM", _gpt_oss),
    "gpt_oss-mxfp4": ("GptOssForCausalLM", _gpt_oss),
    "mistral": ("MistralForCausalLM", _mistral),
    "ministral3": ("Ministral3ForCausalLM", _ministral3),
    "llama": ("LlamaForCausalLM", _llama),
    "gemma3": ("Gemma3ForConditionalGeneration", _gemma3),
}
"""Class of transformers and config. gpt-oss also as its makers store it, with experts in MXFP4."""


def pack_experts(folder: Path) -> None:
    """Replace the experts of a gpt-oss checkpoint by random ones in MXFP4: two values of 4 bits in a byte, 32 of them
    with one exponent."""
    import torch
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    tensors = load_file(file)
    for name in [name for name in tensors if name.endswith(("gate_up_proj", "down_proj"))]:
        experts, inputs, outputs = tensors.pop(name).shape
        blocks = (experts, outputs, inputs // 32)
        tensors[f"{name}_blocks"] = torch.randint(0, 256, (*blocks, 16), dtype=torch.uint8)
        tensors[f"{name}_scales"] = torch.full(blocks, 122, dtype=torch.uint8)  # 2 to the power of 122 - 127
    save_file(tensors, file, {"format": "pt"})
    path = folder / "config.json"
    left = ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]
    packed = {"quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": left}}
    path.write_text(json.dumps(json.loads(path.read_text()) | packed))


def llama(**sizes: Any) -> Any:
    """A config of Llama's class whose output layer is its embedding."""
    from transformers import LlamaConfig

    return LlamaConfig(**{"vocab_size": 4096, "tie_word_embeddings": True, "max_position_embeddings": 4096, **sizes})
