"""Knows how a comparison is written for programs: the JSON object of `ask --json` and of the page's `/compare`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from playground.types import Answer, Comparison

SCHEMA = 1


def comparison(done: Comparison) -> dict[str, Any]:
    """The whole comparison; unknown figures are null. `SCHEMA` grows when a field changes its meaning."""
    return {
        "schema": SCHEMA,
        "pacing": done.pacing,
        "first_side": done.first_side,
        "left": side(done.left),
        "right": side(done.right),
    }


def side(answer: Answer) -> dict[str, Any]:
    """One side. Times in seconds, memory in bytes."""
    memory = asdict(answer.memory)
    return {
        "model": answer.model,
        "status": answer.status,
        "text": answer.text,
        "reasoning": answer.reasoning,
        "error": answer.error or None,
        "finish_reason": answer.finish_reason or None,
        "cold": answer.cold,
        "contended": answer.contended,
        "images_sent": answer.images_sent,
        "timing": asdict(answer.timing),
        "usage": asdict(answer.usage),
        "memory": {name: memory[name] for name in ("weights_bytes", "peak_bytes", "process_bytes", "method")},
    }
