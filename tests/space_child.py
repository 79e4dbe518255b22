"""`app.py` with the Hub's router on this machine, for the test of signing in: a real one cannot be reached there."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import app
from playground import engines

engines.ROUTER = "127.0.0.1"

if __name__ == "__main__":
    app.main()
