"""Finds a model server that hangs: stopped by a signal, or stalled. Ends nothing itself.

A server may say nothing for minutes while it reads a long prompt, and need not answer its health endpoint meanwhile;
but then it uses CPU time. So it hangs when it is silent, does not answer a probe, and was stopped or uses no CPU time.
It is probed only then: a probe takes CPU time from the answer that is being measured.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from playground import memory

WAITING = {psutil.STATUS_DISK_SLEEP, psutil.STATUS_TRACING_STOP}


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the operating system says of a process tree: CPU time so far, whether its root was stopped by a signal, and
    whether one of its processes waits for a disk, or for a debugger."""

    cpu_s: float
    stopped: bool = False
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a server may be silent before it is looked at, how often it is looked at then, and after how many
    probes without an answer it hangs: one that was stopped, and one that uses no CPU time."""

    quiet_s: float = 3.0
    every_s: float = 1.0
    stopped_probes: int = 2
    stalled_probes: int = 6


ANSWERING = Limits()
LOADING = Limits(stalled_probes=30)
"""Weights may come from a slow disk, and a server that imports its libraries does not listen yet."""


def vitals(pid: int | None) -> Vitals | None:
    """Those of this process and all below it; None when it is gone."""
    found = []
    for each in memory.tree(pid):
        try:
            process = psutil.Process(each)
            with process.oneshot():
                used = process.cpu_times()
                found.append((process.status(), used.user + used.system))
        except psutil.Error:
            continue  # it ended meanwhile
    if not found:
        return None
    states = [state for state, _ in found]
    return Vitals(
        sum(cpu_s for _, cpu_s in found), states[0] == psutil.STATUS_STOPPED, psutil.STATUS_DISK_SLEEP in states
    )


class Watchdog:
    """Looks after one server while it owes something, in a thread of its own: use it as a context manager, and call
    `beat` whenever the server said something. `report` hears once why it hangs, from that thread."""

    def __init__(
        self,
        look: Callable[[], Vitals | None],
        responds: Callable[[], bool],
        report: Callable[[str], None],
        limits: Limits = ANSWERING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look, self._responds, self._report = look, responds, report
        self._limits, self._clock = limits, clock
        self._lock, self._over = threading.Lock(), threading.Event()
        self._heard_s = clock()
        self._before: Vitals | None = None
        self._unanswered = 0

    def beat(self) -> None:
        """The server said something just now."""
        self._heard_s = self._clock()

    def check(self) -> str:
        """Look once; why the server hangs, "" while it does not, or is gone."""
        silent_s = self._clock() - self._heard_s
        if silent_s < self._limits.quiet_s:
            self._before, self._unanswered = None, 0
            return ""
        now, before = self._look(), self._before
        self._before = now
        if now is None or before is None or not self._hangs(now, before):
            self._unanswered = 0
            return ""
        self._unanswered += 1
        if now.stopped and self._unanswered >= self._limits.stopped_probes:
            return f"was stopped by a signal and said nothing for {silent_s:.0f} s"
        if self._unanswered >= self._limits.stalled_probes:
            return f"said nothing and used no CPU time for {silent_s:.0f} s"
        return ""

    def _hangs(self, now: Vitals, before: Vitals) -> bool:
        works = not now.stopped and (now.cpu_s != before.cpu_s or now.waits)
        return not works and not self._responds()

    def __enter__(self) -> Watchdog:
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._over.set()

    def _run(self) -> None:
        while not self._over.wait(self._limits.every_s):
            if why := self.check():
                with self._lock:  # nobody is reported who has just been let go
                    if not self._over.is_set():
                        self._report(why)
                return
