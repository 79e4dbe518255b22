"""Follows what one browser tab shows of its comparison, as its page does, without a browser. Not a test itself."""

from __future__ import annotations

import time
from collections.abc import Iterator

from playground.types import Comparison
from playground.ui.visit import Visit
from tests.patience import LIMIT_S

EVERY_S = 0.01


def follow(visit: Visit) -> Iterator[Comparison]:
    """What the page may show of the comparison, until both sides have ended."""
    until = time.monotonic() + LIMIT_S
    with visit.watched():
        while True:
            ended, now = visit.ended, visit.shown
            assert now, "there is a comparison"
            yield now
            if ended:
                return
            assert time.monotonic() < until, f"it never ended: {now}"
            time.sleep(EVERY_S)


def ended(visit: Visit) -> Comparison:
    """The comparison when both sides have ended."""
    for now in follow(visit):
        last = now
    return last
