"""Knows how one side's answer grows, change by change. Knows no clock, no thread and no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from playground import meter
from playground.meter import StampLog
from playground.types import (
    Answer,
    Busy,
    Delta,
    Event,
    Finished,
    Interference,
    Loading,
    Memory,
    Noticed,
    Revised,
    Sent,
    Stamps,
    Status,
    Usage,
)


@dataclass(frozen=True, slots=True)
class Held:
    """This side waits: for the machine, on which something else loads or answers, or for a place at a server that
    answers few at once. `ahead` is how many wait before it."""

    ahead: int = 0
    server: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """The model can answer. `load_s` is None when it was ready before; `cold` until its first whole answer, None where
    nobody can know. `notice` is a fact about its answers that only shows now."""

    load_s: float | None
    cold: bool | None
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The side ended with an error, in words for a person."""

    error: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """A person stopped this side."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Memory of this side and what else ran on the machine, so far or finally."""

    memory: Memory
    interference: Interference = Interference()  # noqa: RUF009 - frozen, so one default may be shared


UNCOUNTED = Usage()

RECOUNT = 1.25
"""A tokenizer counts a growing text anew when it has so many times as many chunks: five times the work of one count."""


@dataclass(frozen=True, slots=True)
class Contended:
    """The other side worked on the same machine at the same time."""


Change = Event | Loading | Held | Ready | Failed | Stopped | Measured | Contended


class AnswerState:
    """Accumulates one side's answer. Applying a change costs what the change is long, whatever came before it.

    It starts with a new answer, or with one that has ended. `count` gives the tokens of a text by the model's own
    tokenizer, or None; it is asked where the server does not count as it goes.
    """

    def __init__(self, answer: Answer, count: Callable[[str], int | None] = lambda text: None) -> None:
        self._answer, self._count = answer, count
        self._text, self._reasoning = Text(answer.text), Text(answer.reasoning)
        self._log, self._busy = StampLog(), ""
        self._changed = False

    @property
    def final(self) -> bool:
        """Nothing but `Measured` and `Contended` changes it any more."""
        return self._answer.final

    def apply(self, change: Change) -> None:
        """Take one change in. A final answer takes nothing more but what was measured beside it, and its mark."""
        match change:
            case Measured(memory, interference):
                self._set(memory=memory, interference=interference)
            case Contended():
                if not self._answer.contended:
                    self._set(contended=True)
            case _ if self.final:
                return
            case Delta():
                self._grow(change)
            case Revised():
                self._revise(change)
            case Noticed(notice):
                self._set(notice=self._told(notice))
            case Sent(at_s):
                self._start(StampLog(at_s))
                self._set(status="reading", loading=None, notice=self._told(self._busy))
                self._busy = ""
            case Busy(status, wait_s):
                self._start(StampLog())
                self._busy = (
                    f"its server was busy ({status}) and was asked again{_after(wait_s)}; times count from then"
                )
                self._set(
                    status="waiting", loading=Loading(f"its server is busy ({status}): asking again{_in(wait_s)}")
                )
            case Finished(reason, usage, _, server):
                self._end(status="done", finish_reason=reason, usage=usage, server=server)
            case Failed(error):
                self._end(status="failed", finish_reason="error", error=error, loading=None)
            case Stopped():
                self._end(status="stopped", finish_reason="stopped", loading=None)
            case Held():
                self._set(status="waiting", loading=Loading(_waits(change)))
            case Loading():
                self._set(status="loading", loading=change)
            case Ready(load_s, cold, notice):
                self._set(status="reading", loading=None, load_s=load_s, cold=cold, notice=self._told(notice))

    def snapshot(self) -> Answer:
        """The answer as it is now; the same object until something changes."""
        if self._changed and not self.final:
            self._work_out(UNCOUNTED)
        self._changed = False
        return self._answer

    def _set(self, **fields: Any) -> None:
        self._answer = replace(self._answer, **fields)
        self._changed = True

    def _start(self, log: StampLog) -> None:
        self._text, self._reasoning, self._log = Text(), Text(), log

    def _grow(self, delta: Delta) -> None:
        (self._reasoning if delta.reasoning else self._text).append(delta.text)
        answers = not delta.reasoning and not delta.text.isspace()
        self._log.add(delta.at_s, len(delta.text), answers=answers, tokens=delta.tokens)
        self._changed = True
        status: Status = "thinking" if delta.reasoning else "writing"
        if status != self._answer.status:
            self._set(status=status)

    def _told(self, notice: str) -> str:
        return ". ".join(filter(None, (self._answer.notice, notice)))

    def _revise(self, revised: Revised) -> None:
        self._text, self._reasoning = Text(revised.text), Text(revised.reasoning)
        self._log.revise(revised.first_answer_s)
        self._set(status="writing" if revised.text else "thinking")

    def _end(self, usage: Usage = UNCOUNTED, **fields: Any) -> None:
        """Work the figures out for the last time. `usage` is the server's, which an answer cut short does not have."""
        self._set(**fields)
        self._work_out(usage)

    def _work_out(self, usage: Usage) -> None:
        text, reasoning = self._text.whole(), self._reasoning.whole()
        stamps = self._log.stamps(exact=self.final)
        said = thought = None
        if stamps.counted_by != "server" and self._due(stamps):
            said, thought = self._count(text), self._count(reasoning) if reasoning else 0
            if said is not None and thought is not None:
                self._log.count(said + thought)
                stamps = self._log.stamps(exact=self.final)
        if usage.output_tokens is None and stamps.counted_chunks == stamps.chunks > 0:
            if stamps.counted_by == "server":
                usage = replace(usage, undivided_tokens=stamps.counted_tokens, source="server")
            elif self.final:
                usage = replace(usage, reasoning_tokens=thought, answer_tokens=said, source="tokenizer")
        grown = replace(self._answer, text=text, reasoning=reasoning, stamps=stamps, usage=usage)
        self._answer = replace(grown, timing=meter.timing(grown))

    def _due(self, stamps: Stamps) -> bool:
        """The tokenizer should count: at the end and, for a live speed, when there is a good deal more text."""
        return stamps.chunks > 0 and (self.final or stamps.chunks >= RECOUNT * stamps.counted_chunks)


