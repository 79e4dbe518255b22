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


def live(now: Comparison, *, sealed: bool = False) -> list[Any]:
    """What streams: both panes, both answers, both feet, the figures (none while names are sealed)."""
    sides = [now.side(side) for side in SIDES]
    return [
        *(show.pane(answer) for answer in sides),
        *(show.messages(answer) for answer in sides),
        *(show.foot(answer, now) for answer in sides),
        show.no_tape(now) if sealed else show.tape(now),
        "" if sealed else show.all_figures(now),
    ]


def still(tab: Layout, visit: Visit) -> Update:
    """The same as an update, when nothing streams any more; nothing while a stream sends it anyway, and later."""
    now = visit.shown
    return dict(zip(live_parts(tab), live(now, sealed=visit.sealed), strict=True)) if now and now.final else {}


def ballot_parts(tab: Layout) -> list[Any]:
    """The components of `ballot`."""
    answers = tab.answers
    return [*answers.votes.values(), answers.note, answers.marks, answers.reveal, answers.undo, tab.pickers.curtain]


def ballot(tab: Layout, parts: Parts, visit: Visit, error: str = "") -> Update:
    """The vote buttons, possible or not, the line that says why, or what became of the vote, and who they were."""
    answers, blind = tab.answers, parts.settings.blind or bool(visit.ask and visit.ask.blind)
    can = visit.cast is None and booth.can_vote(visit.shown, early=_early(visit))
    changed: Update = {button: gr.update(interactive=can) for button in answers.votes.values()}
    label = "Undo my vote" if visit.cast else "Undo my last vote"
    return changed | {
        answers.note: _note(str(parts.book.path), visit, error),
        answers.marks: booth.marks(visit.winner, judged=visit.judged, blind=blind),
        answers.reveal: reveal(parts, visit),
        answers.undo: gr.update(value=label, visible=visit.undoable),
        tab.pickers.curtain: curtain(parts, visit) if blind else "",
    }


def _early(visit: Visit) -> bool:
    return bool(visit.ask and visit.ask.early)


def _note(where: str, visit: Visit, error: str) -> str:
    if visit.cast and not error:
        return booth.thanks(where, visit.cast.receipt)
    if visit.judged and not error:
        return booth.taken_back(revealed=bool(visit.ask and visit.ask.blind))
    return booth.note(visit.shown, where, error, early=_early(visit))


def reveal(parts: Parts, visit: Visit) -> str:
    """Who they were, once the vote on a blind comparison is on disk."""
    if not (visit.cast and visit.ask and visit.ask.blind):
        return ""
    return booth.reveal(visit.cast, {spec.key: spec.title for spec in parts.catalog}, visit.rates)


def curtain(parts: Parts, visit: Visit | None = None) -> str:
    """What stands in the place of the pickers in blind mode. Names only what is revealed."""
    known = visit.comparison if visit and visit.ask and visit.ask.blind and not visit.sealed else None
    models = {side: parts.catalog.row(known.side(side).model) for side in SIDES} if known else None
    rates = (visit.rates if visit else {}) or parts.arena.rates()
    return booth.curtain(models, rates, weighted=parts.arena.weighted)


def cards(tab: Layout, parts: Parts, left: str, right: str) -> Update:
    """Both pickers' cards; the ticker runs while something loads."""
    states = [parts.pool.state(key) for key in (left, right)]
    shown: Update = {
        card: show.card(parts.catalog.row(key), state)
        for card, key, state in zip(tab.pickers.cards.values(), (left, right), states, strict=True)
    }
    return shown | {tab.ticker: gr.update(active=any(state.name == "loading" for state in states))}
