"""Knows what makes a vote suspicious. Stores nothing, and never refuses a vote: what is rejected is kept, uncounted.

Each check says ok, rejected, or that it could not be made. What could not be checked counts: others lost months of
honest votes because a check that failed to run was stored like one that said no.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from playground.types import SIDES, Comparison

_SWEEP = 1_000
State = Literal["ok", "rejected", "unchecked"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What is still believed. Skimming 200 characters a second is ten times the usual speed of reading."""

    votes_per_minute: int = 12
    reaction_s: float = 0.3
    chars_per_s: float = 200.0
    enough_s: float = 3.0
    same_prompt_per_hour: int = 10


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found; `reason` in words when it rejects."""

    name: str
    state: State
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier vote of the same voter, on a clock that never jumps."""

    at_s: float
    prompt: str


def rate(voter: str, past: Sequence[Past], now_s: float, limits: Limits) -> Check:
    """Not more votes within a minute than a person casts."""
    if not voter:
        return Check("rate", "unchecked")
    recent = sum(now_s - vote.at_s < 60 for vote in past)
    if recent < limits.votes_per_minute:
        return Check("rate", "ok")
    return Check("rate", "rejected", f"more than {limits.votes_per_minute} votes in a minute")


def haste(comparison: Comparison, decision_s: float | None, limits: Limits) -> Check:
    """Not faster than a person can read. Time to read is that of the answers' growing and that until the vote."""
    if decision_s is None:
        return Check("haste", "unchecked")
    if decision_s < limits.reaction_s:
        return Check("haste", "rejected", f"voted {decision_s:.2f} s after the answers, faster than a person reacts")
    totals = [comparison.side(side).timing.total_s for side in SIDES]
    known = [total for total in totals if total is not None]
    if len(known) < len(totals):
        return Check("haste", "unchecked")
    had_s = decision_s + (sum(known) if comparison.pacing == "in_turn" else max(known))
    chars = sum(len(comparison.side(side).text) for side in SIDES)
    if had_s >= min(limits.enough_s, chars / limits.chars_per_s):
        return Check("haste", "ok")
    return Check("haste", "rejected", f"{chars} characters in {had_s:.1f} s, faster than a person can read")


def repeats(voter: str, prompt: str, past: Sequence[Past], now_s: float, limits: Limits) -> Check:
    """Not the same prompt over and over by one voter."""
    if not voter:
        return Check("repeats", "unchecked")
    same = sum(vote.prompt == prompt and now_s - vote.at_s < 3600 for vote in past)
    if same < limits.same_prompt_per_hour:
        return Check("repeats", "ok")
    return Check("repeats", "rejected", f"the same prompt more than {limits.same_prompt_per_hour} times in an hour")


def reasons(checks: Sequence[Check]) -> list[str]:
    """Why the vote does not count, nothing when it does."""
    return [check.reason for check in checks if check.state == "rejected"]


def told(checks: Sequence[Check]) -> str:
    """The checks as one cell: `rate:ok haste:unchecked repeats:ok`."""
    return " ".join(f"{check.name}:{check.state}" for check in checks)


class Memory:
    """What each voter did within the last hour. Not for several threads at once: the book's lock guards it."""

    def __init__(self) -> None:
        self._past: dict[str, deque[Past]] = {}
        self._most = _SWEEP

    def of(self, voter: str, now_s: float) -> Sequence[Past]:
        """Their votes of the last hour, oldest first. A voter who has none is forgotten."""
        past = self._past.get(voter, deque())
        while past and now_s - past[0].at_s >= 3600:
            past.popleft()
        if not past:
            self._past.pop(voter, None)
        return past

    def add(self, voter: str, vote: Past) -> None:
        """They voted; nothing is kept of a voter who is not known."""
        if not voter:
            return
        self._past.setdefault(voter, deque()).append(vote)
        if len(self._past) > self._most:  # those who never came back
            self._past = {name: past for name, past in self._past.items() if vote.at_s - past[-1].at_s < 3600}
            self._most = max(_SWEEP, 2 * len(self._past))
