"""A server process starts, is watched, is explained when it dies, and never outlives the app."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

import playground
from playground import starved
from playground.engines import watchdog
from playground.engines import worker as workers
from playground.engines.worker import Worker, ending
from playground.errors import WorkerError
from tests import site
from tests.patience import LIMIT_S, eventually

FAKE = Path(__file__).with_name("fake_server_child.py")
ROOT = Path(playground.__file__).parent.parent
posix = pytest.mark.skipif(os.name != "posix", reason="needs signals and process groups")


def fake(what: str = "serves", **more: object) -> Worker:
    return Worker("Fake", lambda port: [sys.executable, str(FAKE), str(port), what], **more)  # type: ignore[arg-type]


QUICK = watchdog.Limits(0.1, 0.1, 2, 1000)


def running(pid: int | None) -> bool:
    try:
        return pid is not None and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def served() -> Iterator[Worker]:
    worker = fake(settings={"OMP_NUM_THREADS": "3"})
    worker.start()
    yield worker
    worker.end()


def test_a_started_worker_is_healthy_and_its_pid_is_that_of_the_server_itself(served: Worker):
    assert served.alive()
    assert str(FAKE) in psutil.Process(served.pid).cmdline()
    assert served.died() == ""


def test_settings_reach_the_server_beside_the_inherited_environment(served: Worker):
    assert "fake: starting 3" in served.log()


@posix
def test_a_killed_worker_says_by_what_and_what_to_do(served: Worker):
    os.kill(served.pid or 0, signal.SIGKILL)
    death = served.died_by_now()
    assert death == (
        "Fake's process was killed by signal 9, by another program or a person. Ask again to start it anew."
    )
    assert not starved.ran_out(death)
    assert not served.alive()


@posix
def test_a_worker_that_lives_has_not_died_although_its_connection_broke(served: Worker):
    assert served.died_by_now() == ""


@posix
def test_a_worker_that_hangs_is_ended_and_says_why(served: Worker):
    pid = served.pid
    os.kill(pid or 0, signal.SIGSTOP)
    given_up = threading.Event()
    with served.watched(QUICK, given_up.set):
        assert given_up.wait(LIMIT_S)
    assert re.fullmatch(
        r"Fake's process was stopped by a signal and said nothing for \d+ s, so it was ended\. "
        r"Ask again to start it anew\.",
        served.died(),
    )
    assert not served.alive()
    eventually(lambda: not running(pid))


@posix
def test_a_worker_that_is_stopped_while_it_starts_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watchdog, "LOADING", QUICK)
    worker = fake("silent")

    def stop() -> None:
        eventually(lambda: worker.pid is not None)
        os.kill(worker.pid or 0, signal.SIGSTOP)

    threading.Thread(target=stop).start()
    with pytest.raises(WorkerError, match="was stopped by a signal and said nothing"):
        worker.start()


def test_a_server_that_does_not_start_is_quoted_with_its_exit_code():
    worker = fake("fails")
    with pytest.raises(WorkerError, match=r'exit code 1\. Its log ends: "fake: no such model"'):
        worker.start()


def test_a_server_that_never_answers_is_given_up_and_ended():
    worker = fake("silent", start_limit_s=3)
    with pytest.raises(WorkerError, match="did not answer within 3 s"):
        worker.start()
    assert not worker.alive()


def test_only_the_tail_of_a_long_log_is_kept():
    worker = fake("talkative")
    worker.start()
    try:
        eventually(lambda: worker.log(1) == ["line 299"])
        assert len(worker.log()) == workers.LOG_LINES
    finally:
        worker.end()


def test_a_port_taken_between_choosing_and_binding_is_replaced(monkeypatch: pytest.MonkeyPatch):
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        free = workers.free_port()
        ports = iter([taken.getsockname()[1], free])
        monkeypatch.setattr(workers, "free_port", lambda: next(ports))
        worker = fake()
        worker.start()
        try:
            assert worker.url.endswith(f":{free}")
        finally:
            worker.end()


def test_ending_ends_the_server_and_all_that_it_started():
    worker = fake("child")
    worker.start()
    family = [worker.pid, *(child.pid for child in psutil.Process(worker.pid).children(recursive=True))]
    assert len(family) == 2
    worker.end()
    worker.end()
    eventually(lambda: not any(map(running, family)))


@posix
def test_a_server_that_ignores_the_request_to_end_is_forced():
    worker = fake("stubborn", grace_s=0.5)
    worker.start()
    pid = worker.pid
    worker.end()
    assert not running(pid)


def test_ending_a_worker_while_it_starts_ends_the_wait():
    worker = fake("silent")
    errors: list[WorkerError] = []

    def start() -> None:
        try:
            worker.start()
        except WorkerError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    eventually(lambda: worker.pid is not None)
    worker.end()
    thread.join(LIMIT_S)
    assert "closed while it started" in str(errors[0])


@posix
@pytest.mark.parametrize("way", ["SIGKILL", "SIGTERM", "SIGINT", "exit"])
def test_no_way_of_ending_the_app_leaves_a_server_behind(way: str):
    """The worker is started by a thread that ends at once, and a second one exists: neither may matter."""
    code = (
        "import sys, threading, time; from playground.engines.worker import Worker\n"
        f"made = [Worker('Fake', lambda port: [sys.executable, {str(FAKE)!r}, str(port), 'child']) for _ in range(2)]\n"
        "threads = [threading.Thread(target=each.start) for each in made]\n"
        "[each.start() for each in threads]; [each.join() for each in threads]\n"
        "print(*(each.pid for each in made), flush=True); sys.stdin.readline()\n"
    )
    app = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL, preexec_fn=site.hear_ctrl_c,
    )  # fmt: skip
    with app:
        assert app.stdout
        servers = [int(pid) for pid in app.stdout.readline().split()]
        assert len(servers) == 2
        family = [each.pid for pid in servers for each in psutil.Process(pid).children(recursive=True)] + servers
        guards = [psutil.Process(pid).ppid() for pid in servers]
        if way == "exit":
            app.communicate("\n")
        else:
            app.send_signal(getattr(signal, way))
        app.wait(LIMIT_S)
    eventually(lambda: not any(map(running, family + guards)))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, "ended with exit code 1"),
        (250, "ended with exit code 250"),
        (143, "was ended by SIGTERM, by another program or a person"),
        (139, "crashed with SIGSEGV"),
    ],
)
def test_an_exit_code_is_told_in_words(code: int, words: str):
    assert ending(code) == words


@posix
@pytest.mark.parametrize("code", [-9, 137])
def test_memory_is_named_as_the_cause_only_if_the_kernel_counted_such_a_kill(code: int):
    assert ending(code, oom=True) == (
        "was killed by signal 9: most likely out of memory; choose a smaller or a 4-bit model"
    )
    assert starved.ran_out(ending(code, oom=True))
    assert ending(code, oom=False) == "was killed by signal 9, by another program or a person"
    assert "it does not say" in ending(code, oom=None)
    assert not any(starved.ran_out(ending(code, oom)) for oom in (False, None))
