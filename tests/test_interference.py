"""What else ran while a model answered is measured, told by who it was, and never claimed where it is not known."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground import figures, interference, memory
from playground.engines.base import interfered
from playground.engines.local import AnswerWatch
from playground.interference import Counters, Reading, Watch, shares
from playground.types import Interference
from tests.fakes import ScriptedEngine, answer

MODEL, CHILD, APP = 50, 51, 10
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc")


def ticks(seconds: float) -> int:
    return round(100 * seconds)


def cpu_line(number: int, busy: float, idle: float, stolen: float) -> str:
    """A line of /proc/stat with busy time of every kind; the guest's stands in the user's already."""
    kind = ticks(busy) // 5
    user = ticks(busy) - 4 * kind
    return f"cpu{number} {user} {kind} {kind} {ticks(idle) - 1} 1 {kind} {kind} {ticks(stolen)} {user} 0"


@dataclass
class Proc:
    """A /proc of our own. Times are in seconds; `cpus` has (busy, idle, stolen) of each, `threads` (run, waited) by
    process and thread, `billed` the CPU time of each process, ended threads included."""

    root: Path
    cpus: list[tuple[float, float, float]] = field(default_factory=lambda: [(0.0, 0.0, 0.0)] * 2)
    threads: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)
    billed: dict[int, float] = field(default_factory=lambda: {MODEL: 0.0, APP: 0.0})
    allowed: str = "0-1"
    schedstat: bool = True

    def write(self) -> None:
        rows = [cpu_line(n, *times) for n, times in enumerate(self.cpus)]
        (self.root / "stat").write_text("\n".join(["cpu  1 2 3 4 5 6 7 8 0 0", *rows, "intr 1 2 3", ""]))
        for pid, seconds in self.billed.items():
            folder = self.root / str(pid)
            (folder / "task").mkdir(parents=True, exist_ok=True)
            system = ticks(seconds) // 3
            fields = ["S", *["0"] * 10, str(ticks(seconds) - system), str(system), *["0"] * 30]
            (folder / "stat").write_text(f"{pid} (a (name) with ) in it) {' '.join(fields)}\n")
            (folder / "status").write_text(f"Name:\tx\nCpus_allowed:\t3\nCpus_allowed_list:\t{self.allowed}\n")
            for task in (folder / "task").iterdir():
                (task / "schedstat").unlink(missing_ok=True)
                task.rmdir()
        for (pid, tid), (ran, waited) in self.threads.items():
            task = self.root / str(pid) / "task" / str(tid)
            task.mkdir(exist_ok=True)
            if self.schedstat:
                (task / "schedstat").write_text(f"{round(ran * 1e9)} {round(waited * 1e9)} 7\n")

    def watch(self) -> Watch:
        self.write()
        return Watch(lambda: [pid for pid in (MODEL, CHILD) if pid in self.billed], lambda: [APP], self.root)

    def pass_time(self, *cpus: tuple[float, float, float], app: float = 0.0, **threads: tuple[float, float]) -> None:
        """Add to every counter; `t1=(ran, waited)` is of the model's thread 1, which its process is billed for."""
        self.cpus = [tuple(a + b for a, b in zip(*pair, strict=True)) for pair in zip(self.cpus, cpus, strict=True)]  # type: ignore[misc]
        self.billed[APP] += app
        for name, (ran, waited) in threads.items():
            before = self.threads.get((MODEL, int(name[1:])), (0.0, 0.0))
            self.threads[MODEL, int(name[1:])] = (before[0] + ran, before[1] + waited)
            self.billed[MODEL] += ran
        self.write()


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    """Two CPUs; the model has two threads, and all has run for a while before the answer."""
    return Proc(
        tmp_path,
        [(500.0, 300.0, 9.0), (400.0, 400.0, 9.0)],
        {(MODEL, 1): (100.0, 70.0), (MODEL, 2): (90.0, 5.0)},
        {MODEL: 230.0, APP: 40.0},
    )


# -- from counters to shares --


def test_a_model_that_has_the_machine_to_itself_waited_for_nothing_and_others_took_nothing(proc: Proc):
    watch = proc.watch()
    proc.pass_time((10, 0, 0), (10, 0, 0), t1=(10, 0), t2=(10, 0))
    found = watch.read()
    assert found == Interference(0.0, 0.0, 0.0, 0.0)
    assert found.measured
    assert not found.disturbed


def test_who_took_the_time_is_told_apart(proc: Proc):
    """Ten seconds of two CPUs: the model ran 8 s and waited 4; this app took 2 s, the host 3, other programs 5."""
    watch = proc.watch()
    proc.pass_time((8, 0, 2), (7, 2, 1), app=2, t1=(5, 3), t2=(3, 1))
    found = watch.read()
    assert found.wait_share == pytest.approx(4 / 12)
    assert found.other_share == pytest.approx(10 / 20)
    assert (found.app_share, found.steal_share) == (pytest.approx(0.1), pytest.approx(0.15))
    assert figures.badges(answer(interference=found))[0][0] == "disturbed 50 % by other programs"


