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

from collections.abc import Sequence
from itertools import pairwise

from playground.types import Stamps, Timing, Usage

SHORTEST_SPAN_S = 0.05
"""Below this the clock and the network say more about themselves than about the model: no rate is given."""


def quantile(values: Sequence[float], share: float) -> float | None:
    """Linear interpolation between closest ranks (numpy's default), or None for no values. `share` in 0..1."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def timing(stamps: Stamps, usage: Usage, chars: int, load_s: float | None = None) -> Timing:
    """All figures that these stamps allow; None where one cannot be known yet, or at all.

    `chars` counts reasoning and answer together.
    """
    sent, chunks = stamps.sent_s, stamps.chunks_s
    if sent is None or not chunks:
        return Timing(load_s=load_s)
    span = chunks[-1] - chunks[0]
    gaps = [later - earlier for earlier, later in pairwise(chunks)]
    return Timing(
        load_s=load_s,
        ttft_s=chunks[0] - sent,
        ttfa_s=None if stamps.first_answer_s is None else stamps.first_answer_s - sent,
        total_s=chunks[-1] - sent,
        decode_tokens_per_s=_rate(usage.output_tokens, 1, span),
        chars_per_s=_rate(chars, stamps.first_chars, span),
        chunk_gap_p50_s=quantile(gaps, 0.5),
        chunk_gap_p95_s=quantile(gaps, 0.95),
    )


def _rate(count: int | None, before_span: int, span_s: float) -> float | None:
    """Per second over the span, not counting what the first chunk brought."""
    if count is None or count <= before_span or span_s < SHORTEST_SPAN_S:
        return None
    return (count - before_span) / span_s
