"""Knows which model must not even be started here: one whose pages would go to the disk and back at every word."""

from __future__ import annotations

from playground.fit.errors import Unknown
from playground.fit.needs import Stored, engine_of, untouched_bytes
from playground.fit.steps import SHORT
from playground.fit.verdict import judge
from playground.machine import Machine
from playground.types import ModelSpec


def refusal(spec: ModelSpec, machine: Machine, stored: Stored) -> str:
    """Why this model would thrash, with figures and the next smaller step; "" where it may be tried.

    It is refused when even a short conversation does not fit, on a GPU together with the memory beside it, where the
    rest would go. llama.cpp reserves its whole context at the start; transformers takes it as it comes.
    """
    short = min(SHORT, spec.context_tokens or SHORT) if engine_of(spec) == "transformers" else None
    found = judge(spec, machine, short, stored=stored)
    if found.verdict != "does not fit" or found.need_bytes is None or found.free_bytes is None:
        return ""
    try:
        least = found.need_bytes - untouched_bytes(spec, found.where, stored)
    except Unknown:
        least = found.need_bytes
    beside = 0 if found.where == "ram" else machine.ram_free_bytes
    if least <= found.free_bytes + beside:
        return ""
    return f"{found.why} {found.next_step}".strip()
