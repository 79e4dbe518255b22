"""Knows what each control of the compare tab does. Decides nothing: `visit` and `show` do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from playground import asking
from playground.errors import PlaygroundError
from playground.parts import Parts
from playground.policy import Person
from playground.types import SIDES, ModelSpec, Prompt, Side, Winner
from playground.ui import booth, cards, frame, layout, pairing, settings_panel, show
from playground.ui.casting import Ask
from playground.ui.frame import Update
from playground.ui.gate import Who
from playground.ui.layout import Layout
from playground.ui.live import Feeds
from playground.ui.visit import Visit, Visitors

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
FOLLOW_JS = "(ticket) => { window.live.follow(ticket); }"
RESUME_JS = "(ticket) => { window.live.resume(ticket); }"
LOOK_AGAIN_JS = "() => { window.live.refresh(); }"
TICKET_JS = "async (_, ...rest) => [await window.live.stored(), ...rest]"


def build(parts: Parts, visitors: Visitors, feeds: Feeds, blocks: gr.Blocks, who: Who) -> Layout:
    """Lay the tab out and wire it."""
    tab = layout.build(parts)
    _wire_asking(tab, parts, visitors, feeds, who)
    _wire_ending(tab, parts, visitors, who)
    _wire_votes(tab, parts, visitors)
    _wire_fresh(tab, parts, visitors, feeds)
    _wire_opening(tab, parts, visitors, feeds, blocks, who)
    if not parts.settings.blind:
        _wire_pickers(tab, parts, who)
    return tab


def _wire_asking(tab: Layout, parts: Parts, visitors: Visitors, feeds: Feeds, who: Who) -> None:
    """Send and Retry begin a race, which the page then follows by its ticket."""

    def ask(request: gr.Request, signed_in: gr.OAuthToken | None, value: dict[str, Any], *rest: Any) -> Update:
        visit, by = visitors.of(request.session_hash), who(request)
        try:
            wish = _wish(parts, value, rest)
            visit.start(wish, signed_in.token if signed_in else "", by)
        except PlaygroundError as error:
            return {tab.problem: show.problem(str(error), _who_can_see(parts, value, rest, by))}
        return {
            **({} if visit.sealed else frame.visiting(tab, parts, by)),
            **_opening(tab, visit),
            **frame.ballot(tab, parts, visit),
            tab.live.ticket: feeds.open(visit),
            tab.dock.prompt: {"text": "", "files": []},
            tab.ticker: gr.update(active=_loads(parts, wish)),
        }

    def retrying(side: Side) -> Callable[[gr.Request, gr.OAuthToken | None], Update]:
        def retry(request: gr.Request, signed_in: gr.OAuthToken | None) -> Update:
            visit = visitors.of(request.session_hash)
            try:
                visit.retry(side, signed_in.token if signed_in else "", who(request))
            except PlaygroundError as error:
                return {tab.problem: show.problem(str(error))}
            return {tab.problem: "", tab.live.ticket: feeds.open(visit)} | frame.ballot(tab, parts, visit)

        return retry

    dock, answers, models = tab.dock, tab.answers, tab.pickers.models.values()
    how = [tab.pickers.pacing, tab.pickers.mode, dock.panel.hold, dock.panel.early]
    inputs = [dock.prompt, *models, *how, *dock.panel.fields]
    ballot = frame.ballot_parts(tab)
    changed = [*_opening_parts(tab), *ballot, tab.live.ticket, tab.dock.prompt, tab.ticker, tab.visiting]
    begun = [gr.on([dock.prompt.submit, dock.send.click], ask, inputs, changed, trigger_mode="once", **PRIVATE)]
    retried = [tab.problem, tab.live.ticket, *ballot]
    begun += [answers.retries[s].click(retrying(s), None, retried, trigger_mode="once", **PRIVATE) for s in SIDES]
    for event in begun:
        event.then(None, tab.live.ticket, js=FOLLOW_JS, **PRIVATE)


def _loads(parts: Parts, ask: Ask) -> bool:
    """A card of a picker has a load to show. What a hidden model does would give it away."""
    return not ask.blind and any(parts.pool.state(key).name in ("not_loaded", "loading") for key in ask.models.values())


def _wire_ending(tab: Layout, parts: Parts, visitors: Visitors, who: Who) -> None:
    """The vote is open when both sides have ended."""

    def finish(request: gr.Request, left: str, right: str) -> Update:
        visit = visitors.of(request.session_hash)
        ended = frame.ballot(tab, parts, visit)
        ended |= {} if visit.sealed else frame.visiting(tab, parts, who(request))
        if parts.settings.blind or not visit.ask or visit.ask.blind:  # a model's state would tell that it was asked
            return ended
        return ended | frame.cards(tab, parts, left, right)

    models, changed = list(tab.pickers.models.values()), [*frame.ballot_parts(tab), *tab.pickers.cards.values()]
    tab.live.ended.click(finish, models, [*changed, tab.visiting, tab.ticker], **PRIVATE)
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


def _who_can_see(parts: Parts, value: dict[str, Any], rest: tuple[Any, ...], by: Person) -> list[ModelSpec]:
    """Two models that read images (or one, for both sides), when pictures were meant for two that do not."""
    if not value.get("files") or _is_blind(parts, rest):
        return []
    if any(parts.catalog.row(key).reads_images for key in rest[:2]):
        return []
    return [spec for spec in parts.catalog if spec.reads_images and parts.may_ask(spec, by)][:2]


def _opening(tab: Layout, visit: Visit) -> Update:
    """What changes once when a race begins, or a page takes one up again: the question stands above the answers."""
    pictures = [cards.thumbnail(image) for image in visit.message.images] if visit.message else []
    values = [
        "",
        "",
        gr.update(visible=False),
        gr.update(visible=visit.turn > 1, label=f"Earlier turns ({visit.turn - 1})"),
        *(show.earlier(visit.histories[side], side) for side in SIDES),
        gr.update(visible=True),
        show.asked(visit.ask.prompt, pictures, visit.turn) if visit.ask else "",
        gr.update(value=[], choices=[*booth.TAGS, *([booth.IMAGE_TAG] if pictures else [])]),
        "",
    ]
    return dict(zip(_opening_parts(tab), values, strict=True))


def _opening_parts(tab: Layout) -> list[Any]:
    once = [tab.problem, tab.pickers.why, tab.welcome, tab.earlier, *tab.histories.values()]
    return [*once, tab.answers.result, tab.answers.asked, tab.answers.tags, tab.answers.words]


def _wire_opening(tab: Layout, parts: Parts, visitors: Visitors, feeds: Feeds, blocks: gr.Blocks, who: Who) -> None:
    """A page that is loaded again takes its comparison up; any other one shows what is known by now. A visitor chooses
    among the models that are offered."""
    pickers = tab.pickers
    models = list(pickers.models.values())

    def opened(request: gr.Request, ticket: str, left: str, right: str) -> Update:
        by = who(request)
        found = known(request, ticket, left, right) | frame.visiting(tab, parts, by)
        if by.owner or parts.settings.blind:
            return found
        choices = pairing.choices(parts, by)
        for picker, key in zip(models, (left, right), strict=True):
            found[picker] = gr.update(choices=choices, value=found.get(picker, key))
        return found | {pickers.pairs: gr.update(visible=False)}

    def known(request: gr.Request, ticket: str, left: str, right: str) -> Update:
        if visit := visitors.resume(ticket or "", request.session_hash):
            return resumed(visit)
        if parts.settings.blind:
            return {tab.problem: ""}
        pair = parts.pair  # the page was built at the start; whether the Hub answers may be known by now
        if (left, right) == (pair.left, pair.right):
            return frame.cards(tab, parts, left, right)
        chosen: Update = {pickers.models["left"]: pair.left, pickers.models["right"]: pair.right}
        return chosen | _chosen(tab, parts, pair.left, pair.right) | {pickers.why: show.why(pair)}

    def resumed(visit: Visit) -> Update:
        found = _opening(tab, visit) | frame.ballot(tab, parts, visit) | {tab.live.ticket: feeds.open(visit)}
        if parts.settings.blind or visit.ask is None:
            return found
        blind, keys = visit.ask.blind, visit.ask.models
        found |= {pickers.mode: "blind" if blind else "open", pickers.row: gr.update(visible=not blind)}
        if blind:
            return found
        chosen: Update = {pickers.models[side]: keys[side] for side in SIDES} | {pickers.pacing: visit.ask.pacing}
        return found | chosen | frame.cards(tab, parts, keys["left"], keys["right"])

    shown = [*_opening_parts(tab), *frame.ballot_parts(tab), tab.live.ticket, tab.visiting, pickers.mode, pickers.row]
    shown += [*models, *pickers.cards.values(), pickers.pacing, pickers.pairs, tab.ticker]
    loaded = blocks.load(opened, [tab.live.ticket, *models], shown, js=TICKET_JS, **PRIVATE)
    loaded.then(None, tab.live.ticket, js=RESUME_JS, **PRIVATE)


def _chosen(tab: Layout, parts: Parts, left: str, right: str) -> Update:
    """What follows from the choice of two models."""
    pickers = tab.pickers
    return frame.cards(tab, parts, left, right) | {
        pickers.pacing: parts.default_pacing(left, right),
        pickers.why: "",
    }


def _wire_votes(tab: Layout, parts: Parts, visitors: Visitors) -> None:
    answers = tab.answers
    shown = frame.ballot_parts(tab)

    def voting(winner: Winner) -> Callable[[gr.Request, list[str], str, str], Update]:
        def vote(request: gr.Request, tags: list[str], words: str, ticket: str) -> Update:
            visit = visitors.of(request.session_hash)
            try:
                visit.vote(winner, booth.reason(tags or [], words or ""), ticket or "")
            except PlaygroundError as error:
                return frame.ballot(tab, parts, visit, str(error))
            return frame.ballot(tab, parts, visit)

        return vote

    def undo(request: gr.Request) -> Update:
        visit = visitors.of(request.session_hash)
        try:
            visit.undo()
        except PlaygroundError as error:
            return frame.ballot(tab, parts, visit, str(error))
        return frame.ballot(tab, parts, visit)

    for winner, button in answers.votes.items():
        voted = button.click(
            voting(winner), [answers.tags, answers.words, tab.live.ticket], shown, trigger_mode="once", **PRIVATE
        )
        voted.then(None, js=LOOK_AGAIN_JS, **PRIVATE)  # names and figures come with the vote
    answers.undo.click(undo, None, shown, trigger_mode="once", **PRIVATE)


def _wire_pickers(tab: Layout, parts: Parts, who: Who) -> None:
    pickers, models = tab.pickers, list(tab.pickers.models.values())

    def look(left: str, right: str) -> Update:
        return frame.cards(tab, parts, left, right)

    def picked(request: gr.Request, left: str, right: str) -> Update:
        by = who(request)
        found = {side: pairing.at_server(parts, key, by) for side, key in zip(SIDES, (left, right), strict=True)}
        said = next((sentence for _, sentence in found.values() if sentence), "")
        keys = [found[side][0].get("value", key) for side, key in zip(SIDES, (left, right), strict=True)]
        shown = {pickers.models[side]: gr.update(**update) for side, (update, _) in found.items() if update}
        return _chosen(tab, parts, *keys) | shown | {tab.problem: show.problem(said) if said else ""}

    def paired(request: gr.Request, name: str) -> Update:
        if not name:
            return {pickers.pairs: ""}
        pair, by = parts.choose(name), who(request)
        if why := next(
            filter(None, (parts.refusal(parts.catalog.row(key), by) for key in (pair.left, pair.right))), ""
        ):
            return {pickers.pairs: "", tab.problem: show.problem(why)}
        chosen: Update = {pickers.models["left"]: pair.left, pickers.models["right"]: pair.right, pickers.pairs: ""}
        return chosen | _chosen(tab, parts, pair.left, pair.right) | {pickers.why: show.why(pair), tab.problem: ""}

    def swapped(left: str, right: str) -> Update:
        return look(right, left) | {pickers.models["left"]: right, pickers.models["right"]: left, pickers.why: ""}

    def offered(event: gr.EventData) -> Update:
        chosen: Update = {pickers.models["left"]: event.left, pickers.models["right"]: event.right, tab.problem: ""}
        return chosen | _chosen(tab, parts, event.left, event.right)

    shown = [*pickers.cards.values(), tab.ticker]
    touched = [*shown, *models, pickers.pacing, pickers.why, tab.problem]
    gr.on([m.input for m in models], picked, models, touched, **PRIVATE)
    pickers.pairs.input(paired, pickers.pairs, [*touched, pickers.pairs], **PRIVATE)
    pickers.swap.click(swapped, models, [*shown, *models, pickers.why], **PRIVATE)
    tab.ticker.tick(look, models, shown, **PRIVATE)
    tab.problem.click(offered, None, touched, **PRIVATE)


def _wire_fresh(tab: Layout, parts: Parts, visitors: Visitors, feeds: Feeds) -> None:
    """New, and the switch between open and blind, begin a new conversation."""
    pickers = tab.pickers

    def begin(request: gr.Request, mode: str) -> Update:
        visit = visitors.of(request.session_hash)
        try:
            visit.forget()
        except PlaygroundError as error:
            return {tab.problem: show.problem(str(error))}
        feeds.close(visit)
        blind = parts.settings.blind or mode == "blind"
        return {
            tab.problem: "",
            tab.live.ticket: "",
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

    begun = [
        tab.problem,
        tab.live.ticket,
        tab.answers.result,
        tab.earlier,
        tab.welcome,
        pickers.row,
        pickers.why,
        pickers.curtain,
    ]
    begins = [
        tab.dock.fresh.click(begin, pickers.mode, begun, **PRIVATE),
        pickers.mode.input(switch, pickers.mode, [*begun, pickers.mode], **PRIVATE),
    ]
    for event in begins:
        event.then(None, tab.live.ticket, js=FOLLOW_JS, **PRIVATE)
