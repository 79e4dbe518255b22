"""Knows how much longer something takes whose size is known. Knows no clock and not what it is."""

from __future__ import annotations

from collections import deque

WINDOW_S = 20.0
"""The pace of the last so many seconds counts: what a download did minutes ago says little."""
LEAST_S = 1.0
"""No guess from less than this."""


class Progress:
    """Told how far it is and when, says what is left."""

    def __init__(self) -> None:
        self._what: tuple[str, int | None] = ("", None)
        self._seen: deque[tuple[float, int]] = deque()

    def tell(self, stage: str, done: int | None, total: int | None, now_s: float) -> None:
        """It is so far at this moment of a clock that never jumps. Another stage or total begins anew."""
        if (stage, total) != self._what:
            self._what = (stage, total)
            self._seen.clear()
        if done is None or (self._seen and done < self._seen[-1][1]):
            self._seen.clear()
        if done is None:
            return
        self._seen.append((now_s, done))
        while self._seen[-1][0] - self._seen[0][0] > WINDOW_S:
            self._seen.popleft()

    def left_s(self, now_s: float) -> float | None:
        """Seconds until it is done at the pace of late; None where that cannot be told."""
        total = self._what[1]
        if total is None or len(self._seen) < 2:
            return None
        (began_s, first), (_, last) = self._seen[0], self._seen[-1]
        if now_s - began_s < LEAST_S or last <= first:
            return None
        return (total - last) * (now_s - began_s) / (last - first)


def words(left_s: float | None) -> str:
    """As in "about 2 min left"; "" where it is not known."""
    if left_s is None:
        return ""
    if left_s < 90:
        return f"about {max(1, round(left_s))} s left"
    minutes = round(left_s / 60)
    return f"about {minutes} min left" if minutes < 120 else f"about {round(left_s / 3600)} h left"
