"""Knows the verdict on every row at once, kept for a few seconds. Decides nothing itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from playground.fit.needs import Fit, Stored
from playground.fit.verdict import judge
from playground.machine import Machine
from playground.types import ModelSpec


class Fits:
    """Fits by key. What is free is looked at again after `fresh_s`, files after ten times that; any thread may ask."""

    def __init__(
        self,
        rows: Iterable[ModelSpec],
        machine: Callable[[], Machine],
        stored: Callable[[ModelSpec], Stored],
        *,
        fresh_s: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rows = tuple(rows)
        self._look, self._stored, self._fresh_s, self._clock = machine, stored, fresh_s, clock
        self._lock = threading.Lock()
        self._seen: tuple[float, Machine] | None = None
        self._files: dict[str, tuple[float, Stored]] = {}
        self._fits: dict[str, tuple[Machine, Fit]] = {}

    def of(self, spec: ModelSpec) -> Fit:
        """The verdict on that row."""
        machine = self.machine()
        kept = self._fits.get(spec.key)
        if kept is None or kept[0] is not machine:
            kept = self._fits[spec.key] = (machine, judge(spec, machine, rows=self._rows, stored=self._files_of(spec)))
        return kept[1]

    def machine(self) -> Machine:
        """What there is, at most a few seconds old. A verdict holds for the look that it was made on."""
        with self._lock:
            now = self._clock()
            if self._seen is None or now - self._seen[0] > self._fresh_s:
                self._seen = (now, self._look())
            return self._seen[1]

    def _files_of(self, spec: ModelSpec) -> Stored:
        now, kept = self._clock(), self._files.get(spec.key)
        if kept is None or now - kept[0] > 10 * self._fresh_s:
            kept = self._files[spec.key] = (now, self._stored(spec))
        return kept[1]
