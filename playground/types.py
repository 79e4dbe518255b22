"""Knows the nouns: what a person asks, what a model says, what was measured. Knows no rule and does no I/O.

Units stand in the names: `_s` seconds (stamps are of one monotonic clock), `_bytes` bytes. Unknown is None, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playground.specs import EngineName as EngineName
from playground.specs import ModelSpec as ModelSpec
from playground.specs import Sampling as Sampling

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
Pacing = Literal["in_turn", "together"]
Status = Literal["waiting", "loading", "reading", "thinking", "writing", "done", "failed", "stopped"]
FINAL: tuple[Status, ...] = ("done", "failed", "stopped")
Winner = Literal["model_a", "model_b", "tie", "both_bad"]
WINNERS: tuple[Winner, ...] = ("model_a", "model_b", "tie", "both_bad")
UsageSource = Literal["server", "tokenizer"]


def other(side: Side) -> Side:
    """The side across."""
    return "right" if side == "left" else "left"


# --- what a person asks -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Image:
    """A picture as it is sent: upright, opaque, within the size limit; `data` is PNG or JPEG.

    `sha256` is of the file as the person gave it, so that votes can be matched with originals.
    """

    data: bytes
    media_type: str
    width: int
    height: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    text: str
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt of the library, or one that was typed (`id` is then "typed"). `images` are files."""

    text: str
    images: tuple[Path, ...] = ()
    system: str = ""
    id: str = "typed"
    subject: str = ""
    look_for: str = ""


# --- what can answer ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EngineState:
    """What a picker shows: `done` of `total` are in `unit` of `stage` while loading; `left_s` is how long that stage
    still takes at its pace of late, in seconds, `note` what the person should know meanwhile."""

    name: Literal["not_loaded", "loading", "ready", "elsewhere", "failed"]
    stage: str = ""
    done: int | None = None
    total: int | None = None
    error: str = ""
    unit: Literal["bytes", "steps"] = "steps"
    left_s: float | None = None
    note: str = ""


# --- what an engine says ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one answer, and who counted: nobody where `source` is None. There are no estimates.

    `cached_tokens` of the prompt came from a prefix cache. `undivided_tokens` is one count of reasoning and answer
    together, of a server that does not tell them apart.
    """

    prompt_tokens: int | None = None
    reasoning_tokens: int | None = None
    answer_tokens: int | None = None
    cached_tokens: int | None = None
    source: UsageSource | None = None
    undivided_tokens: int | None = None

    @property
    def output_tokens(self) -> int | None:
        """Reasoning and answer together, or None when neither is known."""
        if self.undivided_tokens is not None:
            return self.undivided_tokens
        counts = [n for n in (self.reasoning_tokens, self.answer_tokens) if n is not None]
        return sum(counts) if counts else None


@dataclass(frozen=True, slots=True)
class Loading:
    """The model is on its way: fetching, starting, reading weights. `done` and `total` in `unit`, where known;
    `note` is what the person should know meanwhile."""

    stage: str
    done: int | None = None
    total: int | None = None
    unit: Literal["bytes", "steps"] = "steps"
    note: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """The request left at `at_s`."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Delta:
    """Non-empty text that left the socket at `at_s`; `reasoning` tells thinking from answer. `tokens` is how many there
    are with it, thinking and answer, where the server counts as it goes."""

    text: str
    at_s: float
    reasoning: bool = False
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Busy:
    """The server refused the request with that status, and is asked again after `wait_s` seconds."""

    status: int
    wait_s: float


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of every stream that did not fail. `server` holds the server's own figures, as it named them."""

    reason: str
    usage: Usage
    at_s: float
    server: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Revised:
    """All text so far, thinking and answer, as it must be read since more of it came: a closing tag, for one, makes
    thinking of what stood before it. `first_answer_s` is the stamp of the first `Delta` that is still answer."""

    text: str
    reasoning: str
    first_answer_s: float | None = None


@dataclass(frozen=True, slots=True)
class Noticed:
    """A fact about this answer that the person must know, without a full stop."""

    notice: str


Event = Sent | Busy | Delta | Revised | Noticed | Finished


