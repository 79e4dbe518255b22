"""Knows how to keep one model server in a child process: start, watch, explain, end. Does not know which server.

The server runs under a guard (`guard.py`), so that no way of ending the app leaves it behind. `pid` is that of the
server itself: figures of memory do not count the guard.
"""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import httpx
import psutil

from playground import starved
from playground.engines import guard, watchdog
from playground.engines.oom import OomKills
from playground.errors import WorkerError
from playground.masking import mask

LOG_LINES = 200
PROBE_S = 1.0
"""How long a server may take to answer a probe of its health."""

ENDING_LIMIT_S = 30.0
"""A process of many gigabytes takes its time to end, and its guard to say so on a busy machine."""

NOISE = re.compile(r"^(INFO: |[\d.]+ [ID] |\[transformers\] \[Request received\]|guard: |\s*[\^~]+\s*$)")
"""Lines that explain no failure: requests as they came, and the marks under a line of a traceback."""

Command = Callable[[int], Sequence[str]]
"""The command line that serves at that port of 127.0.0.1."""


class Worker:
    """One server process. Made for one life: a crashed one is replaced by a new Worker.

    `settings` are added to the environment that the server inherits, or to `env` in its place.
    """

    def __init__(
        self,
        name: str,
        command: Command,
        *,
        settings: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        health: str = "/health",
        start_limit_s: float = 180.0,
        grace_s: float = 5.0,
    ) -> None:
        self.name, self.url = name, ""
        self._address = ""
        self.pid: int | None = None
        self._command, self._health, self._limit_s = command, health, start_limit_s
        self._settings, self._env, self._grace_s = dict(settings or {}), env, grace_s
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._hung = ""
        self._oom = OomKills()

    def start(self) -> None:
        """Start and wait until it is healthy; a port that somebody else took meanwhile is replaced once.

        Raises WorkerError with the end of the log.
        """
        for attempt in (1, 2):
            port = free_port()
            self._address = f"http://127.0.0.1:{port}"
            self._launch(port)
            with self.watched(watchdog.LOADING):
                healthy = self._healthy(port)
            if healthy:
                self.url = self._address
                return
            taken = any("address already in use" in line.lower() or "bind" in line.lower() for line in self.log())
            reason = self._ended.is_set() or self.died()
            self._stop()
            if attempt == 2 or not (taken and reason):
                raise self._failed(reason)

    def alive(self) -> bool:
        """It runs, as far as the operating system knows, and was not found to hang."""
        process = self._process
        return process is not None and process.poll() is None and not self._hung

    def responds(self) -> bool:
        """It answers a probe of its health, in whatever way."""
        try:
            with httpx.Client(trust_env=False, verify=False, timeout=PROBE_S) as client:  # no TLS to set up
                client.get(f"{self._address}{self._health}")
        except httpx.HTTPError:
            return False
        return True

    def watched(
        self, limits: watchdog.Limits = watchdog.ANSWERING, given_up: Callable[[], None] = lambda: None
    ) -> watchdog.Watchdog:
        """A watchdog for a time in which it owes something. If it hangs, it is ended and `given_up` is called."""

        def report(why: str) -> None:
            self.kill(why)
            given_up()

        return watchdog.Watchdog(lambda: watchdog.vitals(self.pid), self.responds, report, limits)

    def kill(self, why: str) -> None:
        """End it at once, also when it is stopped; `died` then tells why."""
        self._hung = why
        if (pid := self.pid) is not None:
            guard.kill_group(pid)

    def count_oom_kills(self) -> None:
        """From now on, a kill by the kernel for want of memory explains its end."""
        if self.alive():
            self._oom.reset(self.pid)

    def died(self) -> str:
        """Why it is gone, in a sentence for a person with the end of its log; "" while it runs or was ended by us."""
        process = self._process
        if process is None or self._ended.is_set():
            return ""
        if self._hung:
            return f"{self.name}'s process {self._hung}, so it was ended. Ask again to start it anew."
        if process.poll() is None:
            return ""
        if self._reader:
            self._reader.join(1)
        killed = process.returncode in (-9, 137)
        said = "" if killed else self._quoted(starved.line(self.log()))  # SIGKILL leaves no time for a last word
        how = ending(process.returncode, self._oom.rose())
        return f"{self.name}'s process {how}.{said} Ask again to start it anew."

    def died_by_now(self) -> str:
        """Why it is gone, asked when its connection broke, which is seen before its end: wait until it has ended, or
        answers a probe. "" if it lives."""
        process, until = self._process, time.monotonic() + ENDING_LIMIT_S
        while process is not None and not self._ended.is_set() and time.monotonic() < until:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
                break
            if self._hung or self.responds():
                break
        return self.died()

    def log(self, lines: int = LOG_LINES) -> list[str]:
        """The last lines that it wrote."""
        return list(self._log)[-lines:]

    def last_line(self, most: int = 300) -> str:
        """The last line that may explain something, at most that many characters."""
        said = (line.strip() for line in reversed(self.log()) if line.strip() and not NOISE.match(line))
        return mask(next(said, "")[:most])

    def end(self) -> None:
        """End it: asked first, forced after the grace. Any thread, any number of times, also while it starts."""
        self._ended.set()
        self._stop()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _launch(self, port: int) -> None:
        with self._lock:
            if self._ended.is_set():
                raise WorkerError(f"{self.name} was closed while it started; ask again.")
            try:
                self._process = guard.start(self._command(port), self._settings, env=self._env, grace_s=self._grace_s)
            except OSError as error:
                raise WorkerError(f"{self.name} could not be started: {error}. Check the installation.") from error
            self._reader = threading.Thread(
                target=guard.collect, args=(self._process, self._keep), name=f"log of {self.name}", daemon=True
            )
            self._reader.start()

    def _keep(self, line: str) -> None:
        if self.pid is None and (found := guard.PID_LINE.search(line)):
            self.pid = int(found[1])
            self._oom.reset(self.pid)
        self._log.append(line)

    def _healthy(self, port: int) -> bool:
        """Wait until it answers; False when it ended, was ended, or took too long."""
        limit = time.monotonic() + self._limit_s
        with httpx.Client(trust_env=False, timeout=5.0) as client:
            while time.monotonic() < limit and self.alive() and not self._ended.wait(0.1):
                self._oom.follow(self.pid)
                with suppress(httpx.HTTPError):
                    if client.get(f"{self._address}{self._health}").is_success and self._listens(port):
                        return True
        return False

    def _listens(self, port: int) -> bool:
        """The port is ours, and not that of another program which took it first."""
        if self.pid is None:
            return False
        try:
            family = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
            found = [link.laddr.port for each in family for link in each.net_connections("tcp") if link.laddr]
        except psutil.AccessDenied:
            return True  # macOS does not tell
        except psutil.Error:
            return False
        return port in found

    def _failed(self, reason: str | bool) -> WorkerError:
        if reason is True:
            return WorkerError(f"{self.name} was closed while it started; ask again.")
        if reason:
            return WorkerError(f"{reason}")
        return WorkerError(
            f"{self.name} did not answer within {self._limit_s:g} s of its start.{self._quoted()} "
            "End other programs, or choose a smaller model."
        )

    def _quoted(self, telling: str = "") -> str:
        """The line that tells most, or the last one."""
        line = telling or self.last_line()
        return f' Its log ends: "{line}".' if line else ""

    def _stop(self) -> None:
        with self._lock:
            process, reader = self._process, self._reader
            if process is None:
                return
            guard.release(process, self._grace_s + 10)
            if self.pid is not None:
                guard.kill_group(self.pid)  # for the case that the guard itself was killed
            if reader:
                reader.join(5)
            if process.stdout:
                process.stdout.close()
            self.pid = None


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


CRASHES = ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV")


def ending(code: int, oom: bool | None = None) -> str:
    """How a process ended, from its exit code (128 plus the signal, or minus the signal), and whether the kernel ended
    something for want of memory meanwhile (None: it does not tell)."""
    number = -code if code < 0 else code - 128
    if number <= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"ended with exit code {code}"
    if name in CRASHES:
        return f"crashed with {name}"
    if name != "SIGKILL":
        return f"was ended by {name}, by another program or a person"
    if oom:
        return "was killed by signal 9: most likely out of memory; choose a smaller or a 4-bit model"
    if oom is None:
        return (
            "was killed by signal 9: by another program, a person, or the system for want of memory (it does not say)"
        )
    return "was killed by signal 9, by another program or a person"
