"""Turns the stamps of an answer into the figures people compare. Knows no clock: it is given moments, gives durations.

Definitions, each with how near the field's tools come (read in their sources in November 2026):
ttft_s  request sent to first non-empty reasoning or answer text, white space included, as AIPerf has it. `vllm bench
    serve` stops its clock at the first chunk with a choice, which is that of the role and has no text
ttfa_s  request sent to the first text of the answer that shows; AIPerf and guidellm call the like "time to first output
    token"
total_s  request sent to last text. `vllm bench serve` goes on to the chunk with the finish reason
decode_tokens_per_s  tokens that came within the span / the span, from the first moment of text to the last. The inverse
    of the TPOT of `vllm bench serve` and guidellm, (all tokens - 1) / the span, only where every token has a stamp of
    its own: `speed` says when there is none
chars_per_s  characters after the first moment over the same span: tokenizers differ, characters do not
chunk_gap_p50_s, _p95_s  gaps between moments at which text came; servers may bundle tokens, so a gap is not a token's
    time

A moment is one read of the socket, or several whose gaps are too small to be a token's: under a tenth of the mean gap
and 5 ms. The first moment ends with its last read, so that a bundle that comes in pieces distorts nothing.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from playground.types import Answer, Stamps, Timing, UsageSource

SHORTEST_SPAN_S = 0.05
"""Below this the clock and the network say more about themselves than about the model: no rate is given."""

FEWEST_MOMENTS = 8
"""Tokens that come in fewer bundles than this give no rate: where in its time a bundle was sent, nobody knows, and one
of seven is 14 % of the span."""

NEAR_SHARE, NEAR_S = 0.1, 0.005
"""Reads with a smaller gap than both, of the mean gap and in seconds, are one moment."""

GROWTH = 1.1
"""Moments are worked out anew for live figures when there are so many times as many chunks: doing it at every look
would make the ten thousandth token dearer than the tenth."""

UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class _Shape:
    """How chunks lie in time: how many moments there are, the last chunk of the first one, the gaps' quantiles."""

    chunks: int = 0
    moments: int = 0
    begun: int = 0
    gap_p50_s: float | None = None
    gap_p95_s: float | None = None


class StampLog:
    """Accumulates the stamps of one answer: the cost of a chunk does not depend on how many came before it."""

    def __init__(self, sent_s: float | None = None) -> None:
        self._sent_s = sent_s
        self._chunks_s, self._chars, self._tokens = array("d"), array("q"), array("q")
        self._first_answer_s: float | None = None
        self._counted = UNKNOWN
        self._counted_by: UsageSource | None = None
        self._shape = _Shape()

    def __len__(self) -> int:
        return len(self._chunks_s)

    def add(self, at_s: float, chars: int, *, answers: bool = True, tokens: int | None = None) -> None:
        """One chunk of so many characters came; `answers`: it is text of the answer itself, and it shows. `tokens` is
        how many there are by now, as the server counts."""
        if answers and self._first_answer_s is None:
            self._first_answer_s = at_s
        self._chunks_s.append(at_s)
        self._chars.append(chars + (self._chars[-1] if self._chars else 0))
        self._tokens.append(UNKNOWN)
        if tokens is not None:
            self._count(tokens, "server")

    def count(self, tokens: int) -> None:
        """All text so far has so many tokens, by the model's own tokenizer."""
        self._count(tokens, "tokenizer")

    def _count(self, tokens: int, by: UsageSource) -> None:
        self._tokens[-1] = tokens
        self._counted, self._counted_by = len(self._tokens) - 1, by

    def revise(self, first_answer_s: float | None) -> None:
        """The answer began with the chunk of that stamp, or has not begun: what was taken for it was not."""
        self._first_answer_s = first_answer_s

    def stamps(self, exact: bool) -> Stamps:
        """What they come to by now; where `exact` is not asked for, moments may be those of some chunks ago."""
        chunks = self._chunks_s
        if not chunks:
            return Stamps(self._sent_s)
        if exact or len(chunks) >= GROWTH * self._shape.chunks:
            self._shape = _shape(chunks)
        begun, counted, by = self._shape.begun, self._counted, self._counted_by
        if by == "server" and self._tokens[begun] == UNKNOWN:
            counted, by = UNKNOWN, None  # with nothing to take it from, it may hold what came before all text
        return Stamps(
            sent_s=self._sent_s,
            first_s=chunks[0],
            first_answer_s=self._first_answer_s,
            last_s=chunks[-1],
            chunks=len(chunks),
            chars=self._chars[-1],
            moments=self._shape.moments,
            begun_s=chunks[begun],
            begun_chunks=begun + 1,
            begun_chars=self._chars[begun],
            begun_tokens=self._tokens[begun] if self._tokens[begun] != UNKNOWN else None,
            counted_s=chunks[counted] if counted != UNKNOWN else None,
            counted_chunks=counted + 1,
            counted_tokens=self._tokens[counted] if counted != UNKNOWN else None,
            counted_by=by,
            gap_p50_s=self._shape.gap_p50_s,
            gap_p95_s=self._shape.gap_p95_s,
        )


