"""Knows the models tab: when it looks, and what its buttons do. Draws nothing and loads nothing itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import gradio as gr

from playground import inventory
from playground.errors import PlaygroundError
from playground.parts import Parts
from playground.policy import Person
from playground.ui import shelf, show
from playground.ui.gate import Who
from playground.ui.visit import Visitors

FAST_S, SLOW_S = 1.0, 10.0
"""How often it looks while something loads, and else; only while the tab is open."""
SEEN_JS = "(words, seen, sent) => [words, !!document.querySelector('.shelf-top')?.offsetParent, sent]"
OPENED_JS = "(words, seen, sent) => [words, true, sent]"
_EVENT: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
_Looks = Callable[[gr.Request, str, bool, str], list[Any]]


def build(parts: Parts, visitors: Visitors, tab: gr.Tab, who: Who) -> None:
    """Lay the tab out and wire it. A visitor whose pair is hidden sees nothing of it: what is loaded would tell."""
    words = gr.Textbox(label="Filter models", show_label=False, container=False, max_lines=1, elem_classes="find",
                       placeholder="Filter: a name, an engine, 4-bit, images…")  # fmt: skip
    problem = gr.HTML(elem_classes="problem")
    top = gr.HTML(shelf.WAITING, elem_classes=["shelf", "shelf-top"], js_on_load=shelf.ACT_JS)
    rest = gr.HTML(elem_classes="shelf", js_on_load=shelf.ACT_JS)
    seen, sent = gr.Checkbox(visible="hidden", container=False), gr.Textbox(visible="hidden", container=False)
    fast, slow = gr.Timer(FAST_S, active=False), gr.Timer(SLOW_S, active=False)
    outputs, inputs = [top, rest, sent, fast, slow], [words, seen, sent]
    look = _looks(parts, visitors, who)

    def act(event: gr.EventData, request: gr.Request, words: str, seen: bool, sent: str) -> list[Any]:
        said = ""
        if not _hidden(visitors, request):
            try:
                _do(parts, str(event.act), str(event.key), who(request))
            except PlaygroundError as error:
                said = show.problem(str(error))
        return [said, *look(request, words, seen, sent)]

    # the first look of a process costs most: it is taken before anybody waits for it
    threading.Thread(target=_take, args=(parts,), name="models", daemon=True).start()
    tab.select(look, inputs, outputs, js=OPENED_JS, **_EVENT)
    gr.on([fast.tick, slow.tick], look, inputs, outputs, js=SEEN_JS, trigger_mode="once", **_EVENT)
    words.change(look, inputs, outputs, js=OPENED_JS, trigger_mode="always_last", **_EVENT)
    for each in (top, rest):
        each.click(act, inputs, [problem, *outputs], js=OPENED_JS, **_EVENT)


def _looks(parts: Parts, visitors: Visitors, who: Who) -> _Looks:
    """Gives the tab's outputs: both halves of the list (the second one only when it has changed), timers on or off."""

    def allowed(request: gr.Request) -> shelf.Allowed:
        by = who(request)
        if by.owner:
            return shelf.OWNERS if not parts.settings.zerogpu else shelf.FIXED
        return shelf.Allowed(acts=False, visitor=True, refusal=lambda spec: parts.refusal(spec, by))

    def look(request: gr.Request, words: str, seen: bool, sent: str) -> list[Any]:
        if not seen:  # another tab was opened
            return [gr.skip(), gr.skip(), gr.skip(), gr.Timer(active=False), gr.Timer(active=False)]
        if _hidden(visitors, request):
            return [shelf.CLOSED, "", "", gr.Timer(active=False), gr.Timer(active=True)]
        found = _take(parts)
        may = allowed(request)
        rest = shelf.rest(found, words or "", may)
        mark = blake2b(rest.encode(), digest_size=8).hexdigest()
        return [
            shelf.top(found, words or "", may),
            gr.skip() if mark == sent else rest,
            mark,
            gr.Timer(active=found.loading),
            gr.Timer(active=not found.loading),
        ]

    return look


def _take(parts: Parts) -> inventory.Inventory:
    return inventory.take(parts.catalog, parts.pool, parts.fits, parts.settings)


def _hidden(visitors: Visitors, request: gr.Request) -> bool:
    """The visitor compares two models whose names are sealed."""
    return visitors.of(request.session_hash).sealed


def _do(parts: Parts, act: str, key: str, by: Person) -> None:
    """Load or unload. Raises PlaygroundError."""
    if parts.settings.zerogpu:
        return
    if act == "load":
        parts.pool.load(key, by)
    elif act == "unload":
        parts.pool.unload(key, by)
