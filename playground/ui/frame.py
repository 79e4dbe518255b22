"""Knows which parts of the page a new snapshot changes. Knows neither thread nor visitor.

Every component that is sent costs the server and the browser, so only what differs from the last frame is sent.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.parts import Parts
from playground.types import SIDES, Comparison, EngineState, Side
from playground.ui import show
from playground.ui.layout import Layout

Update = dict[Any, Any]


class Frame:
    """What one page shows now, as far as this race has told it."""

    def __init__(self, layout: Layout, parts: Parts) -> None:
        self._layout, self._parts = layout, parts
        self._last: dict[Any, Any] = {}

    def changes(self, now: Comparison) -> Update:
        """Updates for the components that this snapshot changes."""
        shown: Update = {}
        for side in SIDES:
            shown |= self._side(side, now)
        answers, final = self._layout.answers, now.final
        shown[answers.tape] = show.tape(now)
        shown[answers.note] = show.vote_note(now, str(self._parts.settings.votes))
        shown[self._layout.dock.stop] = ("visible", not final)
        shown[self._layout.dock.send] = ("visible", final)
        for button in answers.votes.values():
            shown[button] = ("interactive", show.can_vote(now))
        return {component: _update(value) for component, value in shown.items() if self._differs(component, value)}

    def _side(self, side: Side, now: Comparison) -> Update:
        answers, answer = self._layout.answers, now.side(side)
        state = self._parts.pool.state(answer.model)
        return {
            answers.panes[side]: show.pane(answer),
            answers.chats[side]: show.messages(answer),
            answers.feet[side]: show.foot(answer),
            answers.stops[side]: ("visible", not answer.final),
            answers.retries[side]: ("visible", now.final),
            self._layout.pickers.cards[side]: card(self._parts, answer.model, state),
        }

    def _differs(self, component: Any, value: Any) -> bool:
        if self._last.get(component, self) == value:
            return False
        self._last[component] = value
        return True


def card(parts: Parts, key: str, state: EngineState) -> str:
    """The card of that model under its picker."""
    return show.card(parts.catalog.row(key), state)


def _update(value: Any) -> Any:
    """Pairs are a property and its value; all else is the component's new value."""
    return gr.update(**{value[0]: value[1]}) if isinstance(value, tuple) else value
