"""What each figure means, on stamps whose figures can be worked out in the head."""

from __future__ import annotations

import itertools
import statistics
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground import meter
from playground.types import Stamps, Timing, Usage


def logged(sent_s: float | None, *chunks: tuple[float, int], thought: int = 0) -> Stamps:
    """Stamps of chunks, each a moment and a number of characters; the first so many are reasoning."""
    log = meter.StampLog(sent_s)
    for number, (at_s, chars) in enumerate(chunks):
        log.add(at_s, chars, number < thought)
    return log.stamps(exact=True)


THINKING = logged(10.0, (11.0, 4), (12.0, 5), (13.0, 5), (15.0, 10), thought=2)
moments = st.floats(0, 1e6, allow_nan=False)


def figures(stamps: Stamps = THINKING, usage: Usage | None = None) -> Timing:
    return meter.timing(stamps, usage or Usage(reasoning_tokens=3, answer_tokens=6))


def test_first_token_is_counted_from_sending_to_the_first_text_of_any_kind():
    assert figures().ttft_s == 1.0


def test_first_answer_is_counted_from_sending_to_the_first_text_of_the_answer():
    assert figures().ttfa_s == 3.0


def test_total_ends_with_the_last_text():
    assert figures().total_s == 5.0


def test_speed_is_all_tokens_but_the_first_over_the_span_between_first_and_last_text():
    assert figures().decode_tokens_per_s == (3 + 6 - 1) / (15.0 - 11.0)


def test_characters_of_the_first_chunk_do_not_count_in_the_rate():
    assert figures().chars_per_s == (24 - 4) / 4.0


def test_gaps_are_those_between_texts():
    assert figures().chunk_gap_p50_s == 1.0  # gaps are 1, 1, 2
    assert figures().chunk_gap_p95_s == pytest.approx(1.9)


def test_load_time_is_passed_on_and_is_part_of_no_latency():
    loaded = meter.timing(THINKING, Usage(answer_tokens=9), load_s=60.0)
    assert loaded.load_s == 60.0
    assert (loaded.ttft_s, loaded.total_s) == (1.0, 5.0)


@pytest.mark.parametrize("stamps", [Stamps(), Stamps(sent_s=1.0), logged(None, (1.0, 4), (2.0, 4))])
def test_nothing_but_the_load_is_known_before_the_first_text(stamps: Stamps):
    assert meter.timing(stamps, Usage(answer_tokens=9), load_s=2.0) == Timing(load_s=2.0)


def test_first_answer_is_unknown_while_a_model_only_thinks():
    assert figures(logged(0.0, (1.0, 1), (2.0, 23), thought=2)).ttfa_s is None


def test_one_chunk_has_latencies_but_no_rate_and_no_gap():
    one = figures(logged(0.0, (1.0, 24)))
    assert one == Timing(ttft_s=1.0, ttfa_s=1.0, total_s=1.0)


def test_a_span_under_fifty_milliseconds_has_no_rate():
    short = figures(logged(0.0, (1.0, 1), (1.049, 23)))
    assert (short.decode_tokens_per_s, short.chars_per_s) == (None, None)
    long_enough = figures(logged(0.0, (1.0, 4), (1.0625, 20)))
    assert (long_enough.decode_tokens_per_s, long_enough.chars_per_s) == (8 / 0.0625, 20 / 0.0625)


@pytest.mark.parametrize("usage", [Usage(), Usage(prompt_tokens=5), Usage(answer_tokens=1), Usage(answer_tokens=0)])
def test_fewer_than_two_tokens_have_no_speed(usage: Usage):
    assert figures(usage=usage).decode_tokens_per_s is None


def test_tokens_out_are_thinking_and_answer_together_and_unknown_when_neither_is_known():
    assert Usage(reasoning_tokens=3, answer_tokens=6).output_tokens == 9
    assert Usage(answer_tokens=6).output_tokens == 6
    assert Usage(prompt_tokens=6).output_tokens is None


def test_no_values_have_no_quantile():
    assert meter.quantile([], 0.5) is None


@given(st.lists(moments, min_size=1, max_size=30), st.floats(0, 1))
def test_quantile_is_the_one_of_numpy(values: list[float], share: float):
    assert meter.quantile(values, share) == pytest.approx(float(np.quantile(values, share)), rel=1e-9, abs=1e-6)


@given(st.lists(moments, min_size=1, max_size=30))
def test_half_way_quantile_is_the_median(values: list[float]):
    assert meter.quantile(values, 0.5) == pytest.approx(statistics.median(values))


counts = st.none() | st.integers(0, 10_000)


chunks = st.tuples(st.floats(0, 50), st.integers(1, 99))


@given(st.floats(0, 100), st.lists(chunks, max_size=20), st.integers(0, 20), counts, counts)
def test_no_figure_is_ever_negative(
    sent_s: float, gaps: list[tuple[float, int]], thought: int, reasoning: int | None, answer: int | None
):
    ends = itertools.accumulate((gap for gap, _ in gaps), initial=sent_s)
    stamps = logged(sent_s, *zip(list(ends)[1:], (chars for _, chars in gaps), strict=True), thought=thought)
    found = meter.timing(stamps, Usage(None, reasoning, answer))
    assert all(figure is None or figure >= 0 for figure in astuple(found))


@given(st.lists(moments, min_size=2, max_size=9), st.integers(2, 99))
def test_no_rate_is_negative_even_when_stamps_go_back(chunks_s: list[float], tokens: int):
    found = meter.timing(logged(0.0, *((at_s, 1) for at_s in chunks_s)), Usage(answer_tokens=tokens))
    assert all(rate is None or rate > 0 for rate in (found.decode_tokens_per_s, found.chars_per_s))


def test_live_gaps_of_a_long_answer_are_sorted_anew_now_and_then_and_at_the_end():
    log = meter.StampLog(0.0)
    sorted_at = []
    for number in range(10_000):
        log.add(number * number / 1000, 4, reasoning=False)
        before = log.stamps(exact=False).gap_p50_s
        if not sorted_at or before != sorted_at[-1]:
            sorted_at.append(before)
    assert len(sorted_at) < 100
    gaps = [(2 * number + 1) / 1000 for number in range(9_999)]
    assert log.stamps(exact=True).gap_p50_s == pytest.approx(statistics.median(gaps))
