"""Knows how a model in this very process answers: its prompt, its tokens as they come. Knows neither engine nor lender.

Only `zerogpu.py` uses it. torch is imported when a model is loaded, never before: the app elsewhere lives without it.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from queue import SimpleQueue
from typing import Any

from jinja2 import TemplateError
from PIL import Image as Picture

from playground import asking
from playground.engines.pieces import scalar
from playground.engines.refusals import refused_by_template
from playground.engines.transcript import Transcript
from playground.errors import PromptError, TooLongError
from playground.types import Event, Finished, Memory, Message, ModelSpec, Revised, Sampling, Sent, Usage

MOST_TOKENS = 1024
"""Where nobody says how long an answer may be; `transformers serve` stops there too."""
SHARED = "this model shares the app's process, so its memory cannot be told apart"
ALLOCATED = "torch: the model's weights, and the most that was allocated on top of all weights during the answer"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model with what turns messages into its input, and the bytes of its tensors."""

    model: Any
    processor: Any
    weights_bytes: int

    @property
    def continues(self) -> bool:
        """It has no chat template, so it can only go on with a text."""
        return not getattr(self.processor, "chat_template", None)

    @property
    def tokenizer(self) -> Any:
        """The one in Rust, which decodes token by token."""
        return getattr(self.processor, "tokenizer", self.processor)._tokenizer


def load(source: str, revision: str | None, reads_images: bool) -> Loaded:
    """The checkpoint in that folder or of that Hub id, on the GPU where there is one. Raises what transformers does."""
    import torch
    import transformers

    kind: Any = transformers.AutoModelForImageTextToText if reads_images else transformers.AutoModelForCausalLM
    reader = transformers.AutoProcessor if reads_images else transformers.AutoTokenizer
    model, told = kind.from_pretrained(source, revision=revision, dtype="auto", output_loading_info=True)
    stray = sorted(name for how in ("missing_keys", "unexpected_keys") for name in told[how] if "lora_" in name)
    if stray:  # it would answer all the same
        raise ValueError(f"its adapter was made for another base: {stray[0]} has no place or no value in it")
    model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    tensors = {each.data_ptr(): each.numel() * each.element_size() for each in model.parameters()}
    return Loaded(model, reader.from_pretrained(source, revision=revision), sum(tensors.values()))


class _Left(Exception):
    """Nobody listens any more."""


class _Tokens:
    """What `generate` hands its tokens to; read from another thread as (text, stamp, tokens by then)."""

    def __init__(self, tokenizer: Any) -> None:
        from tokenizers.decoders import DecodeStream

        self.ids: list[int] = []
        self.left = threading.Event()
        self._tokenizer, self._decoder = tokenizer, DecodeStream([], skip_special_tokens=True)
        self._said: SimpleQueue[tuple[str, float, int] | BaseException | None] = SimpleQueue()
        self._prompt = True

    def put(self, value: Any) -> None:
        """Called by `generate` for the prompt, then for each token."""
        if self.left.is_set():
            raise _Left
        if self._prompt:
            self._prompt = False
            return
        for each in value.tolist():
            self.ids.append(each)
            if text := self._decoder.step(self._tokenizer, each):
                self._said.put((text, time.monotonic(), len(self.ids)))

    def end(self) -> None:
        """Called by `generate`; the end is known when it returns."""

    def run(self, model: Any, **options: Any) -> None:
        """Generate to the end; the body of a thread."""
        try:
            model.generate(streamer=self, **options)
            self._said.put(None)
        except BaseException as error:  # noqa: BLE001 - a thread's edge: whoever reads must hear of it
            self._said.put(error)

    def __iter__(self) -> Iterator[tuple[str, float, int]]:
        while (said := self._said.get()) is not None:
            if isinstance(said, BaseException):
                raise said
            yield said


