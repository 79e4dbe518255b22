"""Reads how many tokens a server counted, and believes what its sums and the text bear out. Does no I/O.

Servers name the counts differently, and disagree on what they count: `completion_tokens` holds the tokens of thinking,
leaves them out, or holds nothing else. `total_tokens` tells which, where it is there; else the text does. What fits
neither is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground.types import Usage

Json = Mapping[str, Any]

CHARS_A_TOKEN = 16
"""No tokenizer packs more into a token on average over a text; long runs of one character are rare."""
SLACK_CHARS = 32
BYTES_A_TOKEN = 4
"""Nor does one take more than this for each byte; tokens of the chat's own marks are in the slack."""
SLACK_TOKENS = 100
MOST_TOKENS = 1_000_000_000

_PROMPT = ("prompt_tokens", "input_tokens", "promptTokenCount", "prompt_eval_count")
_OUTPUT = ("completion_tokens", "output_tokens", "candidatesTokenCount", "eval_count")
_TOTAL = ("total_tokens", "totalTokenCount")
_THOUGHT = ("reasoning_tokens", "thinking_tokens", "thoughtsTokenCount", "reasoning_token_count")
_CACHED = ("cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens", "cachedContentTokenCount")
_OUTPUT_DETAILS = ("completion_tokens_details", "output_tokens_details")
_PROMPT_DETAILS = ("prompt_tokens_details", "input_tokens_details")


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of an answer: characters of thinking and of the answer itself, and bytes of the latter."""

    thought_chars: int = 0
    answer_chars: int = 0
    answer_bytes: int = 0

    def fits(self, thought: int, answer: int) -> bool:
        """So many tokens of each can have made this text. Thinking may be hidden, and then there are more."""
        enough = _holds(thought, self.thought_chars) and _holds(answer, self.answer_chars)
        return enough and answer <= BYTES_A_TOKEN * self.answer_bytes + SLACK_TOKENS

    def fits_together(self, output: int) -> bool:
        """So many tokens can have made all of it."""
        return _holds(output, self.thought_chars + self.answer_chars)


def _holds(tokens: int, chars: int) -> bool:
    return tokens > 0 and chars <= CHARS_A_TOKEN * tokens + SLACK_CHARS if chars else tokens >= 0


class Counts:
    """Accumulates the counts of one answer from wherever a server puts them; zeros do not replace a count."""

    def __init__(self) -> None:
        self._prompt: int | None = None
        self._output: int | None = None
        self._thought: int | None = None
        self._total: int | None = None
        self._cached: int | None = None
        self._timings: Json = {}

    def read(self, chunk: Json, choice: Json) -> None:
        """Take in what a chunk says, and its choice."""
        for holder in (chunk, choice, mapping(chunk.get("x_groq"))):
            for name in ("usage", "usage_metadata", "usageMetadata"):
                self._add(mapping(holder.get(name)))
        self._timings = mapping(chunk.get("timings")) or self._timings

    @property
    def timings(self) -> Mapping[str, float]:
        """What llama.cpp measured, as it named it."""
        return {name: found for name, value in self._timings.items() if (found := number(value)) is not None}

    def _add(self, usage: Json) -> None:
        details = [mapping(usage.get(name)) for name in _OUTPUT_DETAILS]
        before = [mapping(usage.get(name)) for name in _PROMPT_DETAILS]
        prompt, output, total = (_first([usage], names) for names in (_PROMPT, _OUTPUT, _TOTAL))
        thought, cached = _first([*details, usage], _THOUGHT), _first([*before, usage], _CACHED)
        self._prompt = prompt or self._prompt
        if output or thought:
            self._output, self._thought, self._total = output, thought, total
        if prompt:
            self._cached = self._cached if cached is None else cached

    def _read_prompt(self) -> int | None:
        """llama.cpp counts what it read apart from what it had read before."""
        read = whole(self._timings.get("prompt_n"))
        return None if read is None else read + (whole(self._timings.get("cache_n")) or 0) or None

    def so_far(self, chunk: Json) -> int | None:
        """Tokens by now, of a server that counts as it goes (llama.cpp with `timings_per_token`, vLLM with
        `continuous_usage_stats`). What an earlier chunk said is not about this one."""
        timings, usage = mapping(chunk.get("timings")), mapping(chunk.get("usage"))
        return whole(timings.get("predicted_n")) or _first([usage], _OUTPUT) or None

    def usage(self, seen: Seen) -> Usage:
        """The tokens of the prompt, of thinking and of the answer by the server; undivided where it does not tell which
        are which, and nothing where nobody counted or the counts cannot be."""
        cached = self._cached if self._cached is not None else whole(self._timings.get("cache_n"))
        prompt = self._prompt or self._read_prompt()
        output, thought = self._output, self._thought
        if not output and not thought:
            output = whole(self._timings.get("predicted_n")) or None
        total = self._total if self._total and prompt else None
        if total and prompt and output and cached and total == prompt + cached + output + (thought or 0):
            prompt += cached  # counted apart by some
        made = total - prompt if total and prompt else None
        for one, other in _partings(output, thought, made):
            if seen.fits(one, other):
                return Usage(prompt, one, other, cached, "server")
        together = output if output and made in (None, output) and seen.fits_together(output) else None
        known = any(count is not None for count in (prompt, cached, together))
        return Usage(prompt, None, None, cached, "server" if known else None, together)


def _partings(output: int | None, thought: int | None, made: int | None) -> Iterator[tuple[int, int]]:
    """Tokens of thinking and of the answer, as these counts may be meant. `made` is all of them by the total."""
    if thought is None:
        if output and made in (None, output):
            yield 0, output
        elif output and made is not None and made > output:
            yield made - output, output  # thinking is in the total only
        return
    if output is None and made is None:
        return
    counted = output or 0
    meant = [(thought, counted - thought)]  # with thinking
    meant += [(thought, counted)] if counted != thought or made is not None else []  # without; the same twice is odd
    if made is not None:
        meant = [each for each in meant if sum(each) == made]
        meant += [(thought, made - thought)] if counted in (0, thought) else []  # instead: the count is of thinking
    yield from (each for each in meant if each[1] >= 0)


def mapping(value: object) -> Json:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def number(value: object) -> float | None:
    """The value where it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def whole(value: object) -> int | None:
    """The value where it can be a count of tokens."""
    found = number(value)
    return int(found) if found is not None and 0 <= found <= MOST_TOKENS else None


def _first(holders: Sequence[Json], names: Sequence[str]) -> int | None:
    counts = (whole(holder.get(name)) for holder in holders for name in names)
    return next((count for count in counts if count is not None), None)
