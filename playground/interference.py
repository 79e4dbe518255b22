"""Measures CPU contention while a model answers: how long its threads waited for a CPU, and who else took CPU time.

Reads Linux's /proc (proc_pid_schedstat, proc_stat). What it cannot know, it leaves unknown:
- A thread that spins while it waits for another (OpenMP, llama.cpp) counts as running, so `wait_share` is the least
  that was lost: where one of two threads loses its CPU half of the time, both are half as fast and it is a quarter.
- In a container, /proc/stat is of the whole machine: what other containers run counts as other programs. Only the CPUs
  that the model may run on count. A limit on CPU time (a quota) shows as waiting, for a throttled thread waits.
- Steal is what the host of a virtual machine says that it took.
GPUs, memory bandwidth and disks are not looked at.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from playground.types import Interference

SHORTEST_S = 0.5
"""/proc/stat counts ticks of 10 ms for each CPU; over a shorter time one tick more or less would be a share."""

NOT_LINUX = "only Linux tells what else ran"
GONE = "the model's process has ended"
SHORT = f"the answer took less than {SHORTEST_S:g} s, too short for the kernel's counters"
NO_SCHEDSTAT = "this kernel does not count how long threads wait for a CPU"
IDLE = "the model's threads did not run"
STILL = "the kernel's counters of CPU time do not move here"


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU time so far, in seconds; only differences between two readings mean something.

    `available_s` is all that `cpus` CPUs had: busy (`busy_s`), idle, and `stolen_s` by the host. `model_s` and `app_s`
    were spent by processes, as the kernel bills them. `ran_s` and `waited_s` are those of the model's threads by the
    scheduler, None where it does not count.
    """

    cpus: int
    available_s: float
    busy_s: float
    stolen_s: float
    model_s: float
    app_s: float
    ran_s: float | None
    waited_s: float | None


def shares(before: Reading, after: Reading) -> Interference:
    """What happened between two readings. All shares are from 0 to 1, whatever the counters say."""
    available_s = after.available_s - before.available_s
    if available_s <= 0:
        return Interference(reason=STILL)
    if available_s < SHORTEST_S * after.cpus:
        return Interference(reason=SHORT)
    model_s = max(0.0, after.model_s - before.model_s)
    others_s = _within(after.busy_s - before.busy_s - model_s, available_s)
    stolen_s = _within(after.stolen_s - before.stolen_s, available_s - others_s)
    app_s = _within(after.app_s - before.app_s, others_s)
    wait_share, reason = _wait_share(before, after)
    return Interference(
        wait_share=wait_share,
        other_share=min(1.0, (others_s + stolen_s) / available_s),
        app_share=app_s / available_s,
        steal_share=stolen_s / available_s,
        reason=reason,
    )


def _wait_share(before: Reading, after: Reading) -> tuple[float | None, str]:
    """The share, or why it is unknown."""
    if after.ran_s is None or after.waited_s is None or before.ran_s is None or before.waited_s is None:
        return None, NO_SCHEDSTAT
    ran_s, waited_s = max(0.0, after.ran_s - before.ran_s), max(0.0, after.waited_s - before.waited_s)
    if ran_s + waited_s <= 0:
        return None, NO_SCHEDSTAT if after.model_s > before.model_s else IDLE
    return waited_s / (ran_s + waited_s), ""


def _within(value: float, most: float) -> float:
    return min(max(0.0, value), max(0.0, most))


class Watch:
    """Contention over one answer, from the moment the watch was made.

    `model` gives the ids of the model's processes, `app` those of everything else that this app runs. Read it now and
    then: what a thread did since the last reading is lost when it ends. `root` is for tests.
    """

    def __init__(
        self, model: Callable[[], Iterable[int]], app: Callable[[], Iterable[int]], root: Path = Path("/proc")
    ) -> None:
        self._model, self._app, self._root = model, app, root
        self._lock = threading.Lock()
        self._billed, self._app_billed, self._scheduled = Counters(), Counters(), Counters()
        self._cpus = frozenset[int]()
        self._found = Interference(reason=NOT_LINUX)
        self._before = self._look()

    def read(self) -> Interference:
        """The shares so far; when the model's process has ended, those of the last reading. From any thread."""
        with self._lock:
            if self._before and (now := self._look()):
                self._found = shares(self._before, now)
            return self._found

    def _look(self) -> Reading | None:
        """All counters now; None, with the reason in `_found`, where there is nothing to read."""
        pids = tuple(self._model())
        self._cpus = self._cpus or frozenset().union(*(cpus_allowed(pid, self._root) for pid in pids[:1]))
        machine = cpu_times(self._cpus, self._root)
        if machine is None:
            return None
        if not pids:
            self._found = self._found if self._found.measured else Interference(reason=GONE)
            return None
        (model_s,) = self._billed.add(billed(pids, self._root), 1)
        (app_s,) = self._app_billed.add(billed(self._app(), self._root), 1)
        scheduled = threads_scheduled(pids, self._root)
        ran_s, waited_s = self._scheduled.add(scheduled, 2) if scheduled else (None, None)
        return Reading(*machine, model_s, app_s, ran_s, waited_s)


