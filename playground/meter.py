"""Knows how stamps become the figures people compare. Knows no clock: it is given moments and gives durations.

Definitions follow the tools of the field; each figure names its source:
ttft_s  request sent to first non-empty reasoning or answer text (genai-perf's time to first token)
ttfa_s  request sent to first non-empty answer text; differs for models that think (guidellm's TTFOT)
total_s  request sent to last text chunk (end-to-end latency of `vllm bench serve`)
decode_tokens_per_s  (tokens out - 1) / (last chunk - first chunk), the inverse of TPOT of `vllm bench serve`
chars_per_s  characters after the first chunk over the same span: tokenizers differ, characters do not
chunk_gap_p50_s, _p95_s  gaps between text chunks; servers may bundle tokens, so a gap is not a token's time
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from playground.types import Stamps, Timing, Usage

SHORTEST_SPAN_S = 0.05
"""Below this the clock and the network say more about themselves than about the model: no rate is given."""

GROWTH = 1.1
"""Gaps are sorted anew for a live figure when there are so many times as many chunks: a sort at every look would make
the ten thousandth token dearer than the tenth."""


class StampLog:
    """Accumulates the stamps of one answer: the cost of a chunk does not depend on how many came before it."""

    def __init__(self, sent_s: float | None = None) -> None:
        self._sent_s = sent_s
        self._chunks_s = array("d")
        self._first_answer_s: float | None = None
        self._thought_chunks = self._chars = self._first_chars = 0
        self._sorted = 0
        self._quantiles: tuple[float | None, float | None] = (None, None)

    def add(self, at_s: float, chars: int, reasoning: bool) -> None:
        """One chunk of so many characters came."""
        if not self._chunks_s:
            self._first_chars = chars
        if not reasoning and self._first_answer_s is None:
            self._first_answer_s, self._thought_chunks = at_s, len(self._chunks_s)
        self._chunks_s.append(at_s)
        self._chars += chars

    def revise(self, first_answer_s: float | None) -> None:
        """The answer began with the chunk of that stamp, or has not begun: what was taken for it was not."""
        self._first_answer_s = first_answer_s
        if first_answer_s is not None:
            self._thought_chunks = bisect_left(self._chunks_s, first_answer_s)

    def stamps(self, exact: bool) -> Stamps:
        """What they come to by now; `exact` quantiles need a sort, others may be some chunks old."""
        chunks = self._chunks_s
        if not chunks:
            return Stamps(self._sent_s)
        if exact or len(chunks) >= GROWTH * self._sorted:
            gaps = sorted(later - earlier for earlier, later in pairwise(chunks))
            self._sorted, self._quantiles = len(chunks), (_quantile(gaps, 0.5), _quantile(gaps, 0.95))
        return Stamps(
            sent_s=self._sent_s,
            first_s=chunks[0],
            first_answer_s=self._first_answer_s,
            last_s=chunks[-1],
            chunks=len(chunks),
            thought_chunks=len(chunks) if self._first_answer_s is None else self._thought_chunks,
            chars=self._chars,
            first_chars=self._first_chars,
            gap_p50_s=self._quantiles[0],
            gap_p95_s=self._quantiles[1],
        )


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


def timing(stamps: Stamps, usage: Usage, load_s: float | None = None) -> Timing:
    """All figures that these stamps allow; None where one cannot be known yet, or at all."""
    sent_s, first_s, last_s = stamps.sent_s, stamps.first_s, stamps.last_s
    if sent_s is None or first_s is None or last_s is None:
        return Timing(load_s=load_s)
    span_s = last_s - first_s
    return Timing(
        load_s=load_s,
        ttft_s=first_s - sent_s,
        ttfa_s=None if stamps.first_answer_s is None else stamps.first_answer_s - sent_s,
        total_s=last_s - sent_s,
        decode_tokens_per_s=_rate(usage.output_tokens, 1, span_s),
        chars_per_s=_rate(stamps.chars, stamps.first_chars, span_s),
        chunk_gap_p50_s=stamps.gap_p50_s,
        chunk_gap_p95_s=stamps.gap_p95_s,
    )


def _rate(count: int | None, before_span: int, span_s: float) -> float | None:
    """Per second over the span, not counting what the first chunk brought."""
    if count is None or count <= before_span or span_s < SHORTEST_SPAN_S:
        return None
    return (count - before_span) / span_s