class Text:
    """Text that grows by pieces, joined when somebody looks and not before."""

    def __init__(self, text: str = "") -> None:
        self._whole, self._pieces = text, list[str]()

    def append(self, piece: str) -> None:
        """Add that at the end."""
        self._pieces.append(piece)

    def whole(self) -> str:
        """All of it, in one."""
        if self._pieces:
            self._whole, self._pieces = "".join((self._whole, *self._pieces)), []
        return self._whole


def stopped(answer: Answer) -> Answer:
    """The answer as a person stopped it; a final one as it is. For answers whose state nobody holds any more."""
    if answer.final:
        return answer
    ended = replace(answer, status="stopped", finish_reason="stopped", loading=None)
    return replace(ended, timing=meter.timing(ended))


def _after(wait_s: float) -> str:
    return f" after {_seconds(wait_s)}" if wait_s else " at once"


def _in(wait_s: float) -> str:
    return f" in {_seconds(wait_s)}" if wait_s else ""


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1f} s"


def _waits(held: Held) -> str:
    what = "a place at its server" if held.server else "the machine: another model is loading or answering"
    return f"waiting for {what}" + (f" · {held.ahead} ahead of you" if held.ahead else " · you are next")


AT_WORK = ("reading", "thinking", "writing")


def collide(left: Answer, right: Answer) -> bool:
    """Both worked at the same moment, or one answers at this moment while the other loads."""
    now = {left.status, right.status}
    return ("loading" in now and not now.isdisjoint(AT_WORK)) or overlap(left.stamps, right.stamps)


def overlap(left: Stamps, right: Stamps) -> bool:
    """Both were at work at the same moment, from sent to last chunk (or still running)."""
    if left.sent_s is None or right.sent_s is None:
        return False
    ends = [float("inf") if stamps.last_s is None else stamps.last_s for stamps in (left, right)]
    return left.sent_s < ends[1] and right.sent_s < ends[0]
