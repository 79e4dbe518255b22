"""Says what the parts of the page show that change when a comparison begins, ends or is voted on. What streams in
between is sent by `live`."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground import budget
from playground.parts import Parts
from playground.policy import Person
from playground.types import SIDES
from playground.ui import booth, show
from playground.ui.layout import Layout
from playground.ui.visit import Visit

Update = dict[Any, Any]


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


def visiting(tab: Layout, parts: Parts, by: Person) -> Update:
    """Who the page takes one for, where that is a question, and what a visitor can still spend."""
    if by.owner:
        return {tab.visiting: show.OWNER if parts.policy.guarded else ""}
    left = budget.words(parts.budget.left(by.name), parts.budget.limits, parts.budget.reset_s())
    return {tab.visiting: show.visitor(left)}


def cards(tab: Layout, parts: Parts, left: str, right: str) -> Update:
    """Both pickers' cards; the ticker runs while something loads."""
    states = [parts.pool.state(key) for key in (left, right)]
    shown: Update = {
        card: show.card(parts.catalog.row(key), state)
        for card, key, state in zip(tab.pickers.cards.values(), (left, right), states, strict=True)
    }
    return shown | {tab.ticker: gr.update(active=any(state.name == "loading" for state in states))}