def test_the_answer_that_waited_nine_seconds_and_ran_two_and_a_half_says_so(proc: Proc):
    watch = proc.watch()
    proc.pass_time((11, 0, 0), (10, 1, 0), t1=(1.5, 4.5), t2=(1, 4.5))
    found = watch.read()
    assert found.wait_share == pytest.approx(9 / 11.5)
    assert found.disturbed


def test_only_the_cpus_that_the_model_may_use_count(proc: Proc):
    """Another container is busy on CPU 1; on CPU 0 the model is alone."""
    proc.allowed = "0"
    watch = proc.watch()
    proc.pass_time((9, 1, 0), (10, 0, 0), t1=(9, 0))
    assert watch.read().other_share == 0.0


def test_where_no_cpu_is_told_to_be_allowed_all_count(proc: Proc):
    proc.allowed = ""
    watch = proc.watch()
    proc.pass_time((9, 1, 0), (10, 0, 0), t1=(9, 0))
    assert watch.read().other_share == pytest.approx(0.5)


def test_threads_that_wait_for_each_others_cpus_are_nobody_elses_fault(proc: Proc):
    """More threads than CPUs, or a limit of the container, which throttles: a throttled thread waits."""
    watch = proc.watch()
    proc.pass_time((5, 5, 0), (5, 5, 0), t1=(5, 5), t2=(5, 5))
    found = watch.read()
    assert found.other_share == 0.0
    assert figures.badges(answer(interference=found))[0][0] == "disturbed 50 % by too few CPUs"


# -- threads and processes that come and go --


def test_a_thread_that_ends_takes_nothing_back_and_loses_nothing_that_was_seen(proc: Proc):
    watch = proc.watch()
    proc.pass_time((4, 0, 0), (4, 0, 0), t1=(4, 0), t2=(1, 3))
    watch.read()
    del proc.threads[MODEL, 2]
    proc.pass_time((4, 0, 0), (0, 4, 0), t1=(4, 0))
    found = watch.read()
    assert found.wait_share == pytest.approx(3 / (8 + 1 + 3))
    assert found.other_share == pytest.approx(3 / 16)


def test_a_thread_that_was_never_seen_waiting_is_still_billed_to_the_model(proc: Proc):
    """It came and went between two readings: how long it waited is lost, but nobody else is blamed for its work."""
    watch = proc.watch()
    proc.billed[MODEL] += 10
    proc.pass_time((10, 0, 0), (10, 0, 0), t1=(10, 0))
    assert watch.read().other_share == 0.0


def test_a_thread_and_a_process_that_begin_during_the_answer_count_whole(proc: Proc):
    watch = proc.watch()
    proc.threads[CHILD, 3], proc.billed[CHILD] = (2.0, 6.0), 2.0
    proc.pass_time((2, 8, 0), (8, 2, 0), t1=(8, 0))
    found = watch.read()
    assert found.wait_share == pytest.approx(6 / 16)
    assert found.other_share == 0.0


def test_an_id_that_is_given_to_a_new_thread_counts_from_nothing(proc: Proc):
    watch = proc.watch()
    proc.threads[MODEL, 1] = (1.0, 1.0)
    proc.pass_time((5, 5, 0), (5, 5, 0), t2=(2, 0))
    assert watch.read().wait_share == pytest.approx(1 / 4)


def test_what_happened_before_the_answer_does_not_count(proc: Proc):
    proc.pass_time((0, 50, 0), (50, 0, 0), app=40, t1=(1, 49))
    watch = proc.watch()
    proc.pass_time((5, 0, 0), (5, 0, 0), t1=(5, 0), t2=(5, 0))
    assert watch.read() == Interference(0.0, 0.0, 0.0, 0.0)


COUNTERS = st.dictionaries(st.integers(0, 3), st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=4)


@given(st.lists(COUNTERS, min_size=1, max_size=8))
def test_sums_never_shrink_whatever_comes_and_goes(readings: list[dict[object, tuple[float, ...]]]):
    counters = Counters()
    sums = [counters.add(reading, 2) for reading in readings]
    assert sums[0] == (0.0, 0.0)
    assert all(
        later >= earlier
        for before, after in itertools.pairwise(sums)
        for earlier, later in zip(before, after, strict=True)
    )


# -- what is not known --


def test_without_proc_nothing_is_claimed(tmp_path: Path):
    found = Watch(lambda: [MODEL], lambda: [APP], tmp_path / "none").read()
    assert (found.wait_share, found.other_share, found.reason) == (None, None, interference.NOT_LINUX)
    assert not found.measured
    assert not found.disturbed


def test_a_short_answer_claims_nothing(proc: Proc):
    watch = proc.watch()
    proc.pass_time((0.4, 0, 0), (0, 0.4, 0), t1=(0.1, 0.4))
    found = watch.read()
    assert (found.wait_share, found.other_share, found.reason) == (None, None, interference.SHORT)


def test_counters_that_stand_still_claim_nothing(proc: Proc):
    """As under some sandboxes, where /proc/stat is all zeros."""
    assert proc.watch().read() == Interference(reason=interference.STILL)


