"""Knows what a chat-completions request says, and which of its fields a server may refuse. Does not send it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from playground import asking
from playground.engines.chunks import scalar
from playground.types import Image, Message, Sampling

Body = Mapping[str, Any]

OPTIONAL = {
    "stream_options": ("stream_options", "include_usage"),
    "chat_template_kwargs": ("chat_template_kwargs", "enable_thinking"),
    "seed": ("seed",),
    "top_p": ("top_p",),
    "top_k": ("top_k",),
    "min_p": ("min_p",),
    "presence_penalty": ("presence_penalty",),
}
"""Fields that an answer is possible without, each with the words that an error may call it by."""

PLAIN = ("temperature", "top_p", "max_tokens", "seed", "top_k", "min_p", "presence_penalty")
"""Fields of `Sampling` that a request has under the same name."""

COMPLAINTS = ("unknown", "unsupported", "not supported", "unrecogni", "unexpected", "extra", "not permitted", "invalid")


def build(model: str, messages: Sequence[Message], sampling: Sampling) -> Body:
    """The request, with only those sampling fields that somebody chose."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": message.role, "content": _content(message)} for message in messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    chosen = {name: getattr(sampling, name) for name in PLAIN}
    body |= {name: value for name, value in chosen.items() if value is not None}
    if sampling.thinking is not None:
        body["chat_template_kwargs"] = {"enable_thinking": sampling.thinking}
    return body


def plain(model: str, messages: Sequence[Message], sampling: Sampling) -> Body:
    """The request to a model that has no chat template: the conversation as one text, which it continues."""
    body = build(model, (), sampling)
    left = {name: value for name, value in body.items() if name not in ("messages", "chat_template_kwargs")}
    return left | {"prompt": scalar(asking.continued(messages))}


def encode(body: Body) -> bytes:
    """JSON for the wire. Text is free of lone surrogates by then, so it always has an encoding."""
    return json.dumps(body, ensure_ascii=False).encode()


def refused(status: int, error: str, body: Body) -> frozenset[str]:
    """The optional fields that this error names. A 400 must also sound as if it were about a field."""
    text = error.lower()
    if status not in (400, 422) or (status == 400 and not any(word in text for word in COMPLAINTS)):
        return frozenset()
    return frozenset(name for name, words in OPTIONAL.items() if name in body and any(word in text for word in words))


def _content(message: Message) -> str | list[dict[str, Any]]:
    text = scalar(message.text)
    if not message.images:
        return text
    parts = [{"type": "image_url", "image_url": {"url": _data_uri(image)}} for image in message.images]
    return [*parts, {"type": "text", "text": text}] if text else parts


def _data_uri(image: Image) -> str:
    return f"data:{image.media_type};base64,{b64encode(image.data).decode()}"
