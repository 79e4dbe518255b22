"""Knows where everything on the compare tab is. Does not know what any of it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.parts import Parts
from playground.types import SIDES, Pacing, Side, Winner
from playground.ui import booth, cards, pairing, settings_panel, show

PACINGS: list[Any] = [
    ("In turn · fair timing", "in_turn"),
    ("Together", "together"),
]
MODES: list[Any] = [
    ("Open", "open"),
    ("Blind", "blind"),
]
MOUNTED_JS = "window.live.mounted();"
"""What Gradio has just put into the page is filled with what has come already."""
VOTES: tuple[tuple[Winner, str, str], ...] = (
    ("model_a", "Left is better", "left"),
    ("model_b", "Right is better", "right"),
    ("tie", "Tie", "tie"),
    ("both_bad", "Both are bad", "bad"),
)


@dataclass(frozen=True, slots=True)
class Pickers:
    """Which models, and how they run. In blind mode `curtain` stands in the place of `row`."""

    mode: gr.Radio
    row: gr.Row
    curtain: gr.HTML
    models: dict[Side, gr.Dropdown]
    cards: dict[Side, gr.HTML]
    swap: gr.Button
    pacing: gr.Radio
    why: gr.HTML
    pairs: gr.Dropdown


@dataclass(frozen=True, slots=True)
class Answers:
    """One comparison: what was asked, both answers, their figures. What streams is not here: `live.js` writes it."""

    result: gr.Column
    asked: gr.HTML
    stops: dict[Side, gr.Button]
    retries: dict[Side, gr.Button]
    votes: dict[Winner, gr.Button]
    tags: gr.CheckboxGroup
    words: gr.Textbox
    note: gr.HTML
    marks: gr.HTML
    reveal: gr.HTML
    undo: gr.Button


@dataclass(frozen=True, slots=True)
class Dock:
    """Where one asks."""

    panel: settings_panel.Panel
    prompt: gr.MultimodalTextbox
    fresh: gr.Button
    stop: gr.Button
    send: gr.Button


@dataclass(frozen=True, slots=True)
class Live:
    """How `live.js` and the handlers reach each other: `ticket` opens the live updates of this page, `ended` is pressed
    by the script when both sides have ended. Neither is seen."""

    ticket: gr.Textbox
    ended: gr.Button


@dataclass(frozen=True, slots=True)
class Layout:
    """All that handlers read and write."""

    pickers: Pickers
    problem: gr.HTML
    visiting: gr.HTML
    earlier: gr.Accordion
    histories: dict[Side, gr.HTML]
    welcome: gr.HTML
    answers: Answers
    dock: Dock
    ticker: gr.Timer
    live: Live


def build(parts: Parts) -> Layout:
    """Lay the tab out."""
    pickers = _pickers(parts)
    problem = gr.HTML(elem_classes="problem", js_on_load=show.TAKE_OFFER_JS)
    visiting = gr.HTML(elem_classes="visiting")
    with gr.Accordion("Earlier turns", open=False, visible=False, elem_classes="earlier") as earlier, gr.Row():
        histories = {side: gr.HTML(elem_classes=["earlier-side", side]) for side in SIDES}
    welcome = gr.HTML(cards.welcome(parts.prompts), elem_classes="welcome", js_on_load=cards.PICK_PROMPT_JS)
    answers = _answers(parts)
    dock = _dock(parts)
    live = Live(
        gr.Textbox(visible="hidden", container=False, elem_classes="live-ticket"),
        gr.Button("Both have ended", visible="hidden", elem_id="race-ended"),
    )
    return Layout(
        pickers, problem, visiting, earlier, histories, welcome, answers, dock, gr.Timer(1.0, active=False), live
    )


def _pickers(parts: Parts) -> Pickers:
    """In an app that is blind altogether no model's name gets into the page: no choice, no card, no reason."""
    blind, pair = parts.settings.blind, parts.pair
    choices: list[Any] = [] if blind else pairing.choices(parts)
    models, cards = {}, {}
    with gr.Row(elem_classes="switches"):
        pacing = gr.Radio(
            PACINGS, value=_pacing(parts), label="Pacing", elem_classes=["seg", "pacing-seg"], container=False
        )
        mode = gr.Radio(
            MODES, value="blind" if blind else "open", label="Names", visible=not blind,
            elem_classes=["seg", "mode-seg"], container=False,
        )  # fmt: skip
    with gr.Row(elem_classes="pair", visible=not blind) as row:
        for side, key in zip(SIDES, (pair.left, pair.right), strict=True):
            with gr.Column(elem_classes=["pick", side], min_width=120):
                label = f"{side.capitalize()} model"
                value = None if blind else key
                models[side] = gr.Dropdown(choices, value=value, label=label, show_label=False, container=False)
                cards[side] = gr.HTML("" if blind else show.card(parts.catalog.row(key), parts.pool.state(key)))
            if side == "left":
                swap = gr.Button("⇄", elem_classes="swap", min_width=0, scale=0, elem_id="swap")
    hidden = booth.curtain(None, parts.arena.rates(), weighted=parts.arena.weighted) if blind else ""
    curtain = gr.HTML(hidden, elem_classes="curtain")
    with gr.Row(elem_classes="why-row", visible=not blind):
        why = gr.HTML("" if blind else show.why(pair), elem_classes="why")
        named = gr.Dropdown(visible=False) if blind else pairing.menu()
    return Pickers(mode, row, curtain, models, cards, swap, pacing, why, named)


