"""Finds errors in what a server sends, and the words in which it tells of them, wherever it puts either."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

MOST_CHARS = 2_000
_DEEPEST = 8
_SHOWN = 3

_ERRORS = ("error", "errors", "error_msg", "error_message", "errorMessage", "err_msg", "errmsg", "exception")
"""Fields that only an error has."""
_WORDS = (
    *("error", "errors", "message", "msg", "error_msg", "error_message", "errorMessage", "err_msg", "errmsg"),
    *("error_description", "detail", "details", "description", "reason", "status_msg", "statusText", "title", "text"),
    *("exception", "type", "code", "status"),
)
"""Fields that hold the words, the plainest first."""
_TRACE = "Traceback (most recent call last)"


def fault(chunk: Json) -> str | None:
    """What the server says went wrong, "" where it does not say what, and None where nothing did."""
    if _errs(chunk):
        return said(chunk)
    base = chunk.get("base_resp")
    if isinstance(base, dict) and base.get("status_code"):  # MiniMax
        return said(base)
    groq = chunk.get("x_groq")
    if isinstance(groq, dict) and _real(groq.get("error")):
        return said(groq)
    for choice in _dicts(chunk.get("choices")):
        for holder in (choice, *_dicts([choice.get("delta"), choice.get("message")])):
            if _real(holder.get("error")):
                return said(holder.get("error"))
    return None


def _errs(chunk: Json) -> bool:
    if any(_real(chunk.get(name)) for name in _ERRORS) or "error" in (
        chunk.get("object"),
        chunk.get("type"),
        chunk.get("status"),
    ):
        return True
    if chunk.get("choices") or chunk.get("usage"):
        return False
    message = chunk.get("message")
    return (
        bool(chunk.get("detail"))
        or (isinstance(message, str) and bool(message.strip()))
        or chunk.get("success") is False
    )


def _real(value: object, depth: int = 0) -> bool:
    """There is something in it: some send an empty error with every chunk."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return depth < _DEEPEST and any(_real(each, depth + 1) for each in inner)
    return bool(value.strip()) if isinstance(value, str) else bool(value)


def said(value: object) -> str:
    """The words of an error in one line; "" where it has none."""
    words = " ".join(_words(value, 0).split())
    return words[:MOST_CHARS]


def of_body(body: str) -> str:
    """The words of an error that came as a whole answer: those of its JSON, or its first line; "" for a web page."""
    text = body.strip().removeprefix("\ufeff")
    if text.startswith("<"):
        return ""
    for each in (text, *_payloads(text)):
        if (value := _json(each)) is not None:
            return said(value)
    return text


def _payloads(text: str) -> Iterator[str]:
    """What stands behind the names of fields, where the body is a stream of events."""
    for line in re.split(r"\r\n|\n|\r", text):
        name, _, value = line.partition(":")
        if name in ("data", "error"):
            yield value.strip()


def _words(value: object, depth: int) -> str:
    if depth > _DEEPEST:
        return ""
    if isinstance(value, str):
        return _of_text(value, depth)
    if isinstance(value, dict):
        return _of_object(value, depth)
    if isinstance(value, list):
        found = [words for each in value[:_SHOWN] if (words := _words(each, depth + 1))]
        return "; ".join(dict.fromkeys(found))
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _of_text(text: str, depth: int) -> str:
    """A text that is JSON itself is read; of a traceback the last line says what happened."""
    if text.lstrip()[:1] in ("{", "[") and (value := _json(text)) is not None:
        return _words(value, depth + 1) or text
    if _TRACE in text:
        return text.strip().splitlines()[-1]
    return text.strip()


def _of_object(value: Json, depth: int) -> str:
    words = next((found for name in _WORDS if (found := _words(value.get(name), depth + 1))), "")
    if isinstance(place := value.get("loc"), list):  # FastAPI names the field apart
        words = ": ".join(filter(None, (".".join(map(str, place)), words)))
    metadata = value.get("metadata")
    inner = _words(metadata.get("raw"), depth + 1) if isinstance(metadata, dict) else ""
    if inner and inner not in words:  # a router quotes whom it asked
        return f"{words}: {inner}" if words else inner
    field = value.get("param")
    if isinstance(field, str) and field and words and field not in words:
        return f"{words} ({field})"
    return words


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _dicts(value: object) -> Sequence[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