class Counters:
    """Adds up how much counters grow, by key. The first reading is where they begin; who comes later counts whole, and
    what was seen of one that is gone stays counted."""

    def __init__(self) -> None:
        self._last: dict[object, tuple[float, ...]] = {}
        self._sums: list[float] | None = None

    def add(self, now: Mapping[object, tuple[float, ...]], width: int) -> tuple[float, ...]:
        """Take in a reading of `width` counters a key; returns how much each has grown in all."""
        if self._sums is None:
            self._sums = [0.0] * width
            self._last.update(now)
        for key, values in now.items():
            last = self._last.get(key, (0.0,) * width)
            if any(value < before for value, before in zip(values, last, strict=True)):
                last = (0.0,) * width  # the id was given to a new one
            self._sums = [total + (value - old) for total, value, old in zip(self._sums, values, last, strict=True)]
            self._last[key] = values
        return tuple(self._sums)


def cpu_times(cpus: frozenset[int], root: Path = Path("/proc")) -> tuple[int, float, float, float] | None:
    """(CPUs, available, busy, stolen) of these CPUs, or of all where none of them is listed; None where nothing is."""
    tick_s = _tick_s()
    try:
        lines = re.findall(r"^cpu(\d+) ([\d ]+)$", (root / "stat").read_text(), re.MULTILINE)
    except OSError:
        return None
    of_all = [[int(ticks) * tick_s for ticks in rest.split()[:8]] for _, rest in lines]
    chosen = [each for (number, _), each in zip(lines, of_all, strict=True) if int(number) in cpus] or of_all
    if not chosen:
        return None
    user, nice, system, idle, iowait, irq, softirq, steal = (sum(column) for column in zip(*chosen, strict=True))
    busy = user + nice + system + irq + softirq  # guests are in `user` already
    return len(chosen), busy + idle + iowait + steal, busy, steal


def cpus_allowed(pid: int, root: Path = Path("/proc")) -> frozenset[int]:
    """CPUs that the process may run on; none where that is not told."""
    try:
        found = re.search(r"^Cpus_allowed_list:\s*([\d,-]+)$", (root / str(pid) / "status").read_text(), re.MULTILINE)
    except OSError:
        return frozenset()
    ranges = [part.partition("-") for part in found[1].split(",")] if found else []
    return frozenset(n for first, _, last in ranges for n in range(int(first), int(last or first) + 1))


def billed(pids: Iterable[int], root: Path = Path("/proc")) -> dict[object, tuple[float]]:
    """CPU seconds of each process, its ended threads included. One that is gone is left out."""
    tick_s, found = _tick_s(), dict[object, tuple[float]]()
    for pid in pids:
        try:
            fields = (root / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[pid] = ((int(fields[11]) + int(fields[12])) * tick_s,)
    return found


def threads_scheduled(pids: Iterable[int], root: Path = Path("/proc")) -> dict[object, tuple[float, float]]:
    """(run, run-queue wait) of each thread in seconds; none where the scheduler does not count."""
    found: dict[object, tuple[float, float]] = {}
    for pid in pids:
        try:
            tasks = list((root / str(pid) / "task").iterdir())
        except OSError:
            continue
        for task in tasks:
            try:
                ran, waited, _ = (task / "schedstat").read_text().split()
            except (OSError, ValueError):  # it ended meanwhile, or is of a kernel without
                continue
            found[task.name] = (int(ran) / 1e9, int(waited) / 1e9)
    return found


def _tick_s() -> float:
    """What the kernel counts in, in seconds."""
    return 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01
