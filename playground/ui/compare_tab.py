"""Knows what each control of the compare tab does. Decides nothing: `visit` and `show` do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from playground import asking
from playground.errors import PlaygroundError
from playground.parts import Parts
from playground.types import SIDES, Message, ModelSpec, Prompt, Side, Winner
from playground.ui import booth, cards, frame, layout, pairing, settings_panel, show
from playground.ui.casting import Ask
from playground.ui.frame import Update
from playground.ui.layout import Layout
from playground.ui.pace import Pace
from playground.ui.visit import Visit, Visitors

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def build(parts: Parts, visitors: Visitors, pace: Pace, blocks: gr.Blocks) -> Layout:
    """Lay the tab out and wire it."""
    tab = layout.build(parts)
    _wire_race(tab, parts, visitors, pace)
    _wire_votes(tab, parts, visitors)
    _wire_fresh(tab, parts, visitors)
    if not parts.settings.blind:
        _wire_pickers(tab, parts, blocks)
    return tab


def _wire_asking(tab: Layout, parts: Parts, visitors: Visitors) -> list[Any]:
    """Send and Retry make a race. Returns their events, after which it can be followed."""

    def ask(request: gr.Request, signed_in: gr.OAuthToken | None, value: dict[str, Any], *rest: Any) -> Update:
        visit = visitors.of(request.session_hash)
        try:
            wish = _wish(parts, value, rest)
            visit.start(wish, signed_in.token if signed_in else "")
        except PlaygroundError as error:
            return {tab.problem: show.problem(str(error), _who_can_see(parts, value, rest))}
        return _opening(tab, visit, wish) | frame.ballot(tab, parts, visit)

    def retrying(side: Side) -> Callable[[gr.Request, gr.OAuthToken | None], Update]:
        def retry(request: gr.Request, signed_in: gr.OAuthToken | None) -> Update:
            visit = visitors.of(request.session_hash)
            try:
                visit.retry(side, signed_in.token if signed_in else "")
            except PlaygroundError as error:
                return {tab.problem: show.problem(str(error))}
            return {tab.problem: ""} | frame.ballot(tab, parts, visit)

        return retry

    dock, answers, models = tab.dock, tab.answers, tab.pickers.models.values()
    how = [tab.pickers.pacing, tab.pickers.mode, dock.panel.hold, dock.panel.early]
    inputs = [dock.prompt, *models, *how, *dock.panel.fields]
    ballot = frame.ballot_parts(tab)
    asked = gr.on(
        [dock.prompt.submit, dock.send.click],
        ask,
        inputs,
        [*_opening_parts(tab), *ballot],
        trigger_mode="once",
        **PRIVATE,
    )
    retried = [
        answers.retries[side].click(retrying(side), None, [tab.problem, *ballot], trigger_mode="once", **PRIVATE)
        for side in SIDES
    ]
    return [asked, *retried]


def _wire_race(tab: Layout, parts: Parts, visitors: Visitors, pace: Pace) -> None:
    """A race streams; then the vote is open."""

    def stream(request: gr.Request) -> Iterator[list[Any]]:
        visit, now = visitors.of(request.session_hash), None
        with pace.watching():
            for now in visit.follow(pace.every_s):
                yield frame.live(now, sealed=visit.sealed)
        if now is None:  # nothing was started, or another handler of this tab streams it
            yield [gr.skip()] * len(frame.live_parts(tab))

    def finish(request: gr.Request, left: str, right: str) -> Update:
        visit = visitors.of(request.session_hash)
        ended = frame.ballot(tab, parts, visit)
        if visit.ask and visit.ask.blind:  # the state of a model would tell that it was asked
            return ended
        return ended | frame.cards(tab, parts, left, right)

    models, changed = list(tab.pickers.models.values()), [*frame.ballot_parts(tab), *tab.pickers.cards.values()]
    for begun in _wire_asking(tab, parts, visitors):
        streamed = begun.then(stream, None, frame.live_parts(tab), **PRIVATE)
        streamed.then(finish, models, [*changed, tab.ticker], **PRIVATE)
    _wire_stops(tab, visitors)


def _wire_stops(tab: Layout, visitors: Visitors) -> None:
    def stopping(side: Side | None) -> Callable[[gr.Request], None]:
        def stop(request: gr.Request) -> None:
            visitors.of(request.session_hash).stop(side)

        return stop

    tab.dock.stop.click(stopping(None), **PRIVATE)
    for side in SIDES:
        tab.answers.stops[side].click(stopping(side), **PRIVATE)


def _wish(parts: Parts, value: dict[str, Any], rest: tuple[Any, ...]) -> Ask:
    left, right, pacing, _, hold, early, *fields = rest
    blind = _is_blind(parts, rest)
    text, files = asking.clean(value.get("text") or ""), tuple(Path(file) for file in value.get("files") or ())
    known = next((prompt for prompt in parts.prompts if prompt.text == text), None)
    # a library prompt keeps its id only when it is asked with the pictures it belongs to
    same = known is not None and len(known.images) == len(files)
    prompt = replace(known, images=files) if known and same else Prompt(text, files)
    system, sampling = settings_panel.read(fields, alike=blind)
    if known and same and known.system:
        system = {side: system[side] or known.system for side in SIDES}
    return Ask(prompt, {"left": left, "right": right}, pacing, system, sampling, blind, bool(hold), bool(early))


def _is_blind(parts: Parts, rest: tuple[Any, ...]) -> bool:
    return parts.settings.blind or rest[3] == "blind"


def _who_can_see(parts: Parts, value: dict[str, Any], rest: tuple[Any, ...]) -> list[ModelSpec]:
    """Two models that read images (or one, for both sides), when pictures were meant for two that do not."""
    if not value.get("files") or _is_blind(parts, rest):
        return []
    if any(parts.catalog.row(key).reads_images for key in rest[:2]):
        return []
    return [spec for spec in parts.catalog if spec.reads_images][:2]


def _opening(tab: Layout, visit: Visit, wish: Ask) -> Update:
    """What changes once when a race begins: the question moves from the box to above the answers."""
    pictures = [cards.thumbnail(image) for image in visit.message.images] if visit.message else []
    values = [
        "",
        "",
        gr.update(visible=False),
        gr.update(visible=visit.turn > 1, label=f"Earlier turns ({visit.turn - 1})"),
        *(_history(visit.histories[side]) for side in SIDES),
        gr.update(visible=True),
        show.asked(wish.prompt, pictures, visit.turn),
        {"text": "", "files": []},
        gr.update(active=not wish.blind),
        gr.update(value=[], choices=[*booth.TAGS, *([booth.IMAGE_TAG] if pictures else [])]),
        "",
    ]
    live = frame.live(visit.shown, sealed=visit.sealed) if visit.shown else []
    return dict(zip(_opening_parts(tab), [*values, *live], strict=True))


def _opening_parts(tab: Layout) -> list[Any]:
    answers = tab.answers
    once = [tab.problem, tab.pickers.why, tab.welcome, tab.earlier, *tab.histories.values()]
    asked = [answers.result, answers.asked, tab.dock.prompt, tab.ticker, answers.tags, answers.words]
    return [*once, *asked, *frame.live_parts(tab)]


def _history(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    return [show.said(message.role, message.text) for message in messages]


def _wire_votes(tab: Layout, parts: Parts, visitors: Visitors) -> None:
    answers = tab.answers
    shown = [*frame.ballot_parts(tab), *frame.live_parts(tab)]

    def voting(winner: Winner) -> Callable[[gr.Request, list[str], str], Update]:
        def vote(request: gr.Request, tags: list[str], words: str) -> Update:
            visit = visitors.of(request.session_hash)
            try:
                visit.vote(winner, booth.reason(tags or [], words or ""))
            except PlaygroundError as error:
                return frame.ballot(tab, parts, visit, str(error))
            return frame.ballot(tab, parts, visit) | frame.still(tab, visit)

        return vote

    def undo(request: gr.Request) -> Update:
        visit = visitors.of(request.session_hash)
        try:
            visit.undo()
        except PlaygroundError as error:
            return frame.ballot(tab, parts, visit, str(error))
        return frame.ballot(tab, parts, visit)

    for winner, button in answers.votes.items():
        button.click(voting(winner), [answers.tags, answers.words], shown, trigger_mode="once", **PRIVATE)
    answers.undo.click(undo, None, frame.ballot_parts(tab), trigger_mode="once", **PRIVATE)


def _wire_pickers(tab: Layout, parts: Parts, blocks: gr.Blocks) -> None:
    pickers, models = tab.pickers, list(tab.pickers.models.values())

    def look(left: str, right: str) -> Update:
        return frame.cards(tab, parts, left, right)

    def changed(left: str, right: str) -> Update:
        return look(left, right) | {pickers.pacing: parts.default_pacing(left, right), pickers.why: ""}

    def picked(left: str, right: str) -> Update:
        found = {side: pairing.at_server(parts, key) for side, key in zip(SIDES, (left, right), strict=True)}
        said = next((sentence for _, sentence in found.values() if sentence), "")
        keys = [found[side][0].get("value", key) for side, key in zip(SIDES, (left, right), strict=True)]
        shown = {pickers.models[side]: gr.update(**update) for side, (update, _) in found.items() if update}
        return changed(*keys) | shown | {tab.problem: show.problem(said) if said else ""}

    def paired(name: str) -> Update:
        if not name:
            return {pickers.pairs: ""}
        pair = parts.choose(name)
        chosen: Update = {pickers.models["left"]: pair.left, pickers.models["right"]: pair.right, pickers.pairs: ""}
        return chosen | changed(pair.left, pair.right) | {pickers.why: show.why(pair), tab.problem: ""}

    def swapped(left: str, right: str) -> Update:
        return look(right, left) | {pickers.models["left"]: right, pickers.models["right"]: left, pickers.why: ""}

    def opened(left: str, right: str) -> Update:
        """The page was built at the start; whether the Hub answers may be known by now."""
        pair = parts.pair
        if (left, right) == (pair.left, pair.right):
            return look(left, right)
        chosen: Update = {pickers.models["left"]: pair.left, pickers.models["right"]: pair.right}
        return chosen | changed(pair.left, pair.right) | {pickers.why: show.why(pair)}

    def offered(event: gr.EventData) -> Update:
        chosen: Update = {pickers.models["left"]: event.left, pickers.models["right"]: event.right, tab.problem: ""}
        return chosen | changed(event.left, event.right)

    shown = [*pickers.cards.values(), tab.ticker]
    touched = [*shown, *models, pickers.pacing, pickers.why, tab.problem]
    gr.on([m.input for m in models], picked, models, touched, **PRIVATE)
    pickers.pairs.input(paired, pickers.pairs, [*touched, pickers.pairs], **PRIVATE)
    pickers.swap.click(swapped, models, [*shown, *models, pickers.why], **PRIVATE)
    blocks.load(opened, models, touched, **PRIVATE)
    tab.ticker.tick(look, models, shown, **PRIVATE)
    tab.problem.click(offered, None, touched, **PRIVATE)


def _wire_fresh(tab: Layout, parts: Parts, visitors: Visitors) -> None:
    """New, and the switch between open and blind, begin a new conversation."""
    pickers = tab.pickers

    def begin(request: gr.Request, mode: str) -> Update:
        visit = visitors.of(request.session_hash)
        try:
            visit.forget()
        except PlaygroundError as error:
            return {tab.problem: show.problem(str(error))}
        blind = parts.settings.blind or mode == "blind"
        return {
            tab.problem: "",
            tab.answers.result: gr.update(visible=False),
            tab.earlier: gr.update(visible=False),
            tab.welcome: gr.update(visible=True),
            pickers.row: gr.update(visible=not blind),
            pickers.why: "",
            pickers.curtain: frame.curtain(parts) if blind else "",
        }

    def switch(request: gr.Request, mode: str) -> Update:
        done = begin(request, mode)
        return done if pickers.row in done else done | {pickers.mode: "open" if mode == "blind" else "blind"}

    begun = [tab.problem, tab.answers.result, tab.earlier, tab.welcome, pickers.row, pickers.why, pickers.curtain]
    tab.dock.fresh.click(begin, pickers.mode, begun, **PRIVATE)
    pickers.mode.input(switch, pickers.mode, [*begun, pickers.mode], **PRIVATE)
