"""Knows the standings tab: its filters, when votes are counted, what can be taken away. Counts and draws nothing."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import gradio as gr

from playground.counting import choices, exports, sizes
from playground.counting.ledger import Count, Ledger, give_back
from playground.errors import PlaygroundError, UsageError
from playground.parts import Parts
from playground.standings import Filter
from playground.ui import board, show

ANY = ""
_IMAGES: list[Any] = [("either", ANY), ("with images", "with"), ("without images", "without")]
_NAMES: list[Any] = [("either", ANY), ("blind only", "blind")]
_PACINGS: list[Any] = [("either", ANY), ("in turn", "in_turn"), ("together", "together")]
_SIZES: list[Any] = [("any", ANY), *((f"both {name}", key) for key, name in sizes.NAMES.items())]
_ANY_SCRIPT: tuple[str, str] = ("any", ANY)
_EVENT: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "standings", "concurrency_limit": 4}
_KEPT = 32
SAVE_JS = """(file) => {
  if (!file) return;
  const { name, type, data } = JSON.parse(file), link = document.createElement("a");
  const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
  link.href = URL.createObjectURL(new Blob([bytes], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}"""


@dataclass(frozen=True, slots=True)
class _Controls:
    """The filters, in the order `_filter` reads them."""

    subject: gr.Dropdown
    images: gr.Dropdown
    names: gr.Dropdown
    pacing: gr.Dropdown
    script: gr.Dropdown
    size: gr.Dropdown
    since: gr.Textbox

    @property
    def all(self) -> list[Any]:
        """As inputs."""
        return [self.subject, self.images, self.names, self.pacing, self.script, self.size, self.since]


def build(parts: Parts, tab: gr.Tab) -> None:
    """Lay the tab out and wire it: votes are counted when it is opened, when a filter changes, and when asked to."""
    subjects = choices.subjects(parts.prompts)
    ledger = Ledger(parts.settings.votes, subjects, choices.classes(parts.catalog))
    with gr.Row(elem_classes="filters"):
        controls = _controls(list(dict.fromkeys(subjects.values())))
        refresh = gr.Button("Count again", min_width=0, scale=0, size="sm", elem_classes="quiet")
    problem = gr.HTML(elem_classes="problem")
    shown = gr.HTML(board.WAITING, elem_classes="board", js_on_load=board.TAKE_JS)
    file = gr.Textbox(visible="hidden", container=False)
    pictures = lru_cache(_KEPT)(board.pictures)

    def count(*values: Any) -> dict[Any, Any]:
        try:
            only = _filter(*values)
            found = ledger.count(only)
        except PlaygroundError as error:
            return {problem: show.problem(str(error))}
        html = board.board(found, str(parts.settings.votes), pictures(found.found), filtered=only != Filter())
        give_back()
        return {problem: "", shown: html, controls.script: gr.update(choices=_scripts(found))}

    def take(event: gr.EventData, *values: Any) -> dict[Any, Any]:
        name = str(event.take)
        try:
            only = _filter(*values)
            data = exports.one(ledger.count(only).found, name, _told(only))
        except PlaygroundError as error:
            return {file: "", problem: show.problem(str(error))}
        return {file: _file(name, data), problem: ""}

    outputs = [problem, shown, controls.script]
    asked = [tab.select, refresh.click, controls.since.submit, controls.since.blur]
    asked += [each.change for each in controls.all[:-1]]
    gr.on(
        asked,
        count,
        controls.all,
        outputs,
        show_progress="minimal",
        show_progress_on=shown,
        trigger_mode="always_last",
        **_EVENT,
    )
    saved = shown.click(take, controls.all, [file, problem], show_progress="hidden", **_EVENT)
    saved.then(None, file, js=SAVE_JS, api_visibility="private")


def _controls(subjects: list[str]) -> _Controls:
    any_subject: list[Any] = [("any", ANY), *((name, name) for name in subjects)]
    return _Controls(
        subject=_choice("Subject", any_subject),
        images=_choice("Images", _IMAGES),
        names=_choice("Mode", _NAMES),
        pacing=_choice("Paced", _PACINGS),
        script=_choice("Language", [_ANY_SCRIPT]),
        size=_choice("Model size", _SIZES),
        since=gr.Textbox(label="Since", placeholder="2026-11-01", max_lines=1, min_width=110),
    )


def _choice(label: str, options: list[Any]) -> gr.Dropdown:
    return gr.Dropdown(options, value=ANY, label=label, filterable=False, min_width=120)


def _scripts(found: Count) -> list[Any]:
    return [
        _ANY_SCRIPT,
        *((f"{name} script" if name not in ("unknown", "mixed") else name, name) for name in found.scripts),
    ]


def _filter(subject: str, images: str, names: str, pacing: str, script: str, size: str, since: str) -> Filter:
    """What the controls say. Raises UsageError for a date that is none."""
    try:
        day = datetime.fromisoformat(since.strip()).date().isoformat() if since and since.strip() else ""
    except ValueError:
        raise UsageError(f"Since must be a date, as in 2026-11-01, or empty; not {since.strip()[:40]!r}.") from None
    return Filter(
        subject=subject or "",
        images={"with": True, "without": False}.get(images),
        blind_only=names == "blind",
        pacing=pacing or "",
        script=script or "",
        size=size or "",
        since=day,
    )


def _told(only: Filter) -> str:
    """The filters in words, for under a chart."""
    words = [
        only.subject,
        {True: "with images", False: "without images", None: ""}[only.images],
        "blind only" if only.blind_only else "",
        only.pacing.replace("_", " "),
        f"{only.script} script" if only.script else "",
        f"both {sizes.NAMES[only.size]}" if only.size in sizes.NAMES else "",
        f"since {only.since}" if only.since else "",
    ]
    return ", ".join(filter(None, words))


def _file(name: str, data: bytes) -> str:
    """A file for `SAVE_JS`."""
    kind = "text/csv;charset=utf-8" if name.endswith(".csv") else "image/png"
    return json.dumps({"name": name, "type": kind, "data": b64encode(data).decode()})
