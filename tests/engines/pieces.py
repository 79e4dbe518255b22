"""Puts the events of a stream together, for the tests of those who make them."""

from __future__ import annotations

from collections.abc import Iterable

from playground.types import Delta, Event, Revised


def kept(events: Iterable[Event]) -> tuple[str, str]:
    """Thinking and answer, as they are after the last of these events."""
    thought = answer = ""
    for event in events:
        if isinstance(event, Revised):
            thought, answer = event.reasoning, event.text
        elif isinstance(event, Delta) and event.reasoning:
            thought += event.text
        elif isinstance(event, Delta):
            answer += event.text
    return thought, answer
