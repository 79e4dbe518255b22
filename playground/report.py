"""Knows how a comparison is written for programs: the JSON object of `ask --json` and of the page's `/compare`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from playground.types import Answer, Comparison, Interference

SCHEMA = 1
MEMORY = ("weights_bytes", "peak_bytes", "device_peak_bytes", "process_bytes", "method")
USAGE = ("prompt_tokens", "reasoning_tokens", "answer_tokens", "output_tokens", "cached_tokens", "source")


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
    """One side. Times in seconds, memory in bytes, interference as shares from 0 to 1."""
    memory, timing = asdict(answer.memory), asdict(answer.timing)
    return {
        "model": answer.model,
        "status": answer.status,
        "text": answer.text,
        "reasoning": answer.reasoning,
        "error": answer.error or None,
        "notice": answer.notice or None,
        "finish_reason": answer.finish_reason or None,
        "cold": answer.cold,
        "contended": answer.contended,
        "images_sent": answer.images_sent,
        "threads": answer.threads,
        "timing": timing | {"decode_reason": answer.timing.decode_reason or None},
        "usage": {name: getattr(answer.usage, name) for name in USAGE},
        "memory": {name: memory[name] for name in MEMORY},
        "interference": _interference(answer.interference),
    }


def _interference(found: Interference) -> dict[str, Any]:
    known = found.measured or found.disturbed
    return {"disturbed": found.disturbed if known else None, **asdict(found), "reason": found.reason or None}
