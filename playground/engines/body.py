"""Writes a chat-completions request, and works out how a server that refuses it wants it. Does not send it."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground import asking
from playground.engines.pieces import scalar
from playground.types import Image, Message, Sampling

Body = Mapping[str, Any]

OPTIONAL = {
    "stream_options": r"stream_options|include_usage",
    "chat_template_kwargs": r"chat_template_kwargs|enable_thinking|thinking",
    "seed": "seed",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "presence_penalty": "presence_penalty",
    "temperature": "temperature",
}
"""Fields that an answer is possible without, each with what an error may call it by."""

UNNAMED = frozenset(OPTIONAL) - {"temperature"}
"""Those that are left out where a server refuses a request and names nothing: nearly every server takes the other."""

RENAMED = {"max_tokens": "max_completion_tokens"}
"""Fields that some servers want by another name."""

PLAIN = ("temperature", "top_p", "max_tokens", "seed", "top_k", "min_p", "presence_penalty")
"""Fields of `Sampling` that a request has under the same name."""

_COMPLAINT = re.compile(
    r"unknown|unsupported|not (?:be )?support|n't support|unrecogni|unexpected|extra|invalid|"
    r"not (?:permitted|allowed|available)|deprecated|only the default|instead|cannot be used|no longer",
    re.IGNORECASE,
)
"""How an error sounds that is about a field and not about its value."""
_RANGE = re.compile(
    r"\bbetween\b|(?:less|greater|larger|smaller|higher|lower) than|at (?:most|least)|maximum|"
    r"too (?:large|small|high|low|many)|minimum|\brange\b|exceed|[<>]=?",
    re.IGNORECASE,
)
"""How one sounds that is about a value, which its person must hear of."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a server wants to have left out of a request, or called otherwise."""

    left_out: frozenset[str] = frozenset()
    renamed: frozenset[str] = frozenset()

    def fulfil(self, body: Body) -> Body:
        """The request as the server wants it."""
        named = {RENAMED[name] if name in self.renamed else name: value for name, value in body.items()}
        return {name: value for name, value in named.items() if name not in self.left_out}

    def after(self, status: int, error: str, sent: Body, unnamed: bool = True) -> Wishes | None:
        """The wishes once this error is heeded, too; None where another request makes no sense. `unnamed`: an error
        that names nothing may mean any field."""
        if status not in (400, 422):
            return None
        about_field = status == 422 or bool(_COMPLAINT.search(error))
        about_value = bool(_RANGE.search(error))
        renamed = {
            old
            for old, new in RENAMED.items()
            if old in sent and (_names(new, error) or (_names(old, error) and about_field and not about_value))
        }
        named = {name for name, words in OPTIONAL.items() if name in sent and _names(words, error)}
        left_out = named if about_field and (status == 422 or not about_value) else set()
        left_out -= {"temperature"} if about_value else set()
        if status == 422 and unnamed and not (left_out or renamed):
            left_out = set(UNNAMED & sent.keys())
        return Wishes(self.left_out | left_out, self.renamed | renamed) if left_out or renamed else None

    def notices(self, body: Body) -> Iterator[str]:
        """What the person must know of the difference to the request that was wished for."""
        missing = [_SHOWN.get(name, name) for name in body if name in self.left_out and name != "stream_options"]
        if missing:
            yield f"Its server does not take {' and '.join(missing)}, and was asked without"
        if found := [name for name in body if name in self.renamed]:
            yield f"Its server wants {RENAMED[found[0]]} in place of {found[0]}, and was asked so"


_SHOWN = {"chat_template_kwargs": "the switch for thinking"}


def _names(words: str, error: str) -> bool:
    return bool(re.search(rf"(?<![\w-])(?:{words})(?![\w-])", error, re.IGNORECASE))


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


def _content(message: Message) -> str | list[dict[str, Any]]:
    text = scalar(message.text)
    if not message.images:
        return text
    parts = [{"type": "image_url", "image_url": {"url": _data_uri(image)}} for image in message.images]
    return [*parts, {"type": "text", "text": text}] if text else parts


def _data_uri(image: Image) -> str:
    return f"data:{image.media_type};base64,{b64encode(image.data).decode()}"
