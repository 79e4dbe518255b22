"""Knows the verdict on one row: what it needs, what is free, what to do instead. Knows no architecture by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from playground.machine import Machine
from playground.types import ModelSpec

Verdict = Literal["fits", "tight", "does not fit", "unknown"]
TIGHT = 0.9
"""Over this share of what is free, a model is tight."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What a model needs and what is free, in bytes; None where it is not known, and `why` then says why.

    `where` is `ram`, `gpu 0`, `gpus` (all of them together) or `elsewhere`. `next_step` is a sentence with the next
    smaller thing to do, "" where the model fits. `why` is the verdict in a sentence with its numbers.
    """

    verdict: Verdict
    weights_bytes: int | None = None
    kv_bytes: int | None = None
    overhead_bytes: int | None = None
    free_bytes: int | None = None
    where: str = ""
    next_step: str = ""
    why: str = ""

    @property
    def need_bytes(self) -> int | None:
        """Weights, KV cache and overhead together; None while one of them is not known."""
        parts = (self.weights_bytes, self.kv_bytes, self.overhead_bytes)
        return sum(part for part in parts if part is not None) if None not in parts else None


def judge(spec: ModelSpec, machine: Machine, context_tokens: int | None = None) -> Fit:
    """Will that row run on that machine? Pure. `context_tokens` defaults to the row's own.

    A row that runs elsewhere fits, with `where` = `elsewhere` and no figures.
    """
    if not spec.local:
        return Fit("fits", where="elsewhere", why="It runs elsewhere and takes no memory here.")
    if spec.engine == "openai":
        return Fit("unknown", why="A server of this machine holds it; how much it takes, only that server knows.")
    return Fit("unknown", why=f"The architecture of {spec.source} is not known before it is here.")
