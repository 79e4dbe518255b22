"""Knows how to end a program when the app that wanted it is gone. Knows neither what the program does nor the app.

    python -I -S guard_child.py GRACE_S [NAME=VALUE]... -- COMMAND...

The app alone holds the other end of our standard input. The kernel closes it when the app ends, in whatever way (exit,
SIGTERM, Ctrl-C, SIGKILL), and then the command's whole process group ends. `PR_SET_PDEATHSIG` would not do: it fires
when the *thread* that forked ends. Stdlib only and run by its path, so that it stays small.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time


def main(argv: list[str]) -> int:
    """Run the command; its exit code, or 128 plus the signal that killed it."""
    split = argv.index("--")
    for setting in argv[1:split]:
        os.putenv(*setting.split("=", 1))
    command = subprocess.Popen(argv[split + 1 :], stdin=subprocess.DEVNULL, start_new_session=True)
    offer(command.pid)
    print(f"\nguard: pid {command.pid}", flush=True)
    ending = threading.Thread(target=follow, args=(command, float(argv[0])), daemon=True)
    ending.start()
    code = command.wait()
    send(command, "SIGKILL")  # whatever it left behind
    return 128 - code if code < 0 else code


def offer(pid: int) -> None:
    """When the machine's memory is used up, the kernel is to end this program, and not the app or another program."""
    try:
        with open(f"/proc/{pid}/oom_score_adj", "w", encoding="ascii") as file:
            file.write("600")
    except OSError:
        pass  # not Linux, or it has ended already


def follow(command: subprocess.Popen[bytes], grace_s: float) -> None:
    """Wait until the app lets go, then end the command: first asked, then forced."""
    while os.read(0, 4096):
        pass
    send(command, "SIGTERM")
    send(command, "SIGCONT")  # one that is stopped hears nothing else
    time.sleep(grace_s)
    send(command, "SIGKILL")


def send(command: subprocess.Popen[bytes], name: str) -> None:
    """A signal to the whole group; Windows has none, there the process itself ends."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(command.pid, getattr(signal, name))
        else:
            command.terminate()
    except OSError:
        pass  # nobody is left


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
