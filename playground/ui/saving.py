"""Knows the two buttons that save the comparison on the page as a file. Knows no format: `export` does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.errors import PlaygroundError, PromptError
from playground.export import markdown, one
from playground.export.one import Picture, Saved
from playground.types import SIDES
from playground.ui import casting, show
from playground.ui.visit import Visit, Visitors

SAVE_JS = """(file) => {
  if (!file) return;
  const { name, text } = JSON.parse(file), link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}"""


@dataclass(frozen=True, slots=True)
class Format:
    """What a button writes: the end of the file's name, and the text."""

    label: str
    ending: str
    write: Callable[[Saved], str]


FORMATS = (Format("Save as Markdown", "md", markdown.comparison), Format("Save as JSON", "json", one.as_json))


def build(visitors: Visitors, problem: gr.HTML) -> None:
    """Lay the buttons out and wire them; what cannot be saved is said in `problem`. When they are there follows from
    the classes of the answers' feet, by `style.css`."""
    file = gr.Textbox(visible="hidden", container=False, elem_classes="saved-file")
    with gr.Row(elem_classes="saving"):
        for each in FORMATS:
            button = gr.Button(each.label, min_width=0, scale=0, size="sm", elem_classes="quiet")
            button.click(
                _saving(each, visitors, file, problem),
                None,
                [file, problem],
                api_visibility="private",
                show_progress="hidden",
            ).then(None, file, js=SAVE_JS, api_visibility="private")


def _saving(
    kind: Format, visitors: Visitors, file: gr.Textbox, problem: gr.HTML
) -> Callable[[gr.Request], dict[Any, str]]:
    def save(request: gr.Request) -> dict[Any, str]:
        try:
            found = saved(visitors.of(request.session_hash))
        except PlaygroundError as error:
            return {file: "", problem: show.problem(str(error))}
        name = f"comparison-{found.comparison.battle_id[:8]}.{kind.ending}"
        return {file: json.dumps({"name": name, "text": kind.write(found)}), problem: ""}

    return save


def saved(visit: Visit) -> Saved:
    """The comparison of that tab. Raises PromptError while there is none that is finished, or its models are hidden."""
    ask, message, now = visit.ask, visit.message, visit.comparison
    if not (ask and message and now):
        raise PromptError("There is nothing to save yet. Ask something first.")
    if not now.final:
        raise PromptError("Both answers are not finished yet. Save when they are.")
    if visit.sealed:
        raise PromptError("Which model is which is hidden until your vote. Save after it.")
    specs = {side: visit.parts.catalog.row(now.side(side).model) for side in SIDES}
    names = (path.name for path in ask.prompt.images)
    return Saved(
        comparison=now,
        models=specs,
        prompt=ask.prompt.text,
        pictures=tuple(Picture(name, image.sha256) for name, image in zip(names, message.images, strict=True)),
        system=ask.system,
        sampling=casting.sampling(ask, specs),
        earlier=visit.histories,
        turn=visit.turn,
        vote=visit.cast.vote if visit.cast else None,
        not_counted_reason=visit.cast.receipt.not_counted_reason if visit.cast else "",
    )
