"""Knows how to start a program that cannot outlive this process. Does not know which program."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from playground.errors import WorkerError

GUARD = Path(__file__).with_name("guard_child.py")
PID_LINE = re.compile(r"guard: pid (\d+)\s*$")
"""What the guard says first: the command's process id, which is not that of the guard."""


def start(
    command: Sequence[str],
    settings: Mapping[str, str] | None = None,
    *,
    env: Mapping[str, str] | None = None,
    grace_s: float = 5.0,
) -> subprocess.Popen[str]:
    """Start `command` under a guard; stdout and stderr come as one text.

    `env` replaces the whole environment, `settings` are added to it. Closing `stdin`, or the end of this process, ends
    the command and all that it started. Raises OSError.
    """
    added = [f"{name}={value}" for name, value in (settings or {}).items()]
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(GUARD), f"{grace_s:g}", *added, "--", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=env,
        start_new_session=True,  # Ctrl-C in the terminal reaches the app alone, which then ends in order
    )


def run(command: Sequence[str], settings: Mapping[str, str]) -> Iterator[None]:
    """Run a program to its end, with a turn five times a second. Leaving early ends it.

    Raises WorkerError with the last line it said.
    """
    try:
        process = start(command, settings)
    except OSError as error:
        raise WorkerError(str(error)) from error
    said: deque[str] = deque(maxlen=50)
    reader = threading.Thread(target=collect, args=(process, said.append), daemon=True)
    reader.start()
    try:
        while process.poll() is None:
            yield
            time.sleep(0.2)
    finally:
        release(process)
        reader.join(5)
        if process.stdout:
            process.stdout.close()
    if process.returncode:
        raise WorkerError(next((line for line in reversed(said) if line), "it said nothing"))


def collect(process: subprocess.Popen[str], keep: Callable[[str], object]) -> None:
    """Hand on every line that the program writes, until it ends."""
    with suppress(ValueError, OSError):  # closed while reading
        for line in process.stdout or ():
            keep(line.strip())


def release(process: subprocess.Popen[str], wait_s: float = 20.0) -> None:
    """End it and wait until it is gone; the pipes are closed."""
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(wait_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def kill_group(pid: int) -> None:
    """End a command and what it started at once, also what is stopped, or what an ended guard left behind."""
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGTERM)  # Windows has no groups, and ends it by any signal