def _shape(chunks_s: Sequence[float]) -> _Shape:
    gaps = [later - earlier for earlier, later in pairwise(chunks_s)]
    near_s = min(NEAR_SHARE * (chunks_s[-1] - chunks_s[0]) / len(gaps), NEAR_S) if gaps else 0.0
    waits = sorted(gap for gap in gaps if gap > near_s)
    begun = next((number for number, gap in enumerate(gaps) if gap > near_s), len(gaps))
    return _Shape(len(chunks_s), len(waits) + 1, begun, _quantile(waits, 0.5), _quantile(waits, 0.95))


def quantile(values: Sequence[float], share: float) -> float | None:
    """Linear interpolation between closest ranks (numpy's default), or None for no values. `share` in 0..1."""
    return _quantile(sorted(values), share)


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def timing(answer: Answer) -> Timing:
    """All figures that the stamps and counts of this answer allow; None where one cannot be known yet, or at all."""
    stamps, load_s = answer.stamps, answer.load_s
    sent_s, first_s, last_s = stamps.sent_s, stamps.first_s, stamps.last_s
    if sent_s is None or first_s is None or last_s is None:
        return Timing(load_s=load_s)
    tokens_per_s, reason = speed(answer)
    return Timing(
        load_s=load_s,
        ttft_s=first_s - sent_s,
        ttfa_s=None if stamps.first_answer_s is None else stamps.first_answer_s - sent_s,
        total_s=last_s - sent_s,
        decode_tokens_per_s=tokens_per_s,
        decode_reason=reason,
        chars_per_s=_rate(stamps.chars - stamps.begun_chars, _span_s(stamps, last_s)),
        chunk_gap_p50_s=stamps.gap_p50_s,
        chunk_gap_p95_s=stamps.gap_p95_s,
    )


# --- tokens a second --------------------------------------------------------------------------------------------------

SHORT = f"All of it came within {1000 * SHORTEST_SPAN_S:.0f} ms."
NOT_YET = "Tokens are counted when the answer has ended."
NOBODY_COUNTED = "Its server did not count the tokens, and its tokenizer is not here."
CUT_OFF = "It ended before its server had counted the tokens, and its tokenizer is not here."
HIDDEN = "{thought:,} tokens of hidden thinking were counted: they are in the count and not in the time."
UNSEEN = (
    "More tokens were counted ({tokens:,}) than such a text usually has: some may have come at no time that is known."
)
BUNDLED = "Its tokens came in {moments} bundles, too few to tell the speed within their time."
TOO_LITTLE = "Too little text to measure."


