"""Knows how several callers follow one load. Does not know what is loaded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from playground.errors import EngineError, WorkerError
from playground.progress import Progress
from playground.types import EngineState, Loading


class Load:
    """One load in a thread of its own; it goes on when those who follow it leave."""

    def __init__(self, name: str, work: Callable[[Load], object]) -> None:
        self.now = Loading("starting")
        self.error: EngineError | None = None
        self.ended = False
        self._name, self._work = name, work
        self._progress = Progress()
        self._cancelled = threading.Event()
        self._changed = threading.Condition()

    def start(self) -> None:
        """Begin; returns at once."""
        threading.Thread(target=self._run, name=f"load {self._name}", daemon=True).start()

    def cancel(self) -> None:
        """Nobody wants it any more: it ends at its next step."""
        self._cancelled.set()

    def cancelled(self) -> bool:
        """Nobody wants it any more."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raises WorkerError once it was cancelled."""
        if self._cancelled.is_set():
            raise WorkerError(f"{self._name} was closed while it loaded; ask again.")

    def tell(self, loading: Loading) -> None:
        """Say how far it is. Raises WorkerError once it was cancelled."""
        self.check()
        with self._changed:
            self.now = loading
            self._progress.tell(loading.stage, loading.done, loading.total, time.monotonic())
            self._changed.notify_all()

    def state(self) -> EngineState:
        """How far it is; "ready" only says that it ended without an error."""
        now = self.now
        if self.error is not None:
            return EngineState("failed", error=str(self.error))
        if self.ended:
            return EngineState("ready")
        left_s = self._progress.left_s(time.monotonic())
        return EngineState("loading", now.stage, now.done, now.total, unit=now.unit, left_s=left_s, note=now.note)

    def follow(self) -> Iterator[Loading]:
        """Each new state, until it is ready. Raises EngineError."""
        seen: Loading | None = None
        while not self.ended:
            with self._changed:
                while not self.ended and self.now is seen:
                    self._changed.wait()
                now, ended = self.now, self.ended
            if not ended:
                seen = now
                yield now
        if self.error is not None:
            raise type(self.error)(str(self.error)) from self.error

    def _run(self) -> None:
        error: EngineError | None = None
        try:
            self._work(self)
        except EngineError as known:
            error = known
        except Exception as unknown:  # noqa: BLE001 - a thread's edge: those who follow must hear of it
            error = WorkerError(f"{self._name} could not be loaded ({unknown!r}); ask again.")
        with self._changed:
            self.error, self.ended = error, True
            self._changed.notify_all()
