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
from playground.engines import guard
from playground.errors import WorkerError

LOG_LINES = 200
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
        self.pid: int | None = None
        self._command, self._health, self._limit_s = command, health, start_limit_s
        self._settings, self._env, self._grace_s = dict(settings or {}), env, grace_s
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def start(self) -> None:
        """Start and wait until it is healthy; a port that somebody else took meanwhile is replaced once.

        Raises WorkerError with the end of the log.
        """
        for attempt in (1, 2):
            port = free_port()
            self._launch(port)
            if self._healthy(port):
                self.url = f"http://127.0.0.1:{port}"
                return
            taken = any("address already in use" in line.lower() or "bind" in line.lower() for line in self.log())
            reason = self._ended.is_set() or self.died()
            self._stop()
            if attempt == 2 or not (taken and reason):
                raise self._failed(reason)

    def alive(self) -> bool:
        """It runs, as far as the operating system knows."""
        process = self._process
        return process is not None and process.poll() is None

    def died(self, wait_s: float = 0.0) -> str:
        """Why it is gone, in a sentence for a person with the end of its log; "" while it runs or was ended by us.

        A broken connection is seen before the end of the process: `wait_s` is how long to wait for that.
        """
        process = self._process
        if process is None or self._ended.is_set():
            return ""
        with suppress(subprocess.TimeoutExpired):
            process.wait(wait_s)
        if process.returncode is None:
            return ""
        if self._reader:
            self._reader.join(1)
        killed = process.returncode in (-9, 137)
        said = "" if killed else self._quoted(starved.line(self.log()))  # SIGKILL leaves no time for a last word
        return f"{self.name}'s process {ending(process.returncode)}.{said} Ask again to start it anew."

    def log(self, lines: int = LOG_LINES) -> list[str]:
        """The last lines that it wrote."""
        return list(self._log)[-lines:]

    def last_line(self, most: int = 300) -> str:
        """The last line that may explain something, at most that many characters."""
        said = (line.strip() for line in reversed(self.log()) if line.strip() and not NOISE.match(line))
        return next(said, "")[:most]

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
        self._log.append(line)

    def _healthy(self, port: int) -> bool:
        """Wait until it answers; False when it ended, was ended, or took too long."""
        limit = time.monotonic() + self._limit_s
        with httpx.Client(trust_env=False, timeout=5.0) as client:
            while time.monotonic() < limit and self.alive() and not self._ended.wait(0.1):
                with suppress(httpx.HTTPError):
                    if client.get(f"http://127.0.0.1:{port}{self._health}").is_success and self._listens(port):
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


def ending(code: int) -> str:
    """How a process ended, from its exit code (128 plus the signal, or minus the signal)."""
    number = -code if code < 0 else code - 128
    if number == 9:
        return "was killed by signal 9: most likely out of memory; choose a smaller or a 4-bit model"
    if number > 0:
        with suppress(ValueError):
            return f"was killed by {signal.Signals(number).name}"
    return f"ended with exit code {code}"