# --- what was measured --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stamps:
    """What the stamps of one answer come to, however many they are: on the monotonic clock, in seconds.

    `sent_s` is when it was asked for, `first_s` and `last_s` when text came, `first_answer_s` when text of the answer
    came that shows. It came in `chunks`, at `moments` of which each may hold several (see `meter`). By the end of the
    first moment, `begun_s`, so many chunks, characters and tokens had come. The last count of tokens that was made as
    text came was of `counted_tokens` in `counted_chunks` at `counted_s`, `counted_by` the server or a tokenizer.
    Moments and gaps may be those of a while ago as long as the answer grows, and are exact once it has ended.
    """

    sent_s: float | None = None
    first_s: float | None = None
    first_answer_s: float | None = None
    last_s: float | None = None
    chunks: int = 0
    chars: int = 0
    moments: int = 0
    begun_s: float | None = None
    begun_chunks: int = 0
    begun_chars: int = 0
    begun_tokens: int | None = None
    counted_s: float | None = None
    counted_chunks: int = 0
    counted_tokens: int | None = None
    counted_by: UsageSource | None = None
    gap_p50_s: float | None = None
    gap_p95_s: float | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """The figures of one answer, in seconds or per second. `meter` defines each. `decode_reason` is the sentence that
    says why there are no tokens per second."""

    load_s: float | None = None
    ttft_s: float | None = None
    ttfa_s: float | None = None
    total_s: float | None = None
    decode_tokens_per_s: float | None = None
    chars_per_s: float | None = None
    chunk_gap_p50_s: float | None = None
    chunk_gap_p95_s: float | None = None
    decode_reason: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that belong to one model. `method` says how they were found; `reason` why one is None.

    `weights_bytes` is the sum of the tensors as stored, `peak_bytes` the most that was resident during this answer, in
    RAM and on GPUs together (of it `device_peak_bytes` on GPUs), `process_bytes` what is held now. `baseline_bytes`
    is the part of it that was there before any weights (interpreter and libraries).
    """

    weights_bytes: int | None = None
    peak_bytes: int | None = None
    process_bytes: int | None = None
    baseline_bytes: int | None = None
    method: str = ""
    reason: str = ""
    device_peak_bytes: int | None = None


DISTURBED_OVER = 0.1
"""A larger `wait_share` or `other_share` marks an answer as disturbed, and keeps its times out of averages."""


@dataclass(frozen=True, slots=True)
class Interference:
    """CPU contention while a model of this machine answered: shares from 0 to 1, None where unknown, with the `reason`.

    `wait_share`: run-queue wait of the model's threads over wait and run time. `other_share`: CPU time of everything
    but the model, over all that the CPUs it may run on had; of it `app_share` is this app's, `steal_share` was taken by
    the host of a virtual machine, and the rest went to other programs.
    """

    wait_share: float | None = None
    other_share: float | None = None
    app_share: float | None = None
    steal_share: float | None = None
    reason: str = ""

    @property
    def measured(self) -> bool:
        """Both shares are known."""
        return self.wait_share is not None and self.other_share is not None

    @property
    def disturbed(self) -> bool:
        """One of both shares is known and over the limit."""
        return max(self.wait_share or 0.0, self.other_share or 0.0) > DISTURBED_OVER


@dataclass(frozen=True, slots=True)
class Answer:
    """One side of a comparison at one moment. `notice` is a fact about it that the person must know. `cold`: the first
    since the model was loaded; None where nobody can know, because somebody else runs it. `threads` are those of the
    CPU that a model of this machine was given."""

    model: str
    status: Status = "waiting"
    text: str = ""
    reasoning: str = ""
    error: str = ""
    notice: str = ""
    finish_reason: str = ""
    loading: Loading | None = None
    cold: bool | None = None
    contended: bool = False
    elsewhere: bool = False
    images_sent: int = 0
    threads: int | None = None
    load_s: float | None = None
    stamps: Stamps = Stamps()
    timing: Timing = Timing()
    usage: Usage = Usage()
    memory: Memory = Memory()
    interference: Interference = Interference()
    server: Mapping[str, float] = field(default_factory=dict)

    @property
    def final(self) -> bool:
        """No further event can change this answer."""
        return self.status in FINAL


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both answers to one prompt at one moment. `first_side` ran first (in turn) or was started first (together)."""

    battle_id: str
    pacing: Pacing
    first_side: Side
    left: Answer
    right: Answer

    def side(self, side: Side) -> Answer:
        """The answer of that side."""
        return self.left if side == "left" else self.right

    @property
    def final(self) -> bool:
        """Both sides have ended, in whatever way."""
        return self.left.final and self.right.final


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's judgement of one finished comparison, with all that was asked and answered."""

    vote_id: str
    voted_at: str
    winner: Winner
    comparison: Comparison
    prompt: str
    prompt_id: str = "typed"
    system: str = ""
    image_sha256: tuple[str, ...] = ()
    turn: int = 1
    sampling: Mapping[Side, Sampling] = field(default_factory=dict)
    voter: str = ""
    blind: bool = False
    decision_s: float | None = None
    reason: str = ""
    supersedes: str = ""
