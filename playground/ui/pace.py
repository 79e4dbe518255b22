"""Knows how often pages are updated: often for a few watchers, less often for many. Knows no page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

FASTEST_PER_S = 15.0
BUDGET_PER_S = 1_500.0
"""Updates a second that all watchers share; `benchmarks/watchers.py` shows its cost, and that nobody falls behind."""


class Pace:
    """Counts who watches a race now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watching = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """One more watcher, for as long as the block runs."""
        with self._lock:
            self._watching += 1
        try:
            yield
        finally:
            with self._lock:
                self._watching -= 1

    def every_s(self, wished_s: float | None = None) -> float:
        """Seconds between two updates of one page, by the number of watchers now; more if the page wishes for more."""
        return max(wished_s or 1 / FASTEST_PER_S, self._watching / BUDGET_PER_S)
