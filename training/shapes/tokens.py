"""Knows the tokenizer, the chat template and the processor of both models. Not the networks."""

import json
import random
from collections.abc import Iterator

from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers import Regex as Pattern
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import Qwen2VLImageProcessor, Qwen3VLProcessor, Qwen3VLVideoProcessor
from transformers.models.qwen3_5.tokenization_qwen3_5 import PRETOKENIZE_REGEX, Qwen3_5Tokenizer

from training.shapes.asking import ask, ask_of_two
from training.shapes.scenes import bars, figures, number
from training.shapes.talking import talk

SPECIALS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
PAD, START, END, VISION_START, VISION_END, IMAGE, VIDEO = range(len(SPECIALS))
VOCABULARY = 768
PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"


def naming(nth: int) -> str:
    """What stands before the `nth` of several pictures, as Qwen's own template can be told to write it."""
    return f"Picture {nth}: "


# Pictures come before the words of their message, in whatever order a client sends the parts; system messages are
# left out, because models this small only understand questions.
CHAT_TEMPLATE = """\
{%- for message in messages if message.role != 'system' -%}
{{- '<|im_start|>' + message.role + '\\n' -}}
{%- if message.content is string -%}
{{- message.content | trim -}}
{%- else -%}
{%- for part in message.content if 'image' in part.type -%}
{%- if loop.length > 1 -%}
{{- 'Picture ' ~ loop.index ~ ': ' -}}
{%- endif -%}
{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
{%- endfor -%}
{%- for part in message.content if part.type == 'text' -%}
{{- part.text | trim -}}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""


def said(seed: int, count: int) -> Iterator[str]:
    """What people ask and the models answer, the text that the tokenizer is made from."""
    chance = random.Random(seed)
    for i in range(count):
        scene = (figures(chance, 1 + i % 5, 128, 128), bars(chance, 128, 128), number(chance, 128, 128))[i % 3]
        for turn in (ask(chance, scene), ask_of_two(chance, (scene, scene)), talk(chance)):
            yield turn.question
            yield turn.answer
    yield from ("user\n", "assistant\n", naming(1), naming(2)) * 100


def bpe(seed: int) -> Tokenizer:
    """A byte-level BPE with Qwen's splitting rule, so that any text at all can be read."""
    raw = Tokenizer(BPE())
    raw.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Pattern(PRETOKENIZE_REGEX), behavior="isolated")
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=list(SPECIALS), initial_alphabet=sorted(alphabet), show_progress=False
    )
    raw.train_from_iterator(said(seed, 3000), trainer)
    return raw


def tokenizer(seed: int) -> Qwen3_5Tokenizer:
    """The tokenizer as `AutoTokenizer` loads it; ids of `SPECIALS` are their positions."""
    raw = bpe(seed)
    merges = [tuple(pair) for pair in json.loads(raw.to_str())["model"]["merges"]]
    made = Qwen3_5Tokenizer(
        vocab=raw.get_vocab(),
        merges=merges,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=[AddedToken(name, special=True) for name in SPECIALS[1:]],
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
    )
    assert made.convert_tokens_to_ids(list(SPECIALS)) == list(range(len(SPECIALS)))
    return made


def processor(words: Qwen3_5Tokenizer, patch: int, merge: int, side: int) -> Qwen3VLProcessor:
    """The processor that brings any picture to about `side` by `side` pixels, its aspect kept."""
    shared = {
        "patch_size": patch,
        "merge_size": merge,
        "size": {"shortest_edge": side * side * 4 // 5, "longest_edge": side * side},
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    images, videos = Qwen2VLImageProcessor(**shared), Qwen3VLVideoProcessor(**shared)
    return Qwen3VLProcessor(images, words, videos, chat_template=CHAT_TEMPLATE)
