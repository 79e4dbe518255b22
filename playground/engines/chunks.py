"""Reads what the chunks of a chat completion say. Does not know how they arrive, nor how one is asked for.

Servers differ in where they put text, thinking, counts and errors: the table of tests names who does what.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from playground.engines import faults, markers
from playground.engines.reasons import FINE, named
from playground.engines.sse import ServerEvent
from playground.engines.transcript import Text, Transcript
from playground.engines.usage import Counts, Seen, mapping
from playground.types import Event, Finished, Noticed

Json = Mapping[str, Any]

THINKING = (
    *("reasoning_content", "reasoning", "thinking", "thinking_content", "thought", "reasoning_text"),
    *("reasoning_details", "thinking_blocks"),
)
"""Where thinking may stand; a server that fills several says the same in each."""

_TEXTS = ("text", "thinking", "reasoning", "content", "summary", "refusal", "reasoning_content")
"""Where a part of a message or of a thought holds its text."""

_TOOL = "the call of a tool"
_INSTEAD = {
    "tool_calls": _TOOL,
    "function_call": _TOOL,
    "audio": "sound",
    "images": "a picture",
}
"""What else a message may hold."""

_DEEPEST = 8
_SHOWN = 3


class ErrorInside(Exception):
    """The server says in the stream that it failed; `str()` is what it said."""


class NotJson(Exception):
    """What came is not JSON; `str()` is its beginning."""


class NothingToShow(Exception):
    """The answer ended without text; `str()` says what there was instead."""


class BadReason(Exception):
    """The server ended the answer for a reason that tells of a failure; `str()` is that word."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the reader must know of the request: the model's name, whether it was asked to think (None: nobody said),
    whether its text probably begins as thinking, and the key that must not come back."""

    model: str = ""
    thinking: bool | None = None
    opened: bool = False
    secret: str | None = None


class Chunks:
    """Reads the chunks of one answer. `reason` is the finish reason once it came and no text came after it, `done` that
    nothing will follow."""

    def __init__(self, asked: Asked = Asked()) -> None:
        self.reason = ""
        self.done = False
        self._asked = asked
        self._at_s = 0.0
        self._transcript = Transcript(asked.model, opened=asked.opened, secret=asked.secret)
        self._counts = Counts()
        self._said: list[str] = []  # as it came, to know a message that repeats it
        self._said_chars = 0
        self._tokens: int | None = None
        self._last_reason = ""
        self._instead = ""
        self._refused = False

    def read(self, event: ServerEvent, at_s: float) -> Iterator[Text]:
        """The text in one event. Raises ErrorInside, NotJson."""
        self._at_s = at_s
        if event.name == "error":
            raise ErrorInside(faults.of_body(event.data))
        if event.data.strip() == "[DONE]":
            # the server says itself that this was all: the reason it gave last counts, also if text came after it
            self.done, self.reason = True, self.reason or self._last_reason
            return
        for value in _values(event.data):
            for chunk in value if isinstance(value, list) else [value]:
                yield from self._chunk(mapping(chunk), at_s)

    def rest(self) -> Iterator[Text]:
        """Text that was held back, when no more comes."""
        cut_short = not self.reason or (
            self.reason == "length" and bool(markers.TEMPLATE_OPENS.search(self._asked.model))
        )
        yield from self._transcript.end(cut_short)

    def finish(self) -> Iterator[Event]:
        """The last event of the answer, of the moment of the last read. Raises BadReason, NothingToShow."""
        transcript, asked = self._transcript, self._asked
        if self.reason not in FINE:
            raise BadReason(self.reason)
        if asked.thinking is False and transcript.fielded and not transcript.text(reasoning=False).strip():
            yield from transcript.all_is_answer()
        if not transcript.text(reasoning=False).strip():
            raise NothingToShow(self._why_nothing())
        yield from map(Noticed, self._notices())
        yield Finished(self.reason, self._counts.usage(self._seen()), self._at_s, self._counts.timings)

    # --- one chunk ---------------------------------------------------------------------------------------------------

    def _chunk(self, chunk: Json, at_s: float) -> Iterator[Text]:
        choice = _choice(chunk.get("choices"))
        self._counts.read(chunk, choice)
        self._tokens = self._counts.so_far(chunk)
        delta, message = mapping(choice.get("delta")), mapping(choice.get("message"))
        if delta:
            yield from self._fields(delta, at_s)
        if message and (delta or self._said):
            yield from self._rest(message, at_s)
        elif not delta:
            yield from self._fields(message or {"content": choice.get("text")}, at_s)
        if (said := faults.fault(chunk)) is not None:
            raise ErrorInside(said)
        self._end(choice.get("finish_reason"))

    def _end(self, word: object) -> None:
        if reason := named(word):
            self.reason = self._last_reason = reason
            self._refused = self._refused or word == "refusal"
            self._instead = _TOOL if reason == "tool_calls" else self._instead

    def _rest(self, message: Json, at_s: float) -> Iterator[Text]:
        """What a whole message says beyond what came in pieces."""
        content = message.get("content")
        if isinstance(content, str) and len(content) > self._said_chars:
            before = "".join(self._said)
            if content.startswith(before):
                yield from self._say(content[len(before) :], at_s)

    def _fields(self, message: Json, at_s: float) -> Iterator[Text]:
        thought, parts = _thought(message), list(_parts(message.get("content")))
        tokens, self._tokens = self._tokens, None if parts else self._tokens
        yield from self._think(thought, at_s)
        for number, (text, kind) in enumerate(parts, start=1):
            self._tokens = tokens if number == len(parts) else None
            yield from self._think(text, at_s) if kind == "thinking" else self._say(text, at_s)
            self._refused = self._refused or kind == "refusal"
        if refusal := _flat(message.get("refusal")):
            self._refused = True
            yield from self._say("" if refusal == message.get("content") else refusal, at_s)
        self._instead = next((words for name, words in _INSTEAD.items() if message.get(name)), self._instead)

    def _say(self, text: str, at_s: float) -> Iterator[Text]:
        if text:
            self.reason = "" if text.strip() else self.reason  # it goes on after all
            self._said.append(text)
            self._said_chars += len(text)
            yield from self._transcript.say(text, at_s, self._tokens)

    def _think(self, text: str, at_s: float) -> Iterator[Text]:
        if text:
            self.reason = "" if text.strip() else self.reason
            yield from self._transcript.think(text, at_s, self._tokens)

    # --- the end -----------------------------------------------------------------------------------------------------

    def _seen(self) -> Seen:
        thought, answer = (self._transcript.text(reasoning) for reasoning in (True, False))
        return Seen(len(thought), len(answer), len(answer.encode()))

    def _notices(self) -> Iterator[str]:
        if self._refused:
            yield "Its server marks this answer as a refusal"
        elif self.reason == "content_filter":
            yield "A content filter of its server ended this answer"
        if cut := list(dict.fromkeys(self._transcript.cut)):
            yield f"Its server left {' '.join(cut[:_SHOWN])} at the end, which is cut off here"

    def _why_nothing(self) -> str:
        if self._instead or self._transcript.hidden:
            return f"answered with {self._instead or _TOOL} and no text, which cannot be compared here"
        if self.reason == "content_filter":
            return "gave no answer: a content filter of its server ended it"
        if self._transcript.text(reasoning=True).strip():
            spent = "used up its tokens thinking" if self.reason == "length" else "thought, and ended"
            return f"{spent} without an answer"
        return "ended its answer without a word"


def _choice(choices: object) -> Json:
    """The first choice; others would be further answers, which nobody asked for."""
    found = [mapping(each) for each in choices] if isinstance(choices, list) else []
    return next((choice for choice in found if choice.get("index") in (0, "0", None)), {})


def _thought(message: Json) -> str:
    """The thinking in a message, from the first of its usual places that holds any."""
    inner = mapping(message.get("provider_specific_fields"))
    return next((text for holder in (message, inner) for name in THINKING if (text := _flat(holder.get(name)))), "")


def _parts(content: object) -> Iterator[tuple[str, str]]:
    """The texts of a message's content, each with what it is: text, thinking or refusal."""
    for part in content if isinstance(content, list) else [content]:
        kind = str(mapping(part).get("type", "text"))
        if text := _flat(part):
            yield text, "thinking" if "think" in kind or "reason" in kind or "summary" in kind else kind


def _flat(value: object, depth: int = 0) -> str:
    """The text in a value, however deep: a text, a list of them, or an object that holds it in a usual field."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and depth < _DEEPEST:
        return "".join(_flat(each, depth + 1) for each in value)
    if isinstance(value, dict) and depth < _DEEPEST:
        return next((text for name in _TEXTS if (text := _flat(value.get(name), depth + 1))), "")
    return ""


def _values(data: str) -> list[Any]:
    """JSON values of one event: one, or one in each line where a server leaves out the empty line between events."""
    if not data.strip():
        return []
    try:
        return [json.loads(data)]
    except (ValueError, RecursionError) as error:
        lines = data.split("\n")  # not splitlines: JSON may hold U+2028
        if len(lines) < 2:
            raise NotJson(data[:200]) from error
    return [value for line in lines if line.strip() != "[DONE]" for value in _values(line)]
