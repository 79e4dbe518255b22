"""Knows what each control of the compare tab does. Decides nothing: `visit` and `show` do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from playground.compare import Race
from playground.errors import PlaygroundError
from playground.parts import Parts
from playground.types import SIDES, Message, Prompt, Side, Winner
from playground.ui import cards, layout, settings_panel, show
from playground.ui.frame import Frame, Update, card
from playground.ui.layout import Layout
from playground.ui.pace import Pace
from playground.ui.visit import Ask, Visit, Visitors

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def build(parts: Parts, visitors: Visitors, pace: Pace, blocks: gr.Blocks) -> Layout:
    """Lay the tab out and wire it."""
    tab = layout.build(parts)
    _wire_race(tab, parts, visitors, pace)
    _wire_votes(tab, parts, visitors)
    _wire_pickers(tab, parts, visitors, blocks)
    return tab


def _wire_race(tab: Layout, parts: Parts, visitors: Visitors, pace: Pace) -> None:
    def watch(visit: Visit, race: Race, first: Update) -> Iterator[Update]:
        """Yield what changed, as often as the pace allows. Leaving this generator stops the race."""
        frame = Frame(tab, parts)
        with pace.watching():
            for now in visit.follow(race, pace.every_s):
                yield first | frame.changes(now) or gr.skip()  # even then: Gradio can end a handler only at a yield
                first = {}

    def ask(request: gr.Request, value: dict[str, Any], *rest: Any) -> Iterator[Update]:
        visit = visitors.of(request.session_hash)
        try:
            wish = _wish(parts, value, rest)
            race = visit.start(wish)
        except PlaygroundError as error:
            yield {tab.problem: show.problem(str(error))}
            return
        yield from watch(visit, race, _opening(tab, visit, wish))

    def retrying(side: Side) -> Callable[..., Iterator[Update]]:
        def retry(request: gr.Request) -> Iterator[Update]:
            visit = visitors.of(request.session_hash)
            try:
                race = visit.retry(side)
            except PlaygroundError as error:
                yield {tab.problem: show.problem(str(error))}
                return
            yield from watch(visit, race, {tab.problem: ""})

        return retry

    def stopping(side: Side | None) -> Callable[[gr.Request], None]:
        def stop(request: gr.Request) -> None:
            visitors.of(request.session_hash).stop(side)

        return stop

    dock, answers, pickers = tab.dock, tab.answers, tab.pickers
    inputs = [dock.prompt, *pickers.models.values(), pickers.pacing, *dock.panel.fields]
    outputs = _race_outputs(tab)
    gr.on([dock.prompt.submit, dock.send.click], ask, inputs, outputs, trigger_mode="once", **PRIVATE)
    dock.stop.click(stopping(None), **PRIVATE)
    for side in SIDES:
        answers.stops[side].click(stopping(side), **PRIVATE)
        answers.retries[side].click(retrying(side), None, outputs, **PRIVATE)


def _wish(parts: Parts, value: dict[str, Any], rest: tuple[Any, ...]) -> Ask:
    left, right, pacing, *fields = rest
    text, files = value.get("text") or "", tuple(Path(file) for file in value.get("files") or ())
    known = next((prompt for prompt in parts.prompts if prompt.text == text), None)
    # a library prompt keeps its id only when it is asked with the pictures it belongs to
    same = known is not None and len(known.images) == len(files)
    prompt = Prompt(text, files, id=known.id if known and same else "typed")
    system, sampling = settings_panel.read(fields)
    if known and same and known.system:
        system = {side: system[side] or known.system for side in SIDES}
    return Ask(prompt, {"left": left, "right": right}, pacing, system, sampling)


def _opening(tab: Layout, visit: Visit, wish: Ask) -> Update:
    """What changes once when a race begins: the question moves from the box to above the answers."""
    pictures = [cards.thumbnail(image) for image in visit.message.images] if visit.message else []
    histories = {tab.histories[side]: _history(visit.histories[side]) for side in SIDES}
    return histories | {
        tab.problem: "",
        tab.pickers.why: "",
        tab.welcome: gr.update(visible=False),
        tab.earlier: gr.update(visible=visit.turn > 1, label=f"Earlier turns ({visit.turn - 1})"),
        tab.answers.result: gr.update(visible=True),
        tab.answers.asked: show.asked(wish.prompt.text, pictures, wish.prompt.id, visit.turn),
        tab.dock.prompt: {"text": "", "files": []},
    }


def _history(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    return [show.said(message.role, message.text) for message in messages]


def _race_outputs(tab: Layout) -> list[Any]:
    answers, dock = tab.answers, tab.dock
    by_side = (answers.panes, answers.chats, answers.feet, answers.stops, answers.retries)
    return [
        *(component for group in by_side for component in group.values()),
        *(answers.result, answers.asked, answers.tape, answers.note, *answers.votes.values()),
        *(dock.prompt, dock.stop, dock.send),
        *(tab.problem, tab.earlier, *tab.histories.values(), tab.welcome),
        *(tab.pickers.why, *tab.pickers.cards.values()),
    ]


def _wire_votes(tab: Layout, parts: Parts, visitors: Visitors) -> None:
    where = str(parts.settings.votes)

    def voting(winner: Winner) -> Callable[[gr.Request], Update]:
        def vote(request: gr.Request) -> Update:
            visit = visitors.of(request.session_hash)
            try:
                visit.vote(winner)
            except PlaygroundError as error:
                return {tab.answers.note: show.vote_note(visit.comparison, where, error=str(error))}
            closed: Update = {button: gr.update(interactive=False) for button in tab.answers.votes.values()}
            hidden: Update = {button: gr.update(visible=False) for button in tab.answers.retries.values()}
            return closed | hidden | {tab.answers.note: show.vote_note(visit.comparison, where, winner)}

        return vote

    outputs = [*tab.answers.votes.values(), *tab.answers.retries.values(), tab.answers.note]
    for winner, button in tab.answers.votes.items():
        button.click(voting(winner), None, outputs, trigger_mode="once", **PRIVATE)


def _wire_pickers(tab: Layout, parts: Parts, visitors: Visitors, blocks: gr.Blocks) -> None:
    pickers, models = tab.pickers, list(tab.pickers.models.values())

    def look(left: str, right: str) -> Update:
        keys = dict(zip(SIDES, (left, right), strict=True))
        states = {side: parts.pool.state(key) for side, key in keys.items()}
        shown: Update = {pickers.cards[side]: card(parts, keys[side], states[side]) for side in SIDES}
        return shown | {tab.ticker: gr.update(active=any(state.name == "loading" for state in states.values()))}

    def changed(left: str, right: str) -> Update:
        return look(left, right) | {pickers.pacing: parts.default_pacing(left, right), pickers.why: ""}

    def swapped(left: str, right: str) -> Update:
        return look(right, left) | {pickers.models["left"]: right, pickers.models["right"]: left, pickers.why: ""}

    def fresh(request: gr.Request) -> Update:
        try:
            visitors.of(request.session_hash).forget()
        except PlaygroundError as error:
            return {tab.problem: show.problem(str(error))}
        hidden: Update = {tab.answers.result: gr.update(visible=False), tab.earlier: gr.update(visible=False)}
        return hidden | {tab.problem: "", tab.welcome: gr.update(visible=True)}

    cards = [*pickers.cards.values(), tab.ticker]
    gr.on([m.input for m in models], changed, models, [*cards, pickers.pacing, pickers.why], **PRIVATE)
    pickers.swap.click(swapped, models, [*cards, *models, pickers.why], **PRIVATE)
    gr.on([blocks.load, tab.ticker.tick], look, models, cards, **PRIVATE)
    tab.dock.fresh.click(fresh, None, [tab.answers.result, tab.earlier, tab.problem, tab.welcome], **PRIVATE)
