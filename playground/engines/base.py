"""Knows the promise that every engine keeps. Knows no engine.

The promise, kept by all and tested by one contract test (`tests/engines/test_contract.py`):

1. `prepare()` yields `Loading` while the model is on its way and ends when it can answer; at once if it can already.
   Two callers at the same time share one load.
2. `stream()` yields `Sent`, then any number of `Delta` (never empty), then one `Finished` that carries the usage. Where
   the request is made again there is a `Sent` for each, with a `Busy` before the next one if that is waited for.
   Between them may stand `Revised`, which replaces all text so far, and `Noticed`.
   Stamps are of `time.monotonic()`, taken when the bytes left the socket, and never go back.
3. Closing the stream stops the work: the server computes no further token.
4. Nothing but `playground.errors.EngineError` and `PromptError` comes out of `prepare()` and `stream()`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Protocol, runtime_checkable

from playground.types import EngineState, Event, Interference, Loading, Memory, Message, ModelSpec, Sampling


class Stream(Iterator[Event]):
    """The events of one answer. `close()` may be called from any thread, any number of times.

    A generator cannot be closed while another thread waits inside it, so `abort` must wake that wait (for a socket:
    shut it down). What the wake-up raises inside the generator is swallowed here, because it was asked for. `abort` is
    called once more by whoever reads on or leaves: a generator that was just yielding can only be closed then.
    """

    def __init__(self, events: Iterator[Event], abort: Callable[[], None]) -> None:
        self._events, self._abort = events, abort
        self._closed = threading.Event()

    def __next__(self) -> Event:
        if not self._closed.is_set():
            try:
                return next(self._events)
            except Exception:
                if not self._closed.is_set():  # else the error is the wake-up itself
                    raise
        self._abort()
        raise StopIteration

    def close(self) -> None:
        """Stop the work and end the iteration."""
        self._closed.set()
        self._abort()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MemoryWatch(Protocol):
    """Memory of one model over one answer, from the moment the watch was made."""

    def read(self) -> Memory:
        """Figures so far; cheap enough for a few calls a second."""
        ...


@runtime_checkable
class InterferenceWatch(Protocol):
    """A watch that also measures what else ran on the machine meanwhile."""

    def interference(self) -> Interference:
        """Shares so far; cheap enough for a few calls a second."""
        ...


def interfered(watch: MemoryWatch) -> Interference:
    """What that watch has measured of the machine, nothing where it measures none."""
    return watch.interference() if isinstance(watch, InterferenceWatch) else Interference()


@runtime_checkable
class Threaded(Protocol):
    """An engine that computes on CPUs of this machine with so many threads, None where its server chooses."""

    threads: int | None


def threads_of(engine: Engine) -> int | None:
    """How many threads its model is given; None where that is not known."""
    return engine.threads if isinstance(engine, Threaded) else None


class Engine(Protocol):
    """One model that can answer. Opened by `engines.open_engine`, closed by whoever opened it."""

    spec: ModelSpec
    local: bool
    """Runs on this machine, so it competes with other local engines for the device."""

    def prepare(self) -> Iterator[Loading]:
        """Bring the model to where it can answer. Raises EngineError."""
        ...

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Stream:
        """Ask; the request is sent at the first `next()`. Raises EngineError, PromptError."""
        ...

    def state(self) -> EngineState:
        """Where the model is now. Never blocks."""
        ...

    def cold(self) -> bool | None:
        """True until one answer has come to its end since the last load; None where somebody else runs the model."""
        ...

    def count_tokens(self, messages: Sequence[Message]) -> int | None:
        """Tokens of the prompt by the model's own tokenizer, or None where it cannot be asked cheaply."""
        ...

    def watch_memory(self) -> MemoryWatch:
        """Start watching memory for one answer."""
        ...

    def close(self) -> None:
        """End what was started. The engine may be prepared again."""
        ...


@runtime_checkable
class Telling(Protocol):
    """An engine that knows something about all its answers that the person must know."""

    def notice(self) -> str:
        """That fact, without a full stop; "" for none. It is known when the model is ready."""
        ...


def noticed(engine: Engine) -> str:
    """What the engine tells, "" where it tells nothing."""
    return engine.notice() if isinstance(engine, Telling) else ""


@runtime_checkable
class Counting(Protocol):
    """An engine whose tokenizer is here."""

    def count_text(self, text: str) -> int | None:
        """Tokens of a text that the model wrote; None while that is not known. Quick, and without I/O."""
        ...


def text_counter(engine: Engine) -> Callable[[str], int | None]:
    """What counts the tokens of that engine's answers."""
    return engine.count_text if isinstance(engine, Counting) else lambda text: None


@runtime_checkable
class Housed(Protocol):
    """An engine whose model lives in processes of ours, so that ending them gives memory back."""

    def fetch(self) -> Generator[Loading, None, None]:
        """Bring the weights to this machine and load nothing; leaving early ends it. Raises EngineError."""
        ...

    def processes(self) -> list[int]:
        """Ids of the processes that hold this model and nothing else."""
        ...
