"""The app, with a Hub that may take its time: it has 2 s, and a page takes longer to be built. No test itself."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playground import hub

hub.Question.LIMIT_S = 100.0

import app  # noqa: E402 - after what it must find changed

app.main()
