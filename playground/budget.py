"""Counts what visitors spend in a day, and refuses what would be more: requests and tokens, of each and of all.

A question reserves what it may cost before it is sent; when its answers have ended, what they really cost takes the
place of that. Counts are in memory and begin anew at 00:00 UTC, and with the app.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from playground.errors import ForbiddenError, UsageError
from playground.types import Answer

DAY_S = 86_400
USUAL_ANSWER = 4_096
"""Tokens reserved for an answer to which neither the visitor nor the row sets a limit. It becomes the limit."""
SHORTEST_ANSWER = 64
"""Where less is left than this, and less than was asked for, there is no use in asking."""
DEFAULT = "requests=100,tokens=200000,all-requests=2000,all-tokens=2000000"
UNLIMITED = "none"
STEP = 1_000
"""Visitors see tokens in such steps: how many a hidden model took for a prompt would tell which one it is."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be spent in a day by one visitor and by all of them; None for as much as they like. A request is one
    model that is asked once, so a comparison is two."""

    requests: int | None = None
    tokens: int | None = None
    all_requests: int | None = None
    all_tokens: int | None = None


def parse(text: str) -> Limits:
    """`requests=100,tokens=200000,all-requests=2000,all-tokens=2000000`, any of them, or `none`. Raises UsageError."""
    names = {name.replace("_", "-"): name for name in Limits.__dataclass_fields__}
    found: dict[str, int] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, _, number = (each.strip() for each in part.partition("="))
        if text.strip() == UNLIMITED:
            break
        if name not in names or not number.isdecimal():
            raise UsageError(
                f"{part!r} is not a limit. Write {DEFAULT}, any of these four with a whole number, or {UNLIMITED}."
            )
        found[names[name]] = int(number)
    return Limits(**found)


@dataclass(slots=True)
class Spent:
    """Requests and tokens, spent or reserved."""

    requests: int = 0
    tokens: int = 0

    def add(self, requests: int, tokens: int) -> None:
        """So many more; fewer, where they are below 0."""
        self.requests, self.tokens = self.requests + requests, self.tokens + tokens


@dataclass(frozen=True, slots=True)
class Left:
    """What one visitor can still spend today: the lesser of what is theirs and what is left for all. None: no limit.
    `by_all`: it is what is left for all."""

    requests: int | None
    tokens: int | None
    by_all: bool = False


@dataclass(frozen=True, slots=True)
class Want:
    """What one model is to be asked: tokens of its prompt, at most, and of its answer (None: nobody set a limit)."""

    prompt: int
    answer: int | None
    context: int | None = None

    @property
    def wished(self) -> int:
        """Tokens to reserve for the answer."""
        if self.answer is not None:
            return self.answer
        room = self.context - self.prompt if self.context else USUAL_ANSWER
        return max(SHORTEST_ANSWER, min(USUAL_ANSWER, room))


@dataclass
class Reservation:
    """What one question may cost. `answers` is the most tokens of each answer, in the order of the wants; None where
    tokens have no limit. `shortened`: it is less than was asked for."""

    name: str
    day: int
    requests: int
    tokens: int
    answers: tuple[int | None, ...]
    shortened: bool
    _settle: Callable[[Reservation, int, int], None] = field(repr=False)
    settled: bool = False

    def settle(self, requests: int, tokens: int) -> None:
        """It has cost this; only the first call counts."""
        self._settle(self, requests, tokens)


class Budget:
    """What is spent, by visitor and by day. For any number of threads. `clock` is in seconds of UTC."""

    def __init__(self, limits: Limits = Limits(), clock: Callable[[], float] = time.time) -> None:
        self.limits, self._clock = limits, clock
        self._lock = threading.Lock()
        self._day = 0
        self._spent: dict[str, Spent] = {}
        self._all = Spent()

    def left(self, name: str) -> Left:
        """What that visitor can still spend today."""
        with self._lock:
            self._turn()
            return self._left(name)

    def reset_s(self) -> float:
        """Seconds until the counts begin anew."""
        return DAY_S - self._clock() % DAY_S

    def reserve(self, name: str, wants: Sequence[Want]) -> Reservation:
        """Take what these questions may cost, all of them or none. Where tokens are short, all answers get the same
        share of what is left. Raises ForbiddenError when it is used up."""
        with self._lock:
            self._turn()
            left = self._left(name)
            if left.requests is not None and left.requests < len(wants):
                raise ForbiddenError(self._used_up(f"{left.requests:,} answers", len(wants), left))
            answers: tuple[int | None, ...] = (None,) * len(wants)
            shortened = False
            if left.tokens is not None:
                share = (left.tokens - sum(want.prompt for want in wants)) // len(wants)
                if share < min(SHORTEST_ANSWER, *(want.wished for want in wants)):
                    raise ForbiddenError(self._used_up(f"about {left.tokens // STEP * STEP:,} tokens", None, left))
                answers = tuple(min(want.wished, share) for want in wants)
                shortened = any(want.wished > share for want in wants)
            tokens = sum(want.prompt + (answer or 0) for want, answer in zip(wants, answers, strict=True))
            self._add(name, len(wants), tokens)
            return Reservation(name, self._day, len(wants), tokens, answers, shortened, self._settled)

    def _settled(self, kept: Reservation, requests: int, tokens: int) -> None:
        with self._lock:
            self._turn()
            if not kept.settled and kept.day == self._day:  # the counts of an earlier day are gone
                self._add(kept.name, requests - kept.requests, tokens - kept.tokens)
            kept.settled = True

    def _add(self, name: str, requests: int, tokens: int) -> None:
        self._spent.setdefault(name, Spent()).add(requests, tokens)
        self._all.add(requests, tokens)

    def _turn(self) -> None:
        """Begin a new day, if it is one."""
        day = int(self._clock() // DAY_S)
        if day != self._day:
            self._day, self._spent, self._all = day, {}, Spent()

    def _left(self, name: str) -> Left:
        limits, own = self.limits, self._spent.get(name, Spent())
        pairs = (
            (_rest(limits.requests, own.requests), _rest(limits.all_requests, self._all.requests)),
            (_rest(limits.tokens, own.tokens), _rest(limits.all_tokens, self._all.tokens)),
        )
        requests, tokens = (min((n for n in pair if n is not None), default=None) for pair in pairs)
        by_all = any(all_ is not None and (own is None or all_ < own) for own, all_ in pairs)
        return Left(requests, tokens, by_all)

    def _used_up(self, rest: str, needed: int | None, left: Left) -> str:
        whose = "all visitors" if left.by_all else "you"
        needs = f"this needs {needed}" if needed else "this needs more"
        return (
            f"Nothing was sent: today's budget of this page for {whose} has {rest} left, and {needs}. It begins anew "
            f"at 00:00 UTC, in {_hours(self.reset_s())}; the owner of the page sets it with --budget."
        )


def _rest(limit: int | None, spent: int) -> int | None:
    return None if limit is None else max(0, limit - spent)


def _hours(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 90 else f"{round(minutes / 60)} h"


# --- how much a question and an answer are ----------------------------------------------------------------------------


def cost(answer: Answer, prompt: int) -> tuple[int, int]:
    """Requests and tokens that this answer took. Where the server did not count, the prompt is what was reserved for it
    and the text a token for three bytes. One that failed before it was sent costs nothing."""
    if answer.status == "failed" and answer.stamps.sent_s is None:
        return 0, 0
    asked = answer.usage.prompt_tokens if answer.usage.prompt_tokens is not None else prompt
    said = answer.usage.output_tokens
    if said is None:
        said = len((answer.reasoning + answer.text).encode("utf-8", "replace")) // 3
    return 1, asked + said


def words(left: Left, limits: Limits, reset_s: float) -> str:
    """What is left, for the visitor."""
    counts = (
        (left.requests, limits.requests or limits.all_requests, "answers"),
        (left.tokens and left.tokens // STEP * STEP, limits.tokens or limits.all_tokens, "tokens"),
    )
    parts = [f"{rest:,} of {most:,} {what}" for rest, most, what in counts if rest is not None and most is not None]
    if not parts:
        return ""
    shared = " (all visitors share what is left)" if left.by_all else ""
    return f"Left for you today: {' and '.join(parts)}{shared}; it begins anew at 00:00 UTC, in {_hours(reset_s)}."
