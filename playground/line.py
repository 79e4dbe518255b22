"""Knows who is next where few may enter at once, and how many are ahead. Knows neither models nor machines."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOK_EVERY_S = 0.1
"""How often one who waits looks whether the wait was given up: that is told by a flag, not by a wake-up."""


class Line:
    """A fair semaphore: whoever came first goes in first, and everyone who waits can be told their position."""

    def __init__(self, places: int = 1) -> None:
        if places < 1:
            raise ValueError(f"a line needs a place to lead to, not {places}")
        self._free = places
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def place(self, tell: Callable[[int], None], given_up: Callable[[], bool]) -> Iterator[bool]:
        """Hold a place while inside; False (and none is held) when the wait was given up.

        `tell` hears how many are ahead (0: the next one) when one has to wait, and whenever that changes.
        """
        got = self._enter(tell, given_up)
        try:
            yield got
        finally:
            if got:
                self._leave()

    def __enter__(self) -> Line:
        self._enter(lambda ahead: None, lambda: False)
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def locked(self) -> bool:
        """Nobody could go in at this moment."""
        return self._free == 0

    def _enter(self, tell: Callable[[int], None], given_up: Callable[[], bool]) -> bool:
        ticket, told = object(), -1
        with self._changed:
            self._waiting.append(ticket)
            try:
                while not (self._free and self._waiting[0] is ticket):
                    if given_up():
                        return False
                    ahead = self._waiting.index(ticket)
                    if ahead != told:
                        tell(ahead)
                        told = ahead
                    self._changed.wait(LOOK_EVERY_S)
                self._free -= 1
                return True
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _leave(self) -> None:
        with self._changed:
            self._free += 1
            self._changed.notify_all()
