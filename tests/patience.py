"""How long tests wait for what depends on the machine, and how. Not a test itself."""

from __future__ import annotations

import time
from collections.abc import Callable

LIMIT_S = 120.0
"""Nothing is waited for longer than this. It is no measure of anything: a broken test ends instead of hanging, and on a
slow machine one that works does not fail."""


def eventually(true: Callable[[], bool], what: str = "it never came true") -> None:
    """Wait until that is true."""
    until = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < until, what
        time.sleep(0.01)
