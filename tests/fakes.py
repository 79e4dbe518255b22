"""A scripted engine for tests: it says what it was told to say, when it was told to, without process or network."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from playground.engines.base import Stream
from playground.pool import Pool
from playground.types import (
    Answer,
    Comparison,
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
from tests.patience import LIMIT_S

Step = tuple[float, str] | threading.Event | Exception
"""Text after so many seconds; or wait for a gate; or fail. Text that starts with "?" is reasoning."""


class ScriptedWatch:
    """Memory that grows with each reading; fails instead when told to."""

    def __init__(self, error: Exception | None) -> None:
        self._error, self.reads = error, 0

    def read(self) -> Memory:
        self.reads += 1
        if self._error:
            raise self._error
        return Memory(weights_bytes=7, process_bytes=100, peak_bytes=100 + self.reads, method="scripted")


class ScriptedEngine:
    """Plays `script` at every question and `loading` before the first. Keeps what it was asked, and when it worked."""

    def __init__(
        self,
        key: str = "scripted",
        script: Sequence[Step] = ((0.0, "Hello"),),
        *,
        local: bool = False,
        loading: Sequence[Loading | threading.Event | Exception] = (),
        usage: Usage | None = None,
        memory_error: Exception | None = None,
    ) -> None:
        self.spec = ModelSpec(key=key, title=key.title(), engine="replay", source="script")
        self.local = local
        self.asked: list[tuple[tuple[Message, ...], Sampling]] = []
        self.work: list[tuple[float, float]] = []
        self.streams: list[Stream] = []
        self.aborted = threading.Event()
        self.ended = threading.Event()
        self.ready = not loading
        self.watch = ScriptedWatch(memory_error)
        self.script, self._loading = tuple(script), tuple(loading)
        self._usage = usage or Usage(answer_tokens=len(self.script), source="server")
        self._was_asked = False

    def prepare(self) -> Iterator[Loading]:
        if self.ready:
            return
        for step in self._loading:
            if isinstance(step, Loading):
                yield step
            elif isinstance(step, threading.Event):
                assert step.wait(LIMIT_S)
            else:
                raise step
        self.ready = True

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Stream:
        self.asked.append((tuple(messages), sampling))
        stopped = threading.Event()

        def abort() -> None:
            stopped.set()
            self.aborted.set()

        stream = Stream(self._events(stopped), abort)
        self.streams.append(stream)
        return stream

    def _events(self, stopped: threading.Event) -> Iterator[Event]:
        started_s = time.monotonic()
        try:
            yield Sent(started_s)
            yield from self._play(stopped)
        finally:  # before the last event: its reader need not come back for more
            self.work.append((started_s, time.monotonic()))
            self.ended.set()
        self._was_asked = True
        yield Finished("stop", self._usage, time.monotonic())

    def _play(self, stopped: threading.Event) -> Iterator[Delta]:
        for step in self.script:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, threading.Event):
                _wait_for(step, stopped)
            elif not stopped.wait(step[0]):
                yield Delta(step[1].removeprefix("?"), time.monotonic(), reasoning=step[1].startswith("?"))
            if stopped.is_set():
                raise ConnectionResetError("the socket was shut down")

    def state(self) -> EngineState:
        if not self.local:
            return EngineState("elsewhere")
        return EngineState("ready" if self.ready else "not_loaded")

    def cold(self) -> bool:
        return not self._was_asked

    def count_tokens(self, messages: Sequence[Message]) -> int | None:
        return None

    def watch_memory(self) -> ScriptedWatch:
        return self.watch

    def close(self) -> None:
        self.ready = False
        for stream in self.streams:
            stream.close()


def _wait_for(gate: threading.Event, stopped: threading.Event) -> None:
    until = time.monotonic() + LIMIT_S
    while not gate.wait(0.005):
        if stopped.is_set():
            return
        assert time.monotonic() < until, "nobody opened the gate"


def answer(model: str = "m", text: str = "four", **about: object) -> Answer:
    """A finished answer."""
    return replace(Answer(model, status="done", text=text, finish_reason="stop"), **about)


def comparison(left: Answer | None = None, right: Answer | None = None, battle_id: str = "b-1") -> Comparison:
    """A finished comparison."""
    return Comparison(battle_id, "in_turn", "left", left or answer("small"), right or answer("large"))


def stand_in(pool: Pool, engines: Mapping[str, ScriptedEngine]) -> None:
    """Let these engines answer for the models with their keys; a pool opens engines by row, and these have none."""
    opened = pool.engine
    pool.engine = lambda key: engines[key] if key in engines else opened(key)  # type: ignore[method-assign]
