"""Knows the verdict on one row: the best place for it, and what to do instead. Reads no file and starts nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from playground.fit.errors import Unknown
from playground.fit.needs import Fit, Stored, need, places
from playground.fit.steps import next_step
from playground.machine import Machine
from playground.types import ModelSpec


def judge(
    spec: ModelSpec,
    machine: Machine,
    context_tokens: int | None = None,
    *,
    rows: Iterable[ModelSpec] = (),
    stored: Stored | None = None,
) -> Fit:
    """Will that row run on that machine? Pure.

    `context_tokens` defaults to the row's own, then to what the model can read. `rows` are where a next step is looked
    for, `stored` is what is known from files that are here. A row that runs elsewhere fits, without figures.
    """
    stored = stored or Stored()
    found = verdict(spec, machine, context_tokens, stored)
    if found.verdict in ("fits", "unknown"):
        return found

    def with_context(tokens: int) -> Fit:
        return need(spec, machine, found.where, tokens, stored)

    def other(row: ModelSpec) -> Fit:
        return verdict(row, machine, None, Stored())

    return replace(found, next_step=next_step(spec, found, tuple(rows), with_context, other))


def verdict(spec: ModelSpec, machine: Machine, context_tokens: int | None, stored: Stored) -> Fit:
    """The same without a next step."""
    if not spec.local or spec.engine == "replay":
        return Fit("fits", where="elsewhere", why="It runs elsewhere and takes no memory here.")
    if spec.engine == "openai":
        return Fit("unknown", why="A server of this machine holds it; only that server knows how much it takes.")
    try:
        needs = [need(spec, machine, where, context_tokens, stored) for where in places(spec, machine)]
    except Unknown as unknown:
        return Fit("unknown", why=f"What it needs is not known: {unknown}.")
    return next((each for each in needs if each.verdict != "does not fit"), needs[-1])
