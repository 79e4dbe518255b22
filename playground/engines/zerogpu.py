"""Knows Hugging Face ZeroGPU: a GPU is lent to one decorated function of the app's own process. Knows no page.

The exception to "a model is a server". The decorator does nothing elsewhere, so the same code runs on a CPU. What is
loaded lives in a module variable on purpose: the process that is given the GPU is forked from this one and finds the
models there. https://huggingface.co/docs/hub/spaces-zerogpu
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import spaces  # before torch, which it changes where a GPU is lent

from playground import adapters, asking, weights
from playground.engines import guard, inside
from playground.engines.base import Stream
from playground.engines.loading import Load
from playground.errors import (
    EngineError,
    PlaygroundError,
    PromptError,
    RefusedError,
    StreamError,
    WeightsError,
    WorkerError,
)
from playground.tokens import Counter
from playground.types import EngineState, Event, Finished, Loading, Memory, Message, ModelSpec, Sampling

LOADED: dict[str, inside.Loaded] = {}

READING_S, TOKENS_PER_S, LONGEST_S = 15, 20, 120
"""From which the time that is asked of the lender is guessed: asking for less moves a visitor up in its queue."""


@dataclass(frozen=True, slots=True)
class Question:
    """All that crosses to the process with the GPU."""

    spec: ModelSpec
    place: str
    messages: tuple[Message, ...]
    sampling: Sampling


Said = tuple[str, Event | Memory | PlaygroundError]
"""The key of the model that says it, and what it says. Errors are values: of a raised one the lender keeps the name."""


def gpu_seconds(question: Question) -> int:
    """How long the GPU is asked for, in seconds."""
    tokens = question.sampling.max_tokens or inside.MOST_TOKENS
    return min(READING_S + tokens // TOKENS_PER_S, LONGEST_S)


def _say(question: Question) -> Generator[Said, None, None]:
    key = question.spec.key
    try:
        for each in inside.answer(_here(question), question.spec, question.messages, question.sampling):
            yield key, each
    except PlaygroundError as error:
        yield key, error
    except Exception as error:  # noqa: BLE001 - the edge of a process: what is raised here arrives without its words
        yield key, StreamError(f"{_name(question.spec)} broke off: {_first_line(error)}. Ask again, or choose another.")


answers: Callable[[Question], Generator[Said, None, None]] = spaces.GPU(duration=gpu_seconds)(_say)
"""One answer on the GPU. One function for all models and both sides: each decorated function would have a process of
its own, with all the models in it."""


def _here(question: Question) -> inside.Loaded:
    """The model in this process; one that was loaded after the fork is loaded once more, here."""
    spec = question.spec
    if spec.key not in LOADED:
        LOADED[spec.key] = inside.load(question.place, spec.revision or None, spec.reads_images)
    return LOADED[spec.key]


class ZeroGPUEngine:
    """A model in the app's own process, for Spaces whose hardware is ZeroGPU."""

    local = True

    def __init__(self, spec: ModelSpec, cache: Path) -> None:
        self.spec, self._cache = spec, cache
        self._lock = threading.Lock()
        self._load: Load | None = None
        self._place = ""
        self._counter: Counter | None = None
        self._answered = False
        self._memory = Memory(reason="nothing was answered yet")
        self._stops: set[threading.Event] = set()

    def prepare(self) -> Iterator[Loading]:
        """Load the model, once for all callers. Raises EngineError."""
        with self._lock:
            if self.state().name == "ready":
                return
            load = self._load
            if load is None or load.ended:
                self._load = load = Load(_name(self.spec), self._bring)
                load.start()
        yield from load.follow()

    def _bring(self, load: Load) -> None:
        with closing(weights.fetch(self.spec, self._cache, guard.run)) as fetching:
            for loading in fetching:
                load.tell(loading)
        place = weights.locate(self.spec, self._cache)
        load.tell(Loading("reading weights"))
        source, revision = str(place or self.spec.source), None if place else self.spec.revision or None
        try:
            loaded = inside.load(source, revision, self.spec.reads_images)
        except (OSError, ValueError, ImportError, RuntimeError) as error:
            raise WeightsError(
                f'{_name(self.spec)} could not be loaded: "{_first_line(error)}". Check its source and memory.'
            ) from error
        load.check()
        self._place, self._answered = source, False
        with suppress(FileNotFoundError):
            self._counter = Counter(place) if place else None
        LOADED[self.spec.key] = loaded

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Stream:
        """Ask; the GPU is asked for at the first `next()`. Raises EngineError, PromptError."""
        stopped = threading.Event()
        events = self._events(Question(self.spec, self._place, tuple(messages), sampling), stopped)

        def abort() -> None:
            stopped.set()
            with suppress(ValueError):  # a thread is inside; it sees the flag at the next token
                events.close()

        return Stream(events, abort)

    def _events(self, question: Question, stopped: threading.Event) -> Generator[Event, None, None]:
        if self.state().name != "ready":
            raise WorkerError(f"{_name(self.spec)} is not loaded; prepare it first.")
        self._stops.add(stopped)
        said = answers(question)
        try:
            for _, each in said:
                if stopped.is_set():
                    raise StreamError(f"{_name(self.spec)} was closed while it answered; ask again.")
                if isinstance(each, Memory):
                    self._memory = each
                elif isinstance(each, PlaygroundError):
                    raise each
                else:
                    self._answered = self._answered or isinstance(each, Finished)
                    yield each
        except (EngineError, PromptError):
            raise
        except Exception as error:  # the border: the lender raises what the page's library shows
            message = getattr(error, "message", None) or _first_line(error)
            raise RefusedError(
                f"No GPU was lent for {_name(self.spec)}: {message} Sign in for more time, ask again later, or "
                "choose a model that runs elsewhere."
            ) from error
        finally:
            said.close()
            self._stops.discard(stopped)

    def notice(self) -> str:
        """That it continues text, or has an adapter that was made for another base; known when it is loaded."""
        loaded = LOADED.get(self.spec.key)
        continues = loaded is not None and loaded.continues
        facts = (asking.CONTINUES_NOTICE if continues else "", adapters.notice(self.spec, Path(self._place)))
        return ". ".join(filter(None, facts))

    def state(self) -> EngineState:
        """Where the model is now. Never blocks."""
        load = self._load
        return load.state() if load else EngineState("not_loaded")

    def cold(self) -> bool:
        """True until one answer has come to its end since the last load."""
        return not self._answered

    def count_tokens(self, messages: Sequence[Message]) -> int | None:
        """Tokens of the prompt by the model's own tokenizer; None while it is not ready."""
        counter = self._counter if self.state().name == "ready" else None
        return counter.count(messages) if counter else None

    def count_text(self, text: str) -> int | None:
        """Tokens of a text that the model wrote; None where it has no tokenizer of the usual kind."""
        return self._counter.tokens(text) if self._counter else None

    def watch_memory(self) -> _Watch:
        """What the answer itself reports: only the process with the GPU can know it."""
        loaded = LOADED.get(self.spec.key)
        self._memory = Memory(loaded.weights_bytes if loaded else None, reason="known when the answer has ended")
        return _Watch(self)

    def close(self) -> None:
        """End every answer and let go of the model. The engine may be prepared again."""
        with self._lock:
            load, self._load = self._load, None
        if load is not None:
            load.cancel()
        for stopped in tuple(self._stops):
            stopped.set()
        LOADED.pop(self.spec.key, None)


@dataclass(frozen=True, slots=True)
class _Watch:
    """Memory of the answer that was begun last."""

    engine: ZeroGPUEngine

    def read(self) -> Memory:
        """What is known by now."""
        return self.engine._memory


def _name(spec: ModelSpec) -> str:
    return spec.title or spec.key


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:300]
