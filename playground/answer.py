"""Knows how one side's answer grows, change by change. Knows no clock, no thread and no I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from playground import meter
from playground.meter import StampLog
from playground.types import (
    Answer,
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
    """The model can answer. `load_s` is None when it was ready before; `cold` until its first whole answer. `notice` is
    a fact about its answers that only shows now."""

    load_s: float | None
    cold: bool
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


@dataclass(frozen=True, slots=True)
class Contended:
    """The other side worked on the same machine at the same time."""


Change = Event | Loading | Held | Ready | Failed | Stopped | Measured | Contended


class AnswerState:
    """Accumulates one side's answer. Applying a change costs what the change is long, whatever came before it.

    It starts with a new answer, or with one that has ended.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._text, self._reasoning = Text(answer.text), Text(answer.reasoning)
        self._log = StampLog()
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
                self._text, self._reasoning, self._log = Text(), Text(), StampLog(at_s)
                self._set(status="reading")
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
            self._work_out(exact=False, usage=UNCOUNTED)
        self._changed = False
        return self._answer

    def _set(self, **fields: Any) -> None:
        self._answer = replace(self._answer, **fields)
        self._changed = True

    def _grow(self, delta: Delta) -> None:
        (self._reasoning if delta.reasoning else self._text).append(delta.text)
        self._log.add(delta.at_s, len(delta.text), delta.reasoning)
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
        self._work_out(exact=True, usage=usage)

    def _work_out(self, exact: bool, usage: Usage) -> None:
        stamps = self._log.stamps(exact)
        usage = estimated(stamps, usage)
        self._answer = replace(
            self._answer,
            text=self._text.whole(),
            reasoning=self._reasoning.whole(),
            stamps=stamps,
            usage=usage,
            timing=meter.timing(stamps, usage, self._answer.load_s),
        )


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


def estimated(stamps: Stamps, usage: Usage) -> Usage:
    """The usage, with one token for each chunk while no server has counted."""
    if usage.output_tokens is not None or not stamps.chunks:
        return usage
    said = stamps.chunks - stamps.thought_chunks
    return replace(usage, reasoning_tokens=stamps.thought_chunks or None, answer_tokens=said, source="estimate")


def stopped(answer: Answer) -> Answer:
    """The answer as a person stopped it; a final one as it is. For answers whose state nobody holds any more."""
    if answer.final:
        return answer
    usage = estimated(answer.stamps, UNCOUNTED)
    timing = meter.timing(answer.stamps, usage, answer.load_s)
    return replace(answer, status="stopped", finish_reason="stopped", loading=None, usage=usage, timing=timing)


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
