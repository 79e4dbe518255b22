"""Knows which engines are open and how they are shared. Does not know what they are asked."""

from __future__ import annotations

import threading

from playground.catalog import Catalog
from playground.engines import open_engine
from playground.engines.base import Engine
from playground.errors import PlaygroundError
from playground.line import Line
from playground.settings import Settings
from playground.types import EngineState


class Pool:
    """One engine per model, opened at first use, shared by all visitors. Who holds `device` has the machine alone.

    Rows of the same weights (thinking on, thinking off) share one engine.
    """

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self._catalog, self._settings = catalog, settings
        self._engines: dict[tuple[object, ...], Engine] = {}
        self._lock = threading.Lock()
        self._lines: dict[str, Line] = {}
        self.device = Line()

    def engine(self, key: str) -> Engine:
        """The engine of that model. Raises CatalogError for an unknown key."""
        spec = self._catalog.row(key)
        with self._lock:
            if spec.process not in self._engines:
                self._engines[spec.process] = open_engine(spec, self._settings)
            return self._engines[spec.process]

    def line(self, key: str) -> Line | None:
        """Where one waits for that model, if its row says how many requests it takes at once."""
        places = self._catalog.row(key).requests_at_once
        if places is None:
            return None
        with self._lock:
            return self._lines.setdefault(key, Line(places))

    def state(self, key: str) -> EngineState:
        """Where that model is now; opens nothing and never blocks."""
        spec = self._catalog.row(key)
        if engine := self._engines.get(spec.process):
            return engine.state()
        remote = spec.engine in ("openai", "replay")
        return EngineState("elsewhere" if remote else "not_loaded")

    def warm(self, *keys: str) -> threading.Thread:
        """Load these models one after the other in the background. What fails is shown by `state`, not raised."""
        thread = threading.Thread(target=self._warm, args=(keys,), name="warm", daemon=True)
        thread.start()
        return thread

    def _warm(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            try:
                engine = self.engine(key)
                if not engine.local:
                    continue
                with self.device:
                    for _ in engine.prepare():
                        pass
            except PlaygroundError:
                continue  # the engine keeps the error: its picker shows it, and asking tries again

    def close(self) -> None:
        """End every engine."""
        with self._lock:
            engines, self._engines = list(self._engines.values()), {}
        for engine in engines:
            engine.close()
