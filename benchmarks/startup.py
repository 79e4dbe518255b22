"""`python app.py` to the first page, and what the app's process holds: run with `python -m benchmarks.startup`.

Nothing is asked; the two models that come with the package are loaded in the background meanwhile, as they are for a
person. The first run is thrown away, so that the disk is warm.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil

from benchmarks import common
from tests.site import ROOT, free_port

RUNS = 5
SETTLE_S = 20.0


def once(folder: Path) -> tuple[float, float]:
    """Seconds to the first page, and MB of the app's own process some time later, models loaded."""
    port = free_port()
    started = time.monotonic()
    app = subprocess.Popen(
        [sys.executable, str(ROOT / "app.py"), "--port", str(port)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "GRADIO_TEMP_DIR": str(folder)},
    )
    try:
        with httpx.Client(trust_env=False) as http:
            while True:
                try:
                    http.get(f"http://127.0.0.1:{port}/").raise_for_status()
                    break
                except httpx.TransportError:
                    time.sleep(0.02)
        page_s = time.monotonic() - started
        time.sleep(SETTLE_S)
        return page_s, psutil.Process(app.pid).memory_info().rss / 1e6
    finally:
        app.send_signal(signal.SIGTERM)
        app.wait(60)


def main() -> None:
    """Print the table and the JSON line."""
    with tempfile.TemporaryDirectory() as folder:
        once(Path(folder))
        runs = [once(Path(folder)) for _ in range(RUNS)]
    page, memory = (common.spread(values) for values in zip(*runs, strict=True))
    common.table(
        ("figure", "measured"),
        [("first page", common.shown(page, "s")), ("app's process, resident", common.shown(memory, "MB", 0))],
    )
    common.finish("startup", {"page_s": page, "app_mb": memory})


if __name__ == "__main__":
    main()
