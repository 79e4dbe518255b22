"""Knows what the chunks of a chat completion say. Does not know how they arrive, nor how one is asked for.

Servers differ: thinking comes as `reasoning`, as `reasoning_content` or in tags inside `content`; usage in the last
chunk with a choice or in one without; an error may come in a stream that began well. llama.cpp adds `timings`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from playground.engines.thinking import ThinkSplitter
from playground.types import Delta, Event, Finished, Usage


class ErrorInside(Exception):
    """The server says in the stream that it failed; `str()` is what it said."""


class NotJson(Exception):
    """What came is not JSON; `str()` is its beginning."""


class Chunks:
    """Reads the chunks of one answer. `reason` is the finish reason once it came, `done` that nothing will follow."""

    def __init__(self, opened: bool = False) -> None:
        self.reason = ""
        self.done = False
        self._at_s = 0.0
        self._splitter: ThinkSplitter | None = ThinkSplitter(opened)
        self._usage: Mapping[str, Any] = {}
        self._now: Mapping[str, Any] = {}
        self._timings: Mapping[str, Any] = {}
        self._chars = {True: 0, False: 0}

    def read(self, data: str, at_s: float) -> list[Delta]:
        """The text in one event's data. Raises ErrorInside, NotJson."""
        self._at_s = at_s
        if data.strip() == "[DONE]":
            self.done = True
            return []
        return [delta for value in _values(data) for delta in self._read_chunk(_dict(value), at_s)]

    def finish(self) -> Iterator[Event]:
        """Text that was held back, then the last event of the answer, both of the moment of the last read."""
        self._now = {}  # by now the end token may be in it
        yield from self._deltas(self._splitter.end() if self._splitter else [], self._at_s)
        server = {name: number for name, value in self._timings.items() if (number := _number(value)) is not None}
        yield Finished(self.reason, self._count(), self._at_s, server)

    def _read_chunk(self, chunk: Mapping[str, Any], at_s: float) -> list[Delta]:
        if chunk.get("error"):
            raise ErrorInside(said(chunk))
        self._usage = _dict(chunk.get("usage")) or self._usage
        self._timings = _dict(chunk.get("timings")) or self._timings
        self._now = _dict(chunk.get("timings")) or _dict(chunk.get("usage"))
        choices = chunk.get("choices")
        choice = _dict(choices[0]) if isinstance(choices, list) and choices else {}
        self._usage = _dict(choice.get("usage")) or self._usage
        message = _dict(choice.get("delta")) or _dict(choice.get("message")) or {"content": choice.get("text")}
        deltas = self._text(message, at_s)
        self.reason = _text(choice.get("finish_reason")) or self.reason
        return deltas

    def _text(self, message: Mapping[str, Any], at_s: float) -> list[Delta]:
        pieces: list[tuple[str, bool]] = []
        if thought := _text(message.get("reasoning_content")) or _text(message.get("reasoning")):
            # this server parts thinking itself, so tags in the answer are part of the answer
            pieces += [*(self._splitter.end() if self._splitter else []), (thought, True)]
            self._splitter = None
        if content := _text(message.get("content")):
            pieces += self._splitter.feed(content) if self._splitter else [(content, False)]
        return self._deltas(pieces, at_s)

    def _deltas(self, pieces: list[tuple[str, bool]], at_s: float) -> list[Delta]:
        for text, reasoning in pieces:
            self._chars[reasoning] += len(text)
        found = [Delta(scalar(text), at_s, reasoning) for text, reasoning in pieces]
        if found and (tokens := self._so_far()) is not None:
            found[-1] = replace(found[-1], tokens=tokens)
        return found

    def _so_far(self) -> int | None:
        """Tokens by now, of a server that counts as it goes (llama.cpp with `timings_per_token`, vLLM with
        `continuous_usage_stats`). What a chunk before the last one said is not about this chunk."""
        return _whole(self._now.get("predicted_n") or self._now.get("completion_tokens"))

    def _count(self) -> Usage:
        """Tokens as the server counted them: thinking and answer undivided where it does not tell them apart, nothing
        where it did not count."""
        details = _dict(self._usage.get("prompt_tokens_details"))
        cached = _whole(details.get("cached_tokens"))
        if cached is None:
            cached = _whole(self._timings.get("cache_n"))
        prompt, output = _whole(self._usage.get("prompt_tokens")), _whole(self._usage.get("completion_tokens"))
        if output is None:
            return Usage(prompt, None, None, cached, None if prompt is None and cached is None else "server")
        thought = _whole(_dict(self._usage.get("completion_tokens_details")).get("reasoning_tokens"))
        if not self._chars[True]:
            # without visible thinking only a server's own figure above 0 says that some was hidden
            thought = thought or 0
        if thought is not None and thought <= output:
            return Usage(prompt, thought, output - thought, cached, "server")
        return Usage(prompt, None, None, cached, "server", undivided_tokens=output)


def said(body: Mapping[str, Any]) -> str:
    """What an error object says, in whichever of the usual places; "" when it says nothing."""
    error = body.get("error")
    for place in (
        _dict(error).get("message"),
        error,
        body.get("detail"),
        body.get("message"),
        _dict(error).get("type"),
    ):
        if isinstance(place, str) and place.strip():
            return place
        if isinstance(place, list) and place:
            return json.dumps(place)[:2000]
    return json.dumps(error)[:2000] if error else ""


def scalar(text: str) -> str:
    """The text with each lone surrogate, which no encoding can carry, replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _values(data: str) -> list[Any]:
    """JSON values of one event: one, or one in each line where a server leaves out the empty line between events."""
    if not data.strip():
        return []
    try:
        return [json.loads(data)]
    except (ValueError, RecursionError) as error:
        lines = data.splitlines()
        if len(lines) < 2:
            raise NotJson(data[:200]) from error
    return [value for line in lines if line.strip() != "[DONE]" for value in _values(line)]


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _whole(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number >= 0 else None
