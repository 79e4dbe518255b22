"""Knows who is with one engine, and when it may be ended. Does not know which engines there are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playground import memory
from playground.engines.base import Engine, Housed
from playground.engines.loading import Load
from playground.memory import Held, NvmlProbe
from playground.types import EngineState, ModelSpec


@dataclass
class Seat:
    """One engine, shared. `used_s` is when it was last loaded or asked, `asked_s` when it was last asked, by `clock`.
    `need_bytes` is what it may come to hold where it runs, known when room was made for it."""

    spec: ModelSpec
    engine: Engine
    clock: Callable[[], float]
    users: int = 0
    used_s: float = 0.0
    asked_s: float | None = None
    load: Load | None = None
    need_bytes: int | None = None
    on_gpu: bool = False
    _leaving: bool = False
    _seen: tuple[list[int], float, Held] = ([], float("-inf"), Held())
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def state(self) -> EngineState:
        """Where it is now, by its own load while that lasts, or when that failed."""
        load, state = self.load, self.engine.state()
        if load and (not load.ended or (load.error and state.name in ("not_loaded", "failed"))):
            return load.state()
        return state

    @property
    def answering(self) -> bool:
        """Somebody is with it and it can answer."""
        return self.users > 0 and self.engine.state().name != "loading"

    @property
    def idle(self) -> bool:
        """Nobody is with it or waits for it."""
        return not self.users and self.state.name != "loading"

    @property
    def there(self) -> bool:
        """It holds memory, or was promised some and comes to take it. A dead one does neither."""
        comes = self.users > 0 or self.state.name in ("ready", "loading")
        return bool(self.processes()) or (self.need_bytes is not None and comes)

    @contextmanager
    def taken(self, *, asking: bool) -> Iterator[None]:
        """Be with it: it is not ended meanwhile, but for a load that a person cancels. Waits while it ends."""
        with self._changed:
            while self._leaving:
                self._changed.wait()
            self.users += 1
            if asking and self.load and self.load.ended:
                self.load = None  # its error is of the past
        self._stamp(asking)
        try:
            yield
        finally:
            with self._changed:
                self.users -= 1
            self._stamp(asking)

    def _stamp(self, asking: bool) -> None:
        self.used_s = self.clock()
        self.asked_s = self.used_s if asking else self.asked_s

    def begin(self, load: Load) -> Load | None:
        """Start this load, or give the one that is under way; None when there is nothing to load."""
        with self._changed:
            if self.load and not self.load.ended:
                return self.load
            if not self.engine.local or self.engine.state().name in ("ready", "loading", "elsewhere"):
                return None
            self.load = load
        load.start()
        return load

    def end(self) -> bool:
        """End it, also while it loads; back when its memory is. False, and nothing happens, while it answers."""
        with self._changed:
            while self._leaving:
                self._changed.wait()
            waits = self.load and not self.load.ended
            if self.answering and not waits:
                return False
            if self.load:
                self.load.cancel()
            if self.answering and self.engine.state().name == "ready":  # for a comparison; only our own load is off
                return True
            self.load, self._leaving = None, True
        try:
            self.close()
        finally:
            with self._changed:
                self._leaving = False
                self._changed.notify_all()
        return True

    def close(self) -> None:
        """End it, whoever is with it."""
        if self.load:
            self.load.cancel()
        self.engine.close()
        self.need_bytes = None

    def processes(self) -> list[int]:
        """Ids of the processes that hold it and nothing else."""
        return self.engine.processes() if isinstance(self.engine, Housed) else []

    def held(self, nvml: NvmlProbe | None, fresh_s: float = 0.0) -> Held:
        """What its processes hold, at most that old; all 0 where it has none."""
        pids, (kept, at_s, held) = self.processes(), self._seen
        if pids != kept or self.clock() - at_s > fresh_s:
            held = memory.held_now(pids, nvml) if pids else Held()
            self._seen = (pids, self.clock(), held)
        return held
