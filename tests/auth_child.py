"""`app.py` behind a name and a password, for the test of live updates."""

from __future__ import annotations

import sys
from functools import partialmethod
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import gradio as gr

import app

gr.Blocks.launch = partialmethod(gr.Blocks.launch, auth=("ada", "a long word"))

if __name__ == "__main__":
    app.main()