@pytest.mark.parametrize("zeros", [True, False], ids=["zeros", "no file"])
def test_a_kernel_that_does_not_count_waiting_leaves_it_unknown(proc: Proc, zeros: bool):
    proc.schedstat = zeros
    proc.threads = {(MODEL, 1): (0.0, 0.0)}
    watch = proc.watch()
    proc.billed[MODEL] += 5
    proc.pass_time((5, 5, 0), (5, 5, 0))
    found = watch.read()
    assert (found.wait_share, found.reason) == (None, interference.NO_SCHEDSTAT)
    assert found.other_share == pytest.approx(0.25)
    assert not found.measured


def test_a_model_whose_threads_did_not_run_did_not_wait_either(proc: Proc):
    watch = proc.watch()
    proc.pass_time((0, 10, 0), (0, 10, 0))
    assert (watch.read().wait_share, watch.read().reason) == (None, interference.IDLE)


def test_a_model_that_dies_keeps_what_was_last_seen(proc: Proc):
    watch = proc.watch()
    proc.pass_time((5, 0, 0), (5, 0, 0), t1=(5, 5))
    seen = watch.read()
    proc.billed = {APP: 0.0}
    assert watch.read() == seen
    assert proc.watch().read() == Interference(reason=interference.GONE)


def test_a_watch_that_measures_memory_only_claims_nothing_of_the_machine():
    assert interfered(ScriptedEngine().watch_memory()) == Interference()


# -- whatever the counters say --


def test_only_what_came_between_two_readings_counts():
    before = Reading(2, 1000.0, 600.0, 10.0, 300.0, 100.0, ran_s=200.0, waited_s=50.0)
    after = Reading(2, 1020.0, 614.0, 11.0, 308.0, 102.0, ran_s=206.0, waited_s=52.0)
    found = shares(before, after)
    assert found == Interference(pytest.approx(0.25), pytest.approx(0.35), pytest.approx(0.1), pytest.approx(0.05))


SECONDS = st.floats(0, 1e6)
READINGS = st.builds(
    Reading,
    cpus=st.integers(1, 64),
    available_s=SECONDS,
    busy_s=SECONDS,
    stolen_s=SECONDS,
    model_s=SECONDS,
    app_s=SECONDS,
    ran_s=st.none() | SECONDS,
    waited_s=st.none() | SECONDS,
)


@given(READINGS, READINGS)
def test_every_share_is_from_0_to_1_or_unknown_with_a_reason(before: Reading, after: Reading):
    found = shares(before, after)
    known = [share for share in astuple(found)[:4] if share is not None]
    assert all(0 <= share <= 1 for share in known)
    assert found.measured or found.reason
    if found.other_share is not None:
        assert (found.app_share or 0) + (found.steal_share or 0) <= found.other_share + 1e-9


@given(READINGS, READINGS, st.floats(0, 1e6))
def test_more_work_of_others_never_makes_their_share_smaller(before: Reading, after: Reading, more_s: float):
    one, two = shares(before, after), shares(before, replace(after, busy_s=after.busy_s + more_s))
    assert (one.other_share or 0) <= (two.other_share or 0) + 1e-9


# -- the real kernel --

SPIN = """
import os, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {int(sys.argv[1])})
print("runs", flush=True)
while True:
    pass
"""


@contextmanager
def spinning(cpu: int) -> Iterator[psutil.Process]:
    """A process that computes on that CPU until the block ends."""
    process = subprocess.Popen([sys.executable, "-c", SPIN, str(cpu)], stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "runs\n"
            yield psutil.Process(process.pid)
        finally:
            process.kill()


def spent_s(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def until_spent(process: psutil.Process, seconds: float) -> None:
    """Wait until the process has had so much CPU time more, however long that takes."""
    goal = spent_s(process) + seconds
    while spent_s(process) < goal:
        time.sleep(0.02)


@linux
def test_a_busy_program_on_the_models_cpu_makes_it_wait_and_is_named():
    cpu = min(os.sched_getaffinity(0))
    with ExitStack() as stack:
        model, rival = (stack.enter_context(spinning(cpu)) for _ in range(2))
        watch = Watch(lambda: memory.tree(model.pid), lambda: [os.getpid()])
        until_spent(rival, 1.0)
        until_spent(model, 1.0)
        found = watch.read()
    assert found.wait_share is not None
    assert found.wait_share > 0.1
    assert found.other_share is not None
    assert found.other_share > 0
    ((name, explanation),) = figures.badges(answer(interference=found))
    assert name.startswith("disturbed ")
    assert "other programs " in explanation


@linux
def test_the_watch_of_an_engine_tells_memory_and_machine():
    cpu = min(os.sched_getaffinity(0))
    with spinning(cpu) as model:
        pids = lambda: memory.tree(model.pid)  # noqa: E731
        watch = AnswerWatch(memory.ProcessWatch(model.pid), Watch(pids, lambda: [os.getpid()]))
        until_spent(model, 1.0)
        assert watch.read().peak_bytes
        found = interfered(watch)
    assert found.measured
    assert 0 <= (found.wait_share or 0) <= 1