def answer(
    loaded: Loaded, spec: ModelSpec, messages: Sequence[Message], sampling: Sampling
) -> Iterator[Event | Memory]:
    """The events of one answer, then its memory. Leaving it stops the work at the next token."""
    yield Sent(time.monotonic())
    inputs = _inputs(loaded, spec, messages, sampling)
    prompt = int(inputs["input_ids"].shape[-1])
    config = _config(loaded.model, spec, sampling, prompt)
    gauge = _Gauge(loaded)
    tokens = _Tokens(loaded.tokenizer)
    options = {**inputs, "generation_config": config}
    work = threading.Thread(target=tokens.run, args=(loaded.model,), kwargs=options, name="generate", daemon=True)
    work.start()
    family = f"{spec.family} {spec.repository} {spec.source}"
    transcript, thought = Transcript(family, opened=spec.thinking and sampling.thinking is True), 0
    try:
        for text, at_s, count in tokens:
            said = transcript.say(text, at_s, count)
            thought = count if any(isinstance(each, Revised) or each.reasoning for each in said) else thought
            yield from said
    finally:
        tokens.left.set()
        work.join()
    now_s, ids = time.monotonic(), tokens.ids
    ended = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
    reason = "stop" if ids and ids[-1] in ended else "length"
    yield from transcript.end(cut_short=reason == "length")
    thought = thought if transcript.text(reasoning=True) else 0
    yield gauge.read()
    usage = Usage(prompt, thought, len(ids) - thought, source="server")
    yield Finished(reason, usage, now_s)


def _inputs(loaded: Loaded, spec: ModelSpec, messages: Sequence[Message], sampling: Sampling) -> Any:
    """Raises PromptError for what the chat template, or a model without one, does not take."""
    if loaded.continues:
        return _text_inputs(loaded, spec, messages)
    said = [
        {"role": message.role, "content": _parts(message) if spec.reads_images else scalar(message.text)}
        for message in messages
    ]
    asked = {} if sampling.thinking is None else {"enable_thinking": sampling.thinking}
    try:
        inputs = loaded.processor.apply_chat_template(
            said, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt", **asked
        )
    except TemplateError as error:
        raise PromptError(refused_by_template(spec.title or spec.key, str(error))) from error
    return inputs.to(loaded.model.device)


def _text_inputs(loaded: Loaded, spec: ModelSpec, messages: Sequence[Message]) -> Any:
    if any(message.images for message in messages):
        raise PromptError(f"{spec.title or spec.key} {asking.BLIND_TO_IMAGES}")
    reader = getattr(loaded.processor, "tokenizer", loaded.processor)
    return reader(scalar(asking.continued(messages)), return_tensors="pt").to(loaded.model.device)


def _parts(message: Message) -> list[dict[str, Any]]:
    pictures = [{"type": "image", "image": Picture.open(BytesIO(image.data))} for image in message.images]
    return [*pictures, {"type": "text", "text": scalar(message.text)}]


def _config(model: Any, spec: ModelSpec, sampling: Sampling, prompt: int) -> Any:
    """How to generate: the model's own way, with what was asked. Raises TooLongError."""
    limit = spec.context_tokens
    if limit is not None and prompt + 1 > limit:
        raise TooLongError(
            f"The prompt has {prompt:,} tokens; {spec.title or spec.key} reads {limit:,}. "
            "Shorten it or choose a model with a larger context."
        )
    config = copy.deepcopy(model.generation_config)
    most = sampling.max_tokens or MOST_TOKENS
    config.max_length, config.max_new_tokens = None, most if limit is None else min(most, limit - prompt)
    config.top_k = config.top_k if sampling.top_k is None else sampling.top_k
    config.min_p = config.min_p if sampling.min_p is None else sampling.min_p
    if sampling.temperature == 0:
        config.do_sample, config.temperature, config.top_p = False, None, None
        config.top_k, config.min_p = None, None
    elif sampling.temperature is not None or sampling.top_p is not None:
        config.do_sample = True
        config.temperature = config.temperature if sampling.temperature is None else sampling.temperature
        config.top_p = config.top_p if sampling.top_p is None else sampling.top_p
    if config.pad_token_id is None:
        config.pad_token_id = config.eos_token_id[0] if isinstance(config.eos_token_id, list) else config.eos_token_id
    if sampling.seed is not None:
        import torch

        torch.manual_seed(sampling.seed)
    return config


class _Gauge:
    """Memory of one answer on the GPU, where torch counts it by process."""

    def __init__(self, loaded: Loaded) -> None:
        import torch

        self._weights = loaded.weights_bytes
        self._cuda = torch.cuda if torch.cuda.is_available() else None
        if self._cuda:
            self._cuda.reset_peak_memory_stats()
            self._before = int(self._cuda.memory_allocated())

    def read(self) -> Memory:
        """Figures now, of this model alone: weights of others in the same process are not counted."""
        if not self._cuda:
            return Memory(self._weights, reason=SHARED)
        grown = max(0, int(self._cuda.max_memory_allocated()) - self._before)
        peak = self._weights + grown
        return Memory(self._weights, peak, self._weights, method=ALLOCATED, device_peak_bytes=peak)
