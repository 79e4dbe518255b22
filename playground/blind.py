"""Knows what of a comparison may be seen before the vote. Knows no page, and not which models there are.

A sealed comparison is made anew from what may be seen, never by taking things away: what a later version learns about
an answer stays hidden until somebody lets it through here.
"""

from __future__ import annotations

from dataclasses import replace

from playground.types import Answer, Comparison, Loading, Side, Status

AT_WORK = Loading("at work")
FAILED = "This side failed; why is told after the vote. Retry it, ask again, or press New: then another pair is drawn."
_SEEN: dict[Status, Status] = {
    "waiting": "reading",
    "loading": "reading",
    "reading": "reading",
    "thinking": "reading",
    "writing": "writing",
    "done": "done",
    "failed": "failed",
    "stopped": "stopped",
}
"""Loading and thinking would give a model away, and so would waiting for the one place at its server."""


def sealed(comparison: Comparison) -> Comparison:
    """Only what both answers say, and whether they have ended: no model, figure, thought, notice or error."""
    return replace(comparison, battle_id="", left=_sealed(comparison.left), right=_sealed(comparison.right))


def _sealed(answer: Answer) -> Answer:
    failed = FAILED if answer.status == "failed" else ""
    status = _SEEN[answer.status]
    return Answer(
        model="", status=status, text=answer.text, error=failed, loading=AT_WORK if status == "reading" else None
    )


def withheld(comparison: Comparison) -> Comparison:
    """Until both sides have ended, that they are at work and nothing else: who is quick does not sway. A side that
    was stopped or has failed looks like one that goes on."""
    if comparison.final:
        return comparison
    return replace(comparison, left=_working(comparison, "left"), right=_working(comparison, "right"))


def _working(comparison: Comparison, side: Side) -> Answer:
    return Answer(model=comparison.side(side).model, status="reading", loading=AT_WORK)
