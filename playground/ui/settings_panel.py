"""Knows the settings of a question: shared by both sides, with an override for each. Knows no model.

Numbers are text fields, because an empty field means something here: the model's own choice. (Gradio's number field
shows an empty value as 0.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.errors import UsageError
from playground.types import SIDES, Sampling, Side

TOGGLE_JS = "() => document.querySelector('.settings').classList.toggle('open')"
DEFAULT_MAX_TOKENS = 512
_THINKING: list[Any] = [
    ("model's default", "default"),
    ("on", "on"),
    ("off", "off"),
]


@dataclass(frozen=True, slots=True)
class _Number:
    """A number field: its label, how it is read, and its bounds."""

    label: str
    kind: Callable[[str], float]
    least: float
    most: float


_NUMBERS = (
    _Number("Temperature", float, 0, 2),
    _Number("Top p", float, 0, 1),
    _Number("Max tokens", int, 1, 1_000_000),
    _Number("Seed", int, 0, 2**63 - 1),
)
_FIELDS = len(_NUMBERS) + 2
_UNSET = (None, "", "default")


@dataclass(frozen=True, slots=True)
class Panel:
    """Its input components: `fields` in the order `read` expects (shared, left, right); how one votes."""

    fields: list[Any]
    hold: gr.Checkbox
    early: gr.Checkbox


def build(*, hold: bool, early: bool) -> Panel:
    """Lay the panel out; hidden until `TOGGLE_JS` opens it."""
    fields: list[Any] = []
    with gr.Column(elem_classes="settings"), gr.Tabs():
        with gr.Tab("Both sides"):
            fields += _group("", str(DEFAULT_MAX_TOKENS), "model's own")
        for side in SIDES:
            with gr.Tab(f"Only {side}"):
                fields += _group(f"{side.capitalize()} ", "", "as both sides")
        with gr.Tab("Voting"):
            held = gr.Checkbox(hold, label="Show both when both are done", info="so that speed does not sway")
            soon = gr.Checkbox(early, label="Vote early", info="stops the loser; such a vote is kept, not counted")
    return Panel(fields, held, soon)


def _group(prefix: str, max_tokens: str, when_empty: str) -> list[Any]:
    def label(name: str) -> str:
        return f"{prefix}{name[0].lower()}{name[1:]}" if prefix else name

    system = gr.Textbox(label=label("System prompt"), lines=1, max_lines=4, placeholder=when_empty)
    with gr.Row():
        numbers = [
            gr.Textbox(
                max_tokens if number.label == "Max tokens" else "",
                label=label(number.label),
                placeholder=when_empty,
                max_lines=1,
                min_width=90,
            )
            for number in _NUMBERS
        ]
        thinking = gr.Dropdown(_THINKING, value="default", label=label("Thinking"), min_width=130)
    return [system, *numbers, thinking]


def read(values: Sequence[Any], *, alike: bool = False) -> tuple[dict[Side, str], dict[Side, Sampling]]:
    """System prompt and sampling by side, from the values of `Panel.fields`. `alike` leaves out what is of one side:
    sides of hidden models are random. Raises UsageError naming the field."""
    shared, *own = (list(values[start : start + _FIELDS]) for start in range(0, len(values), _FIELDS))
    system: dict[Side, str] = {}
    sampling: dict[Side, Sampling] = {}
    for side, mine in zip(SIDES, [shared, shared] if alike else own, strict=True):
        mixed = [one if one not in _UNSET else both for one, both in zip(mine, shared, strict=True)]
        system[side] = mixed[0] or ""
        sampling[side] = _sampling(mixed[1:])
    return system, sampling


def _sampling(values: Sequence[Any]) -> Sampling:
    *texts, thinking = values
    numbers: list[Any] = [_read(field, text) for field, text in zip(_NUMBERS, texts, strict=True)]
    temperature, top_p, max_tokens, seed = numbers
    return Sampling(temperature, top_p, max_tokens, seed, {"on": True, "off": False}.get(thinking))


def _read(field: _Number, text: str | None) -> float | None:
    if not text or not text.strip():
        return None
    try:
        value = field.kind(text.strip())
    except ValueError:
        value = float("nan")
    if not field.least <= value <= field.most:
        kind = "a whole number" if field.kind is int else "a number"
        raise UsageError(
            f"{field.label} must be {kind} from {field.least:g} to {field.most:g}, or empty; not {text.strip()[:40]!r}."
        )
    return value
