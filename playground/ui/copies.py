"""Knows the line that says how the copies of votes to the Hub go. Copies nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

import gradio as gr

if TYPE_CHECKING:
    from playground.votes.sync import Status, Sync

EVERY_S = 5.0
_TROUBLE = {"rejected": "rejected", "unchecked": "could not check"}


def build(sync: Sync | None, blocks: gr.Blocks) -> None:
    """The line, refreshed every few seconds, where votes are copied; nothing elsewhere."""
    if sync is None:
        return

    def look() -> str:
        return line(sync.status)

    shown = gr.HTML(line(sync.status), elem_classes="copies")
    gr.on([blocks.load, gr.Timer(EVERY_S).tick], look, None, shown, api_visibility="private", show_progress="hidden")


def line(status: Status) -> str:
    """Where votes go, when the last copy was made, and what went wrong since."""
    last = f"last copied at {_clock(status.pushed_at)}" if status.pushed_at else "none copied yet"
    words = f"Votes are copied to {escape(status.repo)} · {last}"
    if status.state in _TROUBLE and status.failed_at:
        words += (
            f' · <b class="{status.state}">{_TROUBLE[status.state]} at {_clock(status.failed_at)}:</b> '
            f"{escape(status.error)} New votes are kept here, and copied as soon as it works."
        )
    return f'<p class="note" role="status">{words}</p>'


def _clock(moment_s: float) -> str:
    return f"{datetime.fromtimestamp(moment_s, UTC):%H:%M:%S} UTC"