def _pacing(parts: Parts) -> Pacing:
    """In turn as soon as two models that may meet share this machine."""
    if not parts.settings.blind:
        return parts.default_pacing(parts.pair.left, parts.pair.right)
    return "in_turn" if sum(spec.local for spec in parts.arena.models) > 1 else "together"


def _answers(parts: Parts) -> Answers:
    stops, retries = {}, {}
    with gr.Column(visible=False, elem_classes="result") as result:
        asked = gr.HTML()
        with gr.Row(elem_classes="cols"):
            for side in SIDES:
                with gr.Column(elem_classes=["answer", side], min_width=120):
                    gr.HTML(show.answer_shell(side), js_on_load=MOUNTED_JS, elem_classes="body")
                    with gr.Row(elem_classes="foot"):
                        gr.HTML(show.foot_shell(side), js_on_load=MOUNTED_JS)
                        stops[side] = gr.Button(f"Stop {side}", **_small("stop-side"))
                        retries[side] = gr.Button(f"Retry {side}", **_small("retry-side"))
        gr.HTML(show.tape_shell(), js_on_load=MOUNTED_JS)
        with gr.Accordion("All figures", open=False, elem_classes="all-figures"):
            gr.HTML('<div data-live="figures"></div>', js_on_load=MOUNTED_JS)
        with gr.Row(elem_classes="reasons"):
            tags = gr.CheckboxGroup([*booth.TAGS], label="Reasons", show_label=False, container=False,
                                    min_width=0, elem_classes="tags")  # fmt: skip
            words = gr.Textbox(label="Reason in words", show_label=False, container=False, max_lines=1, min_width=160,
                               placeholder="Why? A few words, if you like", elem_classes="words")  # fmt: skip
        with gr.Row(elem_classes="vote"):
            votes = {
                winner: gr.Button(label, interactive=False, min_width=120, elem_classes=["vote-button", f"vote-{look}"])
                for winner, label, look in VOTES
            }
        note, marks, reveal = gr.HTML(elem_classes="vote-note"), gr.HTML(), gr.HTML()
        undo = gr.Button("Undo my vote", visible=False, **_small("undo"))
        settings = parts.settings
        gr.HTML(booth.consent(str(parts.book.path), log_texts=settings.log_texts, copied_to=settings.sync_to))
    return Answers(result, asked, stops, retries, votes, tags, words, note, marks, reveal, undo)


def _dock(parts: Parts) -> Dock:
    with gr.Column(elem_classes="dock"):
        with gr.Row(elem_classes="box"):
            prompt = gr.MultimodalTextbox(
                label="Prompt",
                show_label=False,
                placeholder="Ask both models…",
                sources=["upload"],
                file_count="multiple",
                submit_btn=False,
                container=False,
                lines=1,
                max_lines=8,
                max_plain_text_length=2_000_000,  # longer texts would become a file, which is not what was typed
                autofocus=True,
                elem_classes="prompt",
            )
            fresh = gr.Button("New", **_small())
            toggle = gr.Button("Settings", **_small())
            stop = gr.Button("Stop", **_small("stop-both"))
            send = gr.Button("Send", min_width=0, scale=0, elem_classes="send")
        panel = settings_panel.build(hold=parts.settings.hold_answers, early=parts.settings.vote_early)
        toggle.click(None, js=settings_panel.TOGGLE_JS, api_visibility="private")
    return Dock(panel, prompt, fresh, stop, send)


def _small(*classes: str) -> dict[str, Any]:
    return {"min_width": 0, "scale": 0, "size": "sm", "elem_classes": ["quiet", *classes]}
