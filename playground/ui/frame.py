"""Knows what each part of the page shows at one moment of a comparison. Knows neither thread nor visitor.

While answers stream, eight components are sent at every update, all of them whole: Gradio rebuilds each component that
a handler leaves out or updates by property, which cost 19 ms an update with 29 outputs. What else depends on the state
of a race (which buttons are there) follows from classes in that HTML, by `style.css`.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground.parts import Parts
from playground.types import SIDES, Comparison
from playground.ui import booth, show
from playground.ui.layout import Layout
from playground.ui.visit import Visit

Update = dict[Any, Any]


def live_parts(tab: Layout) -> list[Any]:
    """The components of `live`, in its order."""
    answers = tab.answers
    return [*answers.panes.values(), *answers.chats.values(), *answers.feet.values(), answers.tape, answers.figures]


def live(now: Comparison) -> list[Any]:
    """What streams: both panes, both answers, both feet, the figures."""
    sides = [now.side(side) for side in SIDES]
    return [
        *(show.pane(answer) for answer in sides),
        *(show.messages(answer) for answer in sides),
        *(show.foot(answer, now) for answer in sides),
        show.tape(now),
        show.all_figures(now),
    ]


def ballot_parts(tab: Layout) -> list[Any]:
    """The components of `ballot`."""
    return [*tab.answers.votes.values(), tab.answers.note, tab.answers.voted]


def ballot(tab: Layout, parts: Parts, visit: Visit, error: str = "") -> Update:
    """The vote buttons, possible or not, and the line that says why, or what became of the vote."""
    can = booth.can_vote(visit.comparison) and visit.cast is None
    buttons: Update = {button: gr.update(interactive=can) for button in tab.answers.votes.values()}
    note = _note(str(parts.book.path), visit, error)
    return buttons | {tab.answers.note: note, tab.answers.voted: booth.voted(visit.winner)}


def _note(where: str, visit: Visit, error: str) -> str:
    if visit.cast and not error:
        return booth.thanks(where, visit.cast.receipt)
    return booth.note(visit.comparison, where, error)


def cards(tab: Layout, parts: Parts, left: str, right: str) -> Update:
    """Both pickers' cards; the ticker runs while something loads."""
    states = [parts.pool.state(key) for key in (left, right)]
    shown: Update = {
        card: show.card(parts.catalog.row(key), state)
        for card, key, state in zip(tab.pickers.cards.values(), (left, right), states, strict=True)
    }
    return shown | {tab.ticker: gr.update(active=any(state.name == "loading" for state in states))}
