"""Knows how voting looks: what is possible and why, and what became of a vote. Knows no Gradio and no visitor."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from playground.types import SIDES, Comparison, Winner
from playground.votes import Receipt

_UNCHECKED = {
    "rate": "how often you vote",
    "haste": "whether there was time to read",
    "repeats": "whether the prompt repeats",
}


def note(comparison: Comparison | None, where: str, error: str = "") -> str:
    """The line under the vote buttons while there is no vote: why not yet, or where it goes."""
    if error:
        return f'<p class="note error" role="alert">{escape(error)}</p>'
    if comparison is None:
        return '<p class="note">Ask something; then say which answer is better.</p>'
    if not comparison.final:
        return '<p class="note">Vote when both answers are finished.</p>'
    if not can_vote(comparison):
        return '<p class="note">Neither side answered, so there is nothing to vote on. Retry a side, or ask again.</p>'
    ends = [f"{s} {comparison.side(s).status}" for s in SIDES if comparison.side(s).status != "done"]
    counted = f" It is kept, but not counted: {', '.join(ends)}." if ends else ""
    return f'<p class="note">Your vote, both answers and their figures are written to {escape(where)}.{counted}</p>'


def thanks(where: str, receipt: Receipt) -> str:
    """What became of a vote: in three states, counted, not counted with the reason, or not checked in full."""
    said = f"Thank you. Your vote is in {escape(where)}."
    unchecked = [_UNCHECKED.get(check.name, check.name) for check in receipt.checks if check.state == "unchecked"]
    if receipt.not_counted_reason:
        said += f'<span class="uncounted"> It is kept, but not counted: {escape(receipt.not_counted_reason)}.</span>'
    elif unchecked:
        said += f'<span class="unchecked"> It counts; {_listed(unchecked)} could not be checked.</span>'
    return f'<p class="note thanks" role="status">{said}</p>'


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def voted(winner: Winner | None) -> str:
    """A mark by which the style sheet knows that the vote is cast."""
    return '<span class="voted"></span>' if winner else ""


def can_vote(comparison: Comparison | None) -> bool:
    """Both sides have ended and at least one of them said something."""
    return bool(comparison and comparison.final and any(comparison.side(s).text for s in SIDES))
