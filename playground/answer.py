"""Knows how one side's answer grows, change by change. Knows no clock, no thread and no I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace

from playground import meter
from playground.types import Answer, Delta, Event, Finished, Loading, Memory, Sent, Stamps, Usage


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
    """Memory of this side, so far or finally."""

    memory: Memory


Change = Event | Loading | Held | Ready | Failed | Stopped | Measured


def advance(answer: Answer, change: Change) -> Answer:
    """The answer after one change. A final answer takes nothing more but its memory."""
    match change:
        case Measured(memory):
            return replace(answer, memory=memory)
        case _ if answer.final:
            return answer
        case Delta():
            return _grow(answer, change)
        case Sent(at_s):
            return replace(answer, status="reading", text="", reasoning="", stamps=Stamps(sent_s=at_s))
        case Finished():
            done = replace(answer, status="done", finish_reason=change.reason, usage=change.usage, server=change.server)
            return timed(done)
        case Failed(error):
            return _cut_short(replace(answer, status="failed", error=error, finish_reason="error"))
        case Stopped():
            return _cut_short(replace(answer, status="stopped", finish_reason="stopped"))
        case Held():
            return replace(answer, status="waiting", loading=Loading(_waits(change)))
        case Loading():
            return replace(answer, status="loading", loading=change)
        case Ready(load_s, cold, notice):
            told = ". ".join(filter(None, (answer.notice, notice)))
            return replace(answer, status="reading", loading=None, load_s=load_s, cold=cold, notice=told)


def _waits(held: Held) -> str:
    what = "a place at its server" if held.server else "the machine: another model is loading or answering"
    return f"waiting for {what}" + (f" · {held.ahead} ahead of you" if held.ahead else " · you are next")


def _grow(answer: Answer, delta: Delta) -> Answer:
    stamps = answer.stamps
    stamps = replace(
        stamps,
        chunks_s=(*stamps.chunks_s, delta.at_s),
        first_chars=stamps.first_chars if stamps.chunks_s else len(delta.text),
        first_answer_s=delta.at_s if stamps.first_answer_s is None and not delta.reasoning else stamps.first_answer_s,
    )
    if delta.reasoning:
        return replace(answer, status="thinking", reasoning=answer.reasoning + delta.text, stamps=stamps)
    return replace(answer, status="writing", text=answer.text + delta.text, stamps=stamps)


def _cut_short(answer: Answer) -> Answer:
    """The answer as it ended without its last event: an estimate made earlier does not know the latest chunks."""
    return timed(replace(answer, loading=None, usage=Usage()))


def timed(answer: Answer) -> Answer:
    """The answer with its figures worked out. While no server has counted, one chunk counts as one token."""
    usage = answer.usage
    if usage.output_tokens is None and answer.stamps.chunks_s:
        chunks_s, first_answer_s = answer.stamps.chunks_s, answer.stamps.first_answer_s
        thought = len(chunks_s) if first_answer_s is None else chunks_s.index(first_answer_s)
        said = len(chunks_s) - thought
        usage = replace(usage, reasoning_tokens=thought or None, answer_tokens=said, source="estimate")
    chars = len(answer.text) + len(answer.reasoning)
    return replace(answer, usage=usage, timing=meter.timing(answer.stamps, usage, chars, answer.load_s))


AT_WORK = ("reading", "thinking", "writing")


def collide(left: Answer, right: Answer) -> bool:
    """Both worked at the same moment, or one answers at this moment while the other loads."""
    now = {left.status, right.status}
    return ("loading" in now and not now.isdisjoint(AT_WORK)) or overlap(left.stamps, right.stamps)


def overlap(left: Stamps, right: Stamps) -> bool:
    """Both were at work at the same moment, from sent to last chunk (or still running)."""
    if left.sent_s is None or right.sent_s is None:
        return False
    ends = [stamps.chunks_s[-1] if stamps.chunks_s else float("inf") for stamps in (left, right)]
    return left.sent_s < ends[1] and right.sent_s < ends[0]
