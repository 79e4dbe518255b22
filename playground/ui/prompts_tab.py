"""Knows the prompts tab: the library by subject, and how a prompt gets into the box. Knows no model."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import gradio as gr

from playground.parts import Parts
from playground.types import Prompt
from playground.ui import cards
from playground.ui.compare_tab import PRIVATE
from playground.ui.frame import Update
from playground.ui.layout import Layout


def build(parts: Parts) -> gr.HTML:
    """All prompts as cards, by subject."""
    groups = [(subject, list(group)) for subject, group in groupby(parts.prompts, key=lambda prompt: prompt.subject)]
    html = "".join(cards.subject(name, prompts) for name, prompts in groups) or cards.NO_PROMPTS
    return gr.HTML(html, elem_classes="library", js_on_load=cards.PICK_PROMPT_JS)


def wire(parts: Parts, choosers: Iterable[gr.HTML], tab: Layout, tabs: gr.Tabs) -> None:
    """A click on a card puts its prompt into the box and shows the compare tab."""
    by_id: dict[str, Prompt] = {prompt.id: prompt for prompt in parts.prompts}

    def pick(event: gr.EventData) -> Update:
        prompt = by_id[event.prompt]
        box = {"text": prompt.text, "files": [str(path) for path in prompt.images]}
        return {tab.dock.prompt: box, tabs: gr.update(selected="compare")}

    for chooser in choosers:
        chooser.click(pick, None, [tab.dock.prompt, tabs], js=cards.FOCUS_PROMPT_JS, **PRIVATE)
