"""A server that hangs is told from one that works in silence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from playground.engines.oom import OomKills
from playground.engines.watchdog import Limits, Vitals, Watchdog, vitals
from tests.patience import LIMIT_S, eventually

LIMITS = Limits(quiet_s=3, every_s=1, stopped_probes=2, stalled_probes=4)


class Server:
    """What a watchdog sees of a server, a look a second; `heard` is when it said something, `probes` how often it was
    asked for its health."""

    def __init__(self, looks: Sequence[Vitals | None], *, responds: bool = False, heard: Sequence[int] = ()) -> None:
        self.now_s = 0
        self.probes = 0
        self._looks, self._responds, self._heard = list(looks), responds, heard

    def found(self) -> tuple[int, str] | None:
        """After how many seconds it is reported, and why."""
        dog = Watchdog(lambda: self._looks[self.now_s], self._probed, lambda why: None, LIMITS, lambda: self.now_s)
        for second in range(len(self._looks)):
            self.now_s = second
            if self.now_s in self._heard:
                dog.beat()
            if why := dog.check():
                return self.now_s, why
        return None

    def _probed(self) -> bool:
        self.probes += 1
        return self._responds


IDLE = Vitals(5.0)
WORKING = [Vitals(5.0 + second) for second in range(60)]
STOPPED = replace(IDLE, stopped=True)


def test_a_stopped_server_that_does_not_answer_hangs_after_a_few_seconds():
    assert Server([STOPPED] * 60).found() == (5, "was stopped by a signal and said nothing for 5 s")


def test_a_server_that_uses_no_cpu_time_and_does_not_answer_hangs_a_little_later():
    assert Server([IDLE] * 60).found() == (7, "said nothing and used no CPU time for 7 s")


def test_a_server_that_reads_a_long_prompt_in_silence_is_neither_ended_nor_probed():
    server = Server(WORKING)
    assert server.found() is None
    assert server.probes == 0


def test_a_server_that_says_something_is_not_probed():
    server = Server([IDLE] * 60, heard=range(0, 60, 2))
    assert server.found() is None
    assert server.probes == 0


def test_a_server_that_answers_its_probe_goes_on():
    assert Server([IDLE] * 60, responds=True).found() is None
    assert Server([STOPPED] * 60, responds=True).found() is None  # it was woken meanwhile


def test_a_server_that_waits_for_a_disk_or_a_debugger_goes_on():
    assert Server([replace(IDLE, waits=True)] * 60).found() is None


def test_a_server_that_works_now_and_then_goes_on():
    assert Server([Vitals(second // 3) for second in range(60)]).found() is None


def test_a_server_that_was_stopped_for_a_moment_goes_on():
    assert Server([IDLE] * 4 + [STOPPED] + WORKING[1:50]).found() is None


def test_silence_counts_from_the_last_word():
    assert Server([*WORKING[:20], *[STOPPED] * 40], heard=[20]).found() == (
        25,
        "was stopped by a signal and said nothing for 5 s",
    )


def test_a_server_that_has_ended_does_not_hang():
    assert Server([IDLE] * 5 + [None] * 30).found() is None


def test_it_is_reported_once_and_not_after_it_was_let_go():
    reports: list[str] = []
    told, limits = threading.Event(), Limits(0.0, 0.001, 1, 1)

    def report(why: str) -> None:
        reports.append(why)
        told.set()

    with Watchdog(lambda: STOPPED, lambda: False, report, limits):
        assert told.wait(LIMIT_S)
    asked, go_on = threading.Event(), threading.Event()

    def responds() -> bool:
        asked.set()
        return not go_on.wait(LIMIT_S)

    with Watchdog(lambda: STOPPED, responds, report, limits):
        assert asked.wait(LIMIT_S)
    go_on.set()
    eventually(lambda: not any(each.name == "watchdog" for each in threading.enumerate()))
    assert len(reports) == 1


# --- real processes -------------------------------------------------------------------------------------------------


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that computes without end, and has a child that does nothing."""
    code = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "while True: pass"
    )
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    yield process
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_a_real_process_computes_is_stopped_and_is_gone(child: subprocess.Popen[bytes]):
    first = vitals(child.pid)
    assert first
    eventually(lambda: vitals(child.pid).cpu_s > first.cpu_s)
    os.kill(child.pid, signal.SIGSTOP)
    eventually(lambda: vitals(child.pid).stopped)
    at_rest = vitals(child.pid)
    assert vitals(child.pid) == at_rest
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert vitals(child.pid) is None
    assert vitals(None) is None


# --- whether the kernel killed it -----------------------------------------------------------------------------------


def group(root: Path, place: str, file: str, kills: int) -> None:
    folder = root / "sys" / "fs" / "cgroup" / place
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(f"oom 9\noom_kill {kills}\noom_group_kill 0\n")


def lives(root: Path, *groups: str) -> None:
    (root / "proc" / "7").mkdir(parents=True, exist_ok=True)
    (root / "proc" / "7" / "cgroup").write_text("".join(f"{each}\n" for each in groups))


def vmstat(root: Path, kills: int) -> None:
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc" / "vmstat").write_text(f"nr_free_pages 5\noom_kill {kills}\n")


@pytest.mark.parametrize(
    ("line", "place", "file"),
    [("0::/app/it", "app/it", "memory.events"), ("4:cpu,memory:/app", "memory/app", "memory.oom_control")],
)
def test_the_control_group_of_the_process_counts_and_not_the_whole_machine(
    tmp_path: Path, line: str, place: str, file: str
):
    lives(tmp_path, line)
    group(tmp_path, place, file, 3)
    vmstat(tmp_path, 20)
    kills = OomKills(tmp_path)
    kills.reset(7)
    vmstat(tmp_path, 21)  # somebody else's
    assert kills.rose() is False
    group(tmp_path, place, file, 4)
    assert kills.rose() is True
    kills.reset(7)
    assert kills.rose() is False


def test_a_process_that_moves_to_another_group_is_followed(tmp_path: Path):
    lives(tmp_path, "0::/one")
    group(tmp_path, "one", "memory.events", 0)
    group(tmp_path, "two", "memory.events", 5)
    kills = OomKills(tmp_path)
    kills.reset(7)
    lives(tmp_path, "0::/two")
    kills.follow(7)
    assert kills.rose() is False
    group(tmp_path, "two", "memory.events", 6)
    kills.follow(7)  # what was counted is not forgotten
    assert kills.rose() is True


def test_without_a_counter_of_its_group_that_of_the_machine_is_taken_and_without_any_nothing_is_known(tmp_path: Path):
    lives(tmp_path, "0::/hidden/from/a/container")
    kills = OomKills(tmp_path)
    kills.reset(7)
    assert kills.rose() is None
    vmstat(tmp_path, 1)
    kills.reset(7)
    vmstat(tmp_path, 2)
    assert kills.rose() is True
