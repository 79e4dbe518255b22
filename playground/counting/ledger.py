"""Knows the stored votes as the page counts them: read once, kept until a file changes. Draws nothing."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from playground import standings, votes
from playground.counting import gathering
from playground.standings import Filter, Standings, ballots, tally

PATIENCE = 10
"""Files that change all the time are read again after so many times as long as reading took: a tenth of one core."""
NICE = 10
"""Readers of large files come after the models on this machine."""
_KEPT = 64
_Stamp = tuple[tuple[Path, int, int], ...]


@dataclass(frozen=True, slots=True)
class Count:
    """Standings, when the files were read (seconds since 1970), and which scripts their prompts have."""

    found: Standings
    read_at_s: float
    scripts: tuple[str, ...]


class Ledger:
    """The votes of what the app was told as `--votes`, read once and kept until a file changes. For any number of
    threads: one counts at a time, so that however many ask, the models on this machine lose one core at most."""

    def __init__(
        self,
        where: Path,
        subjects: Mapping[str, str],
        classes: Mapping[str, str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._where, self._subjects, self._classes, self._clock = where, subjects, classes, clock
        self._lock = threading.Lock()
        self._stamp: _Stamp | None = None
        self._read_at_s = self._took_s = 0.0
        self._ballots = ballots.gather([])
        self._known: dict[tuple[object, ...], Standings] = {}

    def count(self, only: Filter) -> Count:
        """The standings now. Files that are not there hold no votes yet. Raises VoteError for one that cannot be
        read."""
        with self._lock:
            self._refresh()
            key = (
                only.prompts,
                only.subject,
                only.images,
                only.blind_only,
                only.pacing,
                only.script,
                only.size,
                only.since,
            )
            if key not in self._known:
                if len(self._known) >= _KEPT:
                    self._known.pop(next(iter(self._known)))
                whole = replace(only, subjects=self._subjects, sizes=self._classes)
                self._known[key] = tally.tally(self._ballots, whole, standings.ROUNDS)
            scripts = sorted({name or ballots.UNKNOWN for name in self._ballots.scripts})
            return Count(self._known[key], self._read_at_s, tuple(scripts))

    def _refresh(self) -> None:
        path = votes.readable(self._where)
        there = path.exists() and (not path.is_dir() or any(path.glob("*.csv")))
        found = votes.files([path]) if there else []
        stamp = tuple((path, *_size_and_time(path)) for path in found)
        now_s = self._clock()
        if stamp == self._stamp:
            self._read_at_s = now_s
        elif self._stamp is None or not 0 <= now_s - self._read_at_s < PATIENCE * self._took_s:
            self._ballots = gathering.gather(found, nice=NICE)
            self._stamp, self._read_at_s = stamp, now_s
            self._took_s = self._clock() - now_s
            self._known.clear()


def give_back() -> None:
    """Hand freed memory back to the system. glibc would keep it: after a million votes were counted, about 70 MB."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim:
        trim(0)


def _size_and_time(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_size, about.st_mtime_ns
