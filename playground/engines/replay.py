"""Knows how to say again what was recorded, at the recorded times. Knows no model and opens no connection."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.engines.base import Stream
from playground.engines.pieces import scalar
from playground.errors import EngineError, RefusedError, StreamError
from playground.types import (
    Delta,
    EngineState,
    Event,
    Finished,
    Loading,
    Memory,
    Message,
    ModelSpec,
    Sampling,
    Sent,
    Usage,
)

SCHEMA = 1
PACKAGE = Path(__file__).resolve().parent.parent
PACKAGED = "package:"
"""How a source begins that is a file of this package."""
COUNTS = ("prompt_tokens", "reasoning_tokens", "answer_tokens", "cached_tokens")


@dataclass(frozen=True, slots=True)
class Spoken:
    """Text that came `after_s` seconds after the request."""

    after_s: float
    reasoning: bool
    text: str


@dataclass(frozen=True, slots=True)
class Take:
    """One recorded answer, for questions that contain `match` (any, where it is empty). `error` ends it, if given."""

    match: str
    events: tuple[Spoken, ...]
    finish_reason: str
    usage: Usage
    error: str


@dataclass(frozen=True, slots=True)
class Recording:
    """What one file holds: stages of a load, each with its seconds, and answers in order of preference. `made` says
    when and on what, in a sentence without its full stop; "" where nobody needs to know."""

    load: tuple[tuple[str, float], ...]
    answers: tuple[Take, ...]
    made: str = ""


class NoMemory:
    """Memory of a recording."""

    def read(self) -> Memory:
        """Nothing is held, and nothing is invented."""
        return Memory(reason="a recording holds no memory")


class ReplayEngine:
    """Plays a recording. It says of itself that it is one; times on its stamps are those at which it really played."""

    local = False

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self._lock = threading.Lock()
        self._recording: Recording | None = None
        self._loaded = False
        self._closed = threading.Event()
        self._streams: set[threading.Event] = set()

    def prepare(self) -> Iterator[Loading]:
        """Play the recorded load, once. A second caller waits for the first. Raises EngineError."""
        recording = self._read()
        self._closed.clear()
        with self._lock:
            if self._loaded:
                return
            for done, (stage, seconds) in enumerate(recording.load):
                yield Loading(f"{stage} (recorded)", done, len(recording.load))
                if self._closed.wait(seconds):
                    raise StreamError(f"{self.spec.title} was closed while it loaded; ask again.")
            self._loaded = True

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Stream:
        """Play the first answer that matches the last thing the person said. Raises EngineError."""
        stopped = threading.Event()
        events = self._play(messages, stopped)

        def abort() -> None:
            stopped.set()
            with suppress(ValueError):  # a thread is inside; it wakes up and ends the generator itself
                events.close()

        return Stream(events, abort)

    def _play(self, messages: Sequence[Message], stopped: threading.Event) -> Generator[Event, None, None]:
        take = self._find(messages)
        sent_s = time.monotonic()
        self._streams.add(stopped)
        try:
            yield Sent(sent_s)
            for spoken in take.events:
                if stopped.wait(max(0.0, sent_s + spoken.after_s - time.monotonic())):
                    raise StreamError(f"{self.spec.title} was closed while it answered; ask again.")
                yield Delta(spoken.text, time.monotonic(), spoken.reasoning)
            if take.error:
                raise RefusedError(take.error)
            yield Finished(take.finish_reason, take.usage, time.monotonic())
        finally:
            self._streams.discard(stopped)

    def _find(self, messages: Sequence[Message]) -> Take:
        asked = next((message.text for message in reversed(messages) if message.role == "user"), "")
        for take in self._read().answers:
            if take.match in asked:
                return take
        known = [take.match for take in self._read().answers][:8]
        raise StreamError(
            f"The recording {self.spec.source.removeprefix(PACKAGED)} has no answer to this prompt; ask what was "
            f"recorded ({'; '.join(text[:80] for text in known)}), or choose a model that answers anything."
        )

    def _read(self) -> Recording:
        if self._recording is None:
            source = self.spec.source
            inside = source.startswith(PACKAGED)
            self._recording = read(PACKAGE / source.removeprefix(PACKAGED) if inside else Path(source))
        return self._recording

    def made(self) -> str:
        """When and on what it was recorded, if the file says so. Raises EngineError."""
        return self._read().made

    def state(self) -> EngineState:
        """Ready at all times: there is nothing to start."""
        return EngineState("ready")

    def cold(self) -> bool:
        """A recording does not warm up."""
        return False

    def count_tokens(self, messages: Sequence[Message]) -> int | None:
        """Unknown: there is no tokenizer."""
        return None

    def watch_memory(self) -> NoMemory:
        """No figure, with the reason."""
        return NoMemory()

    def close(self) -> None:
        """End every stream; the load is played again at the next use."""
        self._loaded = False
        self._closed.set()
        for stopped in tuple(self._streams):
            stopped.set()


# --- reading a file ---------------------------------------------------------------------------------------------------


class _Wrong(Exception):
    """What is wrong in a file, and where."""


def read(path: Path) -> Recording:
    """The recording in a JSON file. Raises EngineError that names the file and what is wrong in it."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return _recording(_object(value, "the file"))
    except OSError as error:
        raise EngineError(f"The recording {path} cannot be read ({error.strerror}); correct `source`.") from error
    except (ValueError, RecursionError) as error:
        raise EngineError(f"The recording {path} is not JSON: {error}. Correct it or record it again.") from error
    except _Wrong as error:
        raise EngineError(f"The recording {path} is wrong: {error}. Correct it or record it again.") from error


