"""Knows what may be sent to a model, and in which form. Sends nothing.

The rule that matters most: a model that does not read images never gets one. Servers drop it without a word, and the
model then invents what it saw.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace

from playground.errors import PromptError
from playground.types import Message, ModelSpec, Sampling

IMAGE_PIXELS = 750
"""Pixels for each token, about the most that servers make of a picture."""
_UNSENDABLE = re.compile("[\ud800-\udfff\x00]")

BLIND_NOTICE = "cannot see images, got the text only"
BLIND_TO_IMAGES = (
    "has no chat template, so it continues text and cannot be shown images. Take them out, or choose another model."
)
CONTINUES_NOTICE = "A base model: it has no chat template, so it continues your text and does not answer it"


def clean(text: str) -> str:
    """The text without what nothing can send or show: lone surrogates and NUL become U+FFFD."""
    return _UNSENDABLE.sub("\ufffd", text)


def checked(text: str, images: Sequence[object]) -> str:
    """The text as it may be sent. Raises PromptError for a prompt with neither words nor images.

    Lone surrogates cannot be written as UTF-8 and NUL ends strings in C: both become U+FFFD. Other control characters
    are the person's own.
    """
    sent = clean(text)
    if not sent.strip() and not images:
        raise PromptError("The prompt is empty. Write a question, or add an image.")
    return sent


def fit_to(spec: ModelSpec, messages: Sequence[Message]) -> tuple[tuple[Message, ...], str]:
    """The messages as this model may get them, and a notice when it loses the images."""
    if spec.reads_images or not any(message.images for message in messages):
        return tuple(messages), ""
    return tuple(replace(message, images=()) for message in messages), BLIND_NOTICE


def unsayable(spec: ModelSpec, message: Message, sent: Message) -> str:
    """Why this model cannot be asked that message, when fitting it left nothing of it; "" when it can."""
    if sent.text.strip() or sent.images or not message.images:
        return ""
    return (
        f"{spec.title} cannot see images, and the prompt has no text. "
        "Write a question too, or choose a model that reads images."
    )


NAMED = 3
"""So many models are named where many would do."""


def refuse_unseen(specs: Iterable[ModelSpec], catalog: Iterable[ModelSpec]) -> None:
    """Raise PromptError when no model of the pair reads images; it names a few models that do."""
    pair = list(specs)
    if any(spec.reads_images for spec in pair):
        return
    readers = [spec.title for spec in catalog if spec.reads_images]
    names = " and ".join(dict.fromkeys(spec.title for spec in pair))
    others = f", or one of {len(readers) - NAMED} others" if len(readers) > NAMED else ""
    hint = (
        f"Choose one that does: {', '.join(readers[:NAMED])}{others}."
        if readers
        else "No configured model does; add one with --models."
    )
    raise PromptError(f"{names} cannot see images, so nothing was sent. {hint}")


def recommended(spec: ModelSpec, asked: Sampling) -> Sampling:
    """What the model's makers recommend for what is asked: some say one thing for a thought, another for an answer."""
    wish = asked.thinking if asked.thinking is not None else spec.sampling.thinking
    thinks = spec.thinks_unasked if wish is None else wish
    return merge(spec.sampling_thinking, spec.sampling) if thinks and spec.sampling_thinking else spec.sampling


def merge(asked: Sampling, recommended: Sampling) -> Sampling:
    """What was asked for, and where nothing was, what the model's makers recommend."""
    values = {f.name: getattr(asked, f.name) for f in fields(Sampling)}
    return Sampling(**{k: getattr(recommended, k) if v is None else v for k, v in values.items()})


def continued(messages: Sequence[Message]) -> str:
    """The conversation as one text to go on with, for a model without a chat template.

    What the model said stands directly behind what it continued; an empty line parts turns.
    """
    text = ""
    for message in messages:
        text += message.text if message.role == "assistant" or not text else f"\n\n{message.text}"
    return text


def conversation(system: str, history: Sequence[Message], message: Message) -> tuple[Message, ...]:
    """The messages of one request: system prompt if any, earlier turns, the new one; all of it can be sent."""
    head = (Message("system", system.strip()),) if system.strip() else ()
    return tuple(replace(m, text=clean(m.text)) for m in (*head, *history, message))


def most_tokens(messages: Sequence[Message]) -> int:
    """At most about so many tokens: half the bytes, which no tokenizer of today exceeds in prose of any script, and the
    pictures by their size."""
    words = sum(len(message.text.encode("utf-8", "replace")) // 2 + 8 for message in messages)
    pictures = sum(image.width * image.height // IMAGE_PIXELS + 1 for message in messages for image in message.images)
    return words + pictures