def speed(answer: Answer) -> tuple[float | None, str]:
    """Tokens a second, or None with the reason as a sentence. Never by taking a chunk for a token: bundles of five
    would make a fifth of it."""
    stamps = answer.stamps
    if stamps.last_s is None or stamps.begun_s is None:
        return None, ""
    running = _running(answer)
    came, reason = _in_all(answer) if running is None else (running, "")
    if came is None:
        return None, reason
    span_s = _span_s(stamps, stamps.last_s if running is None else stamps.counted_s)
    if stamps.moments < 2 or span_s < SHORTEST_SPAN_S:
        return None, SHORT if answer.final else NOT_YET
    if stamps.moments < FEWEST_MOMENTS and came > stamps.moments - 0.5:
        return None, BUNDLED.format(moments=stamps.moments)
    return (came / span_s, "") if came >= 1 else (None, TOO_LITTLE)


def _running(answer: Answer) -> float | None:
    """Tokens within the span by counts that were made as the text came; None without such, or where they are none: a
    server may send something else under that name, which its count of all then contradicts."""
    stamps, in_all = answer.stamps, answer.usage.output_tokens
    tokens, begun = stamps.counted_tokens, stamps.begun_tokens
    if tokens is None:
        return None
    if stamps.counted_by == "server" and in_all is not None and not 0 <= in_all - tokens <= 3 + in_all // 50:
        return None
    return tokens - (_begun(stamps, tokens) if begun is None else begun)


def _in_all(answer: Answer) -> tuple[float | None, str]:
    """Tokens within the span by one count of all, or the reason why nobody knows how many of them came in it."""
    stamps, usage = answer.stamps, answer.usage
    tokens, thought = usage.output_tokens, usage.reasoning_tokens or 0
    if tokens is None:
        return None, NOT_YET if not answer.final else NOBODY_COUNTED if answer.status == "done" else CUT_OFF
    if thought and not answer.reasoning:
        return None, HIDDEN.format(thought=thought)
    if tokens > stamps.chunks and not _one_each(stamps, tokens):
        room, thinking = most_tokens(answer.text), most_tokens(answer.reasoning)
        if tokens > room + thinking or thought > thinking:
            return None, UNSEEN.format(tokens=tokens)
    if answer.finish_reason == "stop" and usage.source == "server" and tokens > stamps.chunks:
        tokens -= 1  # llama.cpp, vLLM and transformers count the end token, which comes after all text and has none
    return tokens - _begun(stamps, tokens), ""


def _begun(stamps: Stamps, tokens: int) -> float:
    """How many of these tokens came with the first moment: its chunks where each is a token, else by its share of the
    text. From eight moments on, that is at most about an eighth of them, known well enough."""
    if _one_each(stamps, tokens) or not stamps.chars:
        return stamps.begun_chunks
    share = tokens * stamps.begun_chars / stamps.chars
    return max(stamps.begun_chunks, share) if tokens > stamps.chunks else share


def _one_each(stamps: Stamps, tokens: int) -> bool:
    """About one token came in a chunk; a few have no text, or only part of a character."""
    return 0.8 * stamps.chunks - 1 <= tokens <= 1.25 * stamps.chunks + 2


_PIECES = re.compile(r"([A-Za-z]+)|\s+|.", re.DOTALL)


def most_tokens(text: str) -> int:
    """More tokens than a tokenizer usually makes of this text, and not many times as many: one for each four letters of
    a word, each other sign, and each blank space that is not a single one. That is 1.4 times what the tokenizer of
    SmolLM2 makes of English prose, 1.3 times for code, as many for digits, and fewer for languages it was not made for.
    """
    return sum(-(-len(word) // 4) if (word := piece[1]) else piece[0] != " " for piece in _PIECES.finditer(text))


def _span_s(stamps: Stamps, end_s: float | None) -> float:
    return 0.0 if stamps.begun_s is None or end_s is None else end_s - stamps.begun_s


def _rate(count: float, span_s: float) -> float | None:
    """Per second over the span."""
    return count / span_s if count > 0 and span_s >= SHORTEST_SPAN_S else None
