"""The app as its own process, with recorded models, for tests that drive the page. Not a test itself."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import httpx
import psutil

from tests.patience import LIMIT_S

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT_S = 2 * LIMIT_S


def words(text: str, every_s: float = 0.03, first_s: float = 0.1, kind: str = "text") -> list[list[object]]:
    """A recording's events: one word each."""
    return [[round(first_s + n * every_s, 3), kind, f"{word} "] for n, word in enumerate(text.split())]


def model(folder: Path, key: str, answers: list[dict[str, object]], title: str = "", *, extra: str = "") -> str:
    """Write a recording, and return its row for a models file."""
    (folder / f"{key}.json").write_text(json.dumps({"schema": 1, "answers": answers}), encoding="utf-8")
    source = json.dumps(str(folder / f"{key}.json"))
    return f'[[model]]\nkey = "{key}"\ntitle = "{title or key}"\nengine = "replay"\nsource = {source}\n{extra}\n'


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def app(
    folder: Path,
    rows: str,
    *flags: str,
    env: Mapping[str, str] = MappingProxyType({}),
    program: Path = ROOT / "app.py",
) -> Iterator[str]:
    """`python app.py` with these rows (none: with its own models); yields its address and ends it afterwards."""
    port = free_port()
    log = (folder / "app.log").open("w", encoding="utf-8")
    command = [sys.executable, str(program), "--port", str(port), *flags]
    if rows:
        models = folder / "models.toml"
        models.write_text(rows, encoding="utf-8")
        command += ["--models", str(models)]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "GRADIO_TEMP_DIR": str(folder / "uploads"), **env}
    process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, env=env)
    try:
        url = f"http://127.0.0.1:{port}/"
        _wait(url, process, folder / "app.log")
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(LIMIT_S)
        log.close()


def process_at(url: str) -> psutil.Process:
    """The app that listens at that address."""
    port = int(url.rsplit(":", 1)[1].strip("/"))
    found = {c.pid for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr.port == port and c.pid}
    (pid,) = found
    return psutil.Process(pid)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_LIMIT_S
    while time.monotonic() < until:
        try:
            if httpx.get(url, timeout=LIMIT_S, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            time.sleep(0.1)
    raise AssertionError(f"the app did not answer within {START_LIMIT_S} s:\n{log.read_text(encoding='utf-8')}")


def hear_ctrl_c() -> None:
    """For `preexec_fn`: a shell lets what it starts in the background ignore SIGINT, and so all that these start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