def _recording(value: Mapping[str, Any]) -> Recording:
    _known(value, "the file", ("schema", "model", "made", "load", "answers"))
    if value.get("schema") != SCHEMA:
        raise _Wrong(f'"schema" must be {SCHEMA}, not {value.get("schema")!r}')
    answers = tuple(_take(item, f"answers[{n}]") for n, item in enumerate(_list(value.get("answers"), "answers")))
    load = tuple(_stage(item, f"load[{n}]") for n, item in enumerate(_list(value.get("load", []), "load")))
    return Recording(load, answers, _string(value.get("made", ""), "made"))


def _take(value: object, where: str) -> Take:
    take = _object(value, where)
    _known(take, where, ("match", "events", "finish_reason", "usage", "error"))
    events = _list(take.get("events", []), f"{where}.events")
    return Take(
        match=_string(take.get("match", ""), f"{where}.match"),
        events=tuple(_spoken(item, f"{where}.events[{n}]") for n, item in enumerate(events)),
        finish_reason=_string(take.get("finish_reason", "stop"), f"{where}.finish_reason"),
        usage=_usage(take.get("usage", {}), f"{where}.usage"),
        error=_string(take.get("error") or "", f"{where}.error"),
    )


def _spoken(value: object, where: str) -> Spoken:
    match value:
        case [after_s, "text" | "reasoning" as kind, str(text)] if text:
            return Spoken(_seconds(after_s, where), kind == "reasoning", scalar(text))
    raise _Wrong(f'{where} must be [seconds, "text" or "reasoning", "some words"]')


def _stage(value: object, where: str) -> tuple[str, float]:
    match value:
        case [str(stage), seconds]:
            return stage, _seconds(seconds, where)
    raise _Wrong(f"{where} must be [stage, seconds]")


def _usage(value: object, where: str) -> Usage:
    usage = _object(value, where)
    _known(usage, where, (*COUNTS, "source"))
    counts = {name: _checked(usage.get(name), _is_count, f"{where}.{name} must be a whole number") for name in COUNTS}
    source = usage.get("source", "server")
    match source:
        case "server" | "tokenizer":
            return Usage(**counts, source=source)
        case "estimate":  # recorded when chunks were still taken for tokens
            return Usage(counts["prompt_tokens"], cached_tokens=counts["cached_tokens"])
    raise _Wrong(f"{where}.source must be server or tokenizer")


def _is_count(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


def _seconds(value: object, where: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= threading.TIMEOUT_MAX:
        return float(value)
    raise _Wrong(f"{where}: seconds must be a number that is not negative")


def _known(value: Mapping[str, Any], where: str, names: Sequence[str]) -> None:
    for name in value:
        if name not in names:
            raise _Wrong(f'"{name}" in {where} is not a field; there are {", ".join(names)}')


def _checked(value: Any, right: Callable[[object], bool], wrong: str) -> Any:
    if not right(value):
        raise _Wrong(wrong)
    return value


def _object(value: object, where: str) -> Mapping[str, Any]:
    checked: Mapping[str, Any] = _checked(value, lambda it: isinstance(it, dict), f"{where} must be an object")
    return checked


def _list(value: object, where: str) -> Sequence[object]:
    checked: Sequence[object] = _checked(value, lambda it: isinstance(it, list), f"{where} must be a list")
    return checked


def _string(value: object, where: str) -> str:
    checked: str = _checked(value, lambda it: isinstance(it, str), f"{where} must be text")
    return checked
