"""Knows what all models in a child process have in common: load once, answer, explain a death. Knows no server.

A subclass says which weights, which command, and how the server is asked to load and to count.
"""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground import adapters, asking, fit, headers, interference, memory, weights
from playground.engines import guard, watchdog
from playground.engines.base import Stream
from playground.engines.client import ChatClient, Timeouts
from playground.engines.loading import Load
from playground.engines.refusals import by_template
from playground.engines.wire import Wire
from playground.engines.worker import Worker
from playground.errors import (
    EngineError,
    PromptError,
    RefusedError,
    StreamError,
    TooLongError,
    UnreachableError,
    WorkerError,
)
from playground.machine import Machine
from playground.types import EngineState, Event, Finished, Interference, Loading, Memory, Message, ModelSpec, Sampling

Tell = Callable[[Loading], None]


@dataclass(frozen=True, slots=True)
class AnswerWatch:
    """What is measured of a server over one answer, beside its times."""

    memory: memory.ProcessWatch
    cpu: interference.Watch

    def read(self) -> Memory:
        """Memory so far."""
        return self.memory.read()

    def interference(self) -> Interference:
        """What else ran on the machine so far."""
        return self.cpu.read()


class LocalEngine(ABC):
    """A model in a server process of its own. `cache` is the folder for fetched weights; `env` replaces the
    environment that the server inherits; `threads` are those of the CPU (None: the server's choice). `machine` says
    what there is, so that a model that would thrash is refused (None: try every model)."""

    local = True
    extra: Mapping[str, Any] = {}
    """Fields of each request that only this server knows."""
    starts_empty = False
    """The server is healthy before it has any weights, so its memory then is the baseline."""
    hang_limits = watchdog.ANSWERING
    """When a server that owes an answer counts as hung."""

    def __init__(
        self,
        spec: ModelSpec,
        cache: Path,
        *,
        threads: int | None = None,
        env: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
        start_limit_s: float = 180.0,
        machine: Callable[[], Machine] | None = None,
    ) -> None:
        self.spec, self.cache, self.threads = spec, cache, threads
        self._machine = machine
        self.worker: Worker | None = None
        self._name = spec.title or spec.key
        self._env, self._timeouts, self._start_limit_s = env, timeouts or Timeouts(), start_limit_s
        self._lock = threading.Lock()
        self._load: Load | None = None
        self._client: ChatClient | None = None
        self._place: Path | None = None
        self._answered = self._plain = False
        self._weights_bytes: int | None = None
        self._baseline_bytes: int | None = None
        self._nvml = memory.nvml()
        self._delta = memory.DeviceDelta(self._nvml) if self._nvml else None

    # --- what a server is -------------------------------------------------------------------------------------------

    @abstractmethod
    def _command(self, place: Path | None, port: int) -> Sequence[str]:
        """The command line of the server."""

    @abstractmethod
    def _settings(self) -> Mapping[str, str]:
        """Additions to its environment."""

    @abstractmethod
    def _served(self, place: Path | None) -> str:
        """What the server calls the model in a request."""

    @abstractmethod
    def _load_model(self, worker: Worker, place: Path | None, tell: Tell) -> None:
        """Ask the healthy server to load. Raises WorkerError."""

    @abstractmethod
    def _count(self, messages: Sequence[Message], wire: Wire) -> int | None:
        """Tokens of the prompt; only asked while the model is ready. `wire` takes the requests that it needs."""

    def _continues(self, place: Path | None) -> bool:
        """The model has no chat template, by what its files say: it continues text. Asked once, when it is loaded."""
        return False

    # --- the promise ------------------------------------------------------------------------------------------------

    def prepare(self) -> Iterator[Loading]:
        """Bring the model to where it can answer; a worker that died is replaced. Raises EngineError."""
        load = self._begin()
        if load is not None:
            yield from load.follow()

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Stream:
        """Ask; the request is sent at the first `next()`. Raises EngineError, PromptError."""
        client, worker = self._client, self.worker
        inner = client.stream(self._served(self._place), messages, sampling) if client and worker else None
        counting = Wire()
        events = self._events(inner, worker, messages, counting)

        def abort() -> None:
            counting.cut()
            if inner is not None:
                inner.close()
            with suppress(ValueError):  # a thread is inside; it wakes up and ends the generator itself
                events.close()

        return Stream(events, abort)

    def notice(self) -> str:
        """That it continues text, or has an adapter that was made for another base; known when it is ready."""
        facts = (asking.CONTINUES_NOTICE if self._plain else "", adapters.notice(self.spec, self._place))
        return ". ".join(filter(None, facts))

    def state(self) -> EngineState:
        """Where the model is now. Never blocks."""
        load, worker = self._load, self.worker
        if load is None:
            return EngineState("not_loaded")
        if (state := load.state()).name != "ready":
            return state
        if worker is None or not worker.alive():
            return EngineState("failed", error=(worker.died() if worker else "") or f"{self._name} was closed.")
        return EngineState("ready")

    def cold(self) -> bool:
        """True until one answer has come to its end since the last load."""
        return not self._answered

    def count_tokens(self, messages: Sequence[Message]) -> int | None:
        """Tokens of the prompt by the model's own tokenizer and chat template; None while it is not ready."""
        return self._count(self._asked(messages), Wire()) if self._ready() else None

    def watch_memory(self) -> AnswerWatch:
        """Start watching the server's process tree, and what else runs, for one answer."""
        held = memory.ProcessWatch(
            self.worker.pid if self.worker else None,
            self._weights_bytes,
            self._baseline_bytes,
            nvml=self._nvml,
            delta=self._delta,
        )
        return AnswerWatch(held, interference.Watch(self.processes, self._rest_of_app))

    def fetch(self) -> Generator[Loading, None, None]:
        """Bring the weights to this machine and load nothing; leaving early ends it. Raises WeightsError."""
        yield from weights.fetch(self.spec, self.cache, guard.run)

    def processes(self) -> list[int]:
        """The server and all below it, without its guard."""
        return memory.tree(self.worker.pid) if self.worker else []

    def _rest_of_app(self) -> list[int]:
        """This app and all that it runs, but for the model."""
        own = self.processes()
        return [pid for pid in memory.tree(os.getpid()) if pid not in own]

    def close(self) -> None:
        """End the server, also while it starts. The engine may be prepared again."""
        with self._lock:
            load, self._load = self._load, None
            if load is not None:
                load.cancel()
        self._release()

    # --- loading ----------------------------------------------------------------------------------------------------

    def _ready(self) -> bool:
        return self.state().name == "ready"

    def _begin(self) -> Load | None:
        """The load that is under way or now begins; None when there is nothing to do."""
        with self._lock:
            if self._load is not None and not self._load.ended:
                return self._load
            if self._ready():
                return None
            self._load = load = Load(self._name, self._bring)
        load.start()
        return load

    def _bring(self, load: Load) -> None:
        """Everything from no weights to ready, in the load's own thread. Raises EngineError."""
        self._release()  # the worker that died
        self._check_room()
        place = self._weights(load.tell)
        load.tell(Loading("starting"))
        self._weights_bytes = headers.weights_bytes(place) if place else None
        worker = self._new_worker(place)
        with self._lock:
            load.check()  # after a close, a newer load may have its own worker here
            self.worker = worker
        try:
            with self._delta.loading() if self._delta else nullcontext():
                load.check()  # another model may have been loading until now
                worker.start()
                self._baseline_bytes = memory.held_by_tree(worker.pid) if self.starts_empty else None
                with worker.watched(watchdog.LOADING) as watching:

                    def tell(loading: Loading) -> None:
                        watching.beat()
                        load.tell(loading)

                    self._load_model(worker, place, tell)
            load.check()
        except BaseException:
            worker.end()
            raise
        self._place, self._answered, self._plain = place, False, self._continues(place)
        thinking = self.spec.thinking and not self._plain
        self._client = ChatClient(
            worker.url,
            timeouts=self._timeouts,
            name=self._name,
            thinking=thinking,
            plain=self._plain,
            extra=self.extra,
            family=f"{self.spec.family} {self.spec.repository} {self.spec.source}",
        )

    def _check_room(self) -> None:
        """Before anything is fetched or started. Raises WorkerError with figures and the next smaller step."""
        if self._machine is None:
            return
        stored = fit.look(weights.locate(self.spec, self.cache))
        if why := fit.refusal(self.spec, self._machine(), stored):
            raise WorkerError(f"{self._name} was not started. {why} To try it all the same, use --load-anyway.")

    def _weights(self, tell: Tell) -> Path | None:
        with closing(self.fetch()) as fetching:  # a cancelled fetch ends at once
            for loading in fetching:
                tell(loading)
        return weights.locate(self.spec, self.cache)

    def _new_worker(self, place: Path | None) -> Worker:
        return Worker(
            self._name,
            lambda port: self._command(place, port),
            settings=self._settings(),
            env=self._env,
            start_limit_s=self._start_limit_s,
        )

    def _release(self) -> None:
        client, self._client = self._client, None
        worker, self.worker = self.worker, None
        if client is not None:
            client.close()
        if worker is not None:
            worker.end()

    # --- answering --------------------------------------------------------------------------------------------------

    def _events(
        self, inner: Stream | None, worker: Worker | None, messages: Sequence[Message], counting: Wire
    ) -> Generator[Event, None, None]:
        if inner is None or worker is None:
            raise WorkerError(f"{self._name} is not loaded; prepare it first.")
        worker.count_oom_kills()
        try:
            if death := worker.died():
                raise WorkerError(death)
            if self._plain and any(message.images for message in messages):
                raise PromptError(f"{self._name} {asking.BLIND_TO_IMAGES}")
            with worker.watched(self.hang_limits, inner.close) as watching:
                self._fits(self._asked(messages), counting)
                ended = False
                for event in inner:
                    watching.beat()
                    ended = isinstance(event, Finished)
                    self._answered = self._answered or ended
                    yield event
            if not ended and (death := worker.died()):  # it hung, and its stream was closed for that
                raise WorkerError(death)
        except RefusedError as error:
            time.sleep(0.2)  # the log is written beside the answer
            if said := by_template(self._name, worker.last_line(10_000)):
                raise RefusedError(said) from error
            line = worker.last_line()
            raise RefusedError(f'{error} Its log ends: "{line}".' if line else str(error)) from error
        except (StreamError, UnreachableError) as error:
            if death := worker.died_by_now():
                raise WorkerError(death) from error
            raise
        finally:
            inner.close()

    def _asked(self, messages: Sequence[Message]) -> Sequence[Message]:
        """What is counted: all as one text where that is what the model gets."""
        return (Message("user", asking.continued(messages)),) if self._plain else messages

    def _fits(self, messages: Sequence[Message], counting: Wire) -> None:
        """A server may run on past the context and answer nonsense: so it is checked here. Raises TooLongError."""
        limit = self.spec.context_tokens
        if limit is None:
            return
        try:
            count = self._count(messages, counting)
        except EngineError:
            return  # the answer itself will say what is wrong
        if count is not None and count + 1 > limit:
            raise TooLongError(
                f"The prompt has {count:,} tokens; {self._name} reads {limit:,}. "
                "Shorten it or choose a model with a larger context."
            )
