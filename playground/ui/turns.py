"""Knows how the conversation of two sides grows from turn to turn. Knows no tab and no model."""

from __future__ import annotations

from collections.abc import Mapping

from playground.types import SIDES, Comparison, Message, Side

Histories = Mapping[Side, tuple[Message, ...]]
"""What each side was asked and has said in earlier turns."""
NOTHING: Histories = {"left": (), "right": ()}


def grown(histories: Histories, message: Message | None, comparison: Comparison | None) -> Histories:
    """Each side's history with what it was asked and said last. A side that said nothing forgets the question: chat
    templates want user and assistant in turn."""
    if not (message and comparison):
        return histories
    after = dict(histories)
    for side in SIDES:
        answer = comparison.side(side)
        if answer.text:
            after[side] = (*after[side], message, Message("assistant", answer.text))
    return after
