"""Runs `app.py` with as few updates a second as the environment says, for `benchmarks.page_cost`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import app
from playground.ui import pace

pace.FASTEST_PER_S = float(os.environ["BENCHMARK_UPDATES_PER_S"])

if __name__ == "__main__":
    app.main()
