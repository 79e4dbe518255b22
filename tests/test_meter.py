"""What each figure means, on stamps whose figures can be worked out in the head."""

from __future__ import annotations

import itertools
import statistics
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground import meter
from playground.types import Answer, Stamps, Timing, Usage

Chunk = tuple[float, int]


def logged(sent_s: float | None, *chunks: Chunk, thought: int = 0, tokens: list[int] | None = None) -> Stamps:
    """Stamps of chunks, each a moment and a number of characters; the first so many are reasoning."""
    log = meter.StampLog(sent_s)
    for number, (at_s, chars) in enumerate(chunks):
        log.add(at_s, chars, answers=number >= thought, tokens=tokens[number] if tokens else None)
    return log.stamps(exact=True)


def figures(stamps: Stamps, usage: Usage | None = None, **about: object) -> Timing:
    """Of an answer that ended by its length, so without an end token, and with text enough for any count."""
    counted = usage or Usage(answer_tokens=stamps.chunks, source="server")
    ended = Answer("m", "done", text="so " * 999, reasoning="hm " * 999, finish_reason="length")
    return meter.timing(replace(ended, stamps=stamps, usage=counted, **about))


def every(step_s: float, count: int, chars: int = 5, start_s: float = 1.0) -> list[Chunk]:
    return [(start_s + step_s * number, chars) for number in range(count)]


THINKING = logged(10.0, (11.0, 4), (12.0, 5), (13.0, 5), (15.0, 10), thought=2)
moments = st.floats(0, 1e6, allow_nan=False)


def test_first_token_is_counted_from_sending_to_the_first_text_of_any_kind():
    assert figures(THINKING).ttft_s == 1.0


def test_first_answer_is_counted_from_sending_to_the_first_text_of_the_answer():
    assert figures(THINKING).ttfa_s == 3.0


def test_total_ends_with_the_last_text():
    assert figures(THINKING).total_s == 5.0


def test_characters_of_the_first_moment_do_not_count_in_the_rate():
    assert figures(THINKING).chars_per_s == (24 - 4) / 4.0
    one_read = logged(0.0, (1.0, 4), (1.0, 40), (2.0, 10), (3.0, 10))
    assert figures(one_read).chars_per_s == 20 / 2.0


def test_gaps_are_those_between_moments_at_which_text_came():
    assert figures(THINKING).chunk_gap_p50_s == 1.0  # gaps are 1, 1, 2
    assert figures(THINKING).chunk_gap_p95_s == pytest.approx(1.9)
    in_pairs = logged(0.0, *((float(number // 2), 5) for number in range(8)))
    assert figures(in_pairs).chunk_gap_p50_s == 1.0


def test_load_time_is_passed_on_and_is_part_of_no_latency():
    loaded = figures(THINKING, load_s=60.0)
    assert (loaded.load_s, loaded.ttft_s, loaded.total_s) == (60.0, 1.0, 5.0)


@pytest.mark.parametrize("stamps", [Stamps(), Stamps(sent_s=1.0), logged(None, (1.0, 4), (2.0, 4))])
def test_nothing_but_the_load_is_known_before_the_first_text(stamps: Stamps):
    assert figures(stamps, load_s=2.0) == Timing(load_s=2.0)


def test_first_answer_is_unknown_while_a_model_only_thinks():
    assert figures(logged(0.0, (1.0, 1), (2.0, 23), thought=2)).ttfa_s is None


def test_one_chunk_has_latencies_but_no_rate_and_no_gap():
    one = figures(logged(0.0, (1.0, 24)))
    assert one == Timing(ttft_s=1.0, ttfa_s=1.0, total_s=1.0, decode_reason=meter.SHORT)


# -- tokens a second --


def test_speed_is_all_tokens_but_the_first_over_the_span_where_each_has_its_stamp():
    found = figures(logged(0.0, *every(0.05, 41)))
    assert (found.decode_tokens_per_s, found.decode_reason) == (pytest.approx(20), "")


def test_a_short_answer_has_a_speed_where_each_token_has_its_stamp():
    assert figures(logged(0.0, *every(0.5, 3))).decode_tokens_per_s == pytest.approx(2)


def test_a_span_under_fifty_milliseconds_has_no_rate():
    short = figures(logged(0.0, (1.0, 1), (1.049, 23)))
    assert (short.decode_tokens_per_s, short.chars_per_s, short.decode_reason) == (None, None, meter.SHORT)
    long_enough = figures(logged(0.0, (1.0, 4), (1.0625, 20)))
    assert (long_enough.decode_tokens_per_s, long_enough.chars_per_s) == (1 / 0.0625, 20 / 0.0625)


def test_the_end_token_which_has_no_text_is_not_counted_into_the_span():
    stamps = logged(0.0, *every(0.05, 11))
    with_end = Usage(answer_tokens=12, source="server")
    assert figures(stamps, with_end, finish_reason="stop").decode_tokens_per_s == pytest.approx(20)
    uncounted = Usage(answer_tokens=11, source="server")
    assert figures(stamps, uncounted, finish_reason="stop").decode_tokens_per_s == pytest.approx(20)


def read_at_once(reads: int, a_read: int, spread_s: float = 0.0) -> Stamps:
    """So many reads, one a second, of so many chunks each; the chunks of a read so far apart, if at all."""
    return logged(0.0, *((1.0 + read + spread_s * place, 5) for read in range(reads) for place in range(a_read)))


@pytest.mark.parametrize("spread_s", [0.0, 20e-6, 200e-6, 0.001])
def test_chunks_that_come_at_once_or_nearly_so_share_a_moment(spread_s: float):
    stamps = read_at_once(reads=10, a_read=20, spread_s=spread_s)
    assert (stamps.moments, stamps.begun_chunks) == (10, 20)
    assert figures(stamps).decode_tokens_per_s == pytest.approx(20, rel=0.01)
    assert figures(stamps).chars_per_s == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize("spread_s", [0.0, 200e-6])
def test_few_bundles_give_no_speed_whatever_their_stamps(spread_s: float):
    found = figures(read_at_once(reads=2, a_read=20, spread_s=spread_s))
    assert (found.decode_tokens_per_s, found.decode_reason) == (None, meter.BUNDLED.format(moments=2))


def test_a_stream_that_is_really_fast_keeps_all_its_moments():
    stamps = logged(0.0, *every(0.0005, 400))
    assert stamps.moments == 400
    assert figures(stamps).decode_tokens_per_s == pytest.approx(2000)


def test_one_long_stall_does_not_make_one_moment_of_all_the_rest():
    chunks = every(0.01, 500) + every(0.01, 500, start_s=60.0)
    assert logged(0.0, *chunks).moments == 1000


def test_chunks_of_five_tokens_with_a_count_give_the_true_speed_from_eight_moments_on():
    bundled = Usage(answer_tokens=40, source="server")
    assert figures(logged(0.0, *every(0.25, 8, chars=22)), bundled).decode_tokens_per_s == pytest.approx(20)
    few = figures(logged(0.0, *every(0.25, 7, chars=22)), Usage(answer_tokens=35, source="server"))
    assert (few.decode_tokens_per_s, few.decode_reason) == (None, meter.BUNDLED.format(moments=7))


def test_a_first_bundle_of_another_size_is_weighed_by_its_text():
    one_then_tens = logged(0.0, (1.0, 4), *every(0.5, 10, chars=40, start_s=1.5))
    assert figures(one_then_tens, Usage(answer_tokens=101, source="server")).decode_tokens_per_s == pytest.approx(20)


def test_a_token_that_is_cut_into_many_chunks_counts_once():
    smoothed = logged(0.0, *every(0.01, 101, chars=1))
    assert figures(smoothed, Usage(answer_tokens=21, source="server")).decode_tokens_per_s == pytest.approx(
        21, rel=0.02
    )


def test_hidden_thinking_gives_no_speed_and_says_why():
    hidden = Usage(reasoning_tokens=512, answer_tokens=40, source="server")
    found = figures(logged(0.0, *every(0.05, 40)), hidden, reasoning="")
    assert (found.decode_tokens_per_s, found.decode_reason) == (None, meter.HIDDEN.format(thought=512))


def test_thinking_that_is_only_summed_up_gives_no_speed():
    summed_up = Usage(reasoning_tokens=900, answer_tokens=30, source="server")
    stamps = logged(0.0, *every(0.05, 40), thought=10)
    found = figures(stamps, summed_up, reasoning="It seems to be four.", text="so " * 30)
    assert (found.decode_tokens_per_s, found.decode_reason) == (None, meter.UNSEEN.format(tokens=930))


def test_more_tokens_than_the_text_has_give_no_speed_even_if_no_server_calls_them_thinking():
    found = figures(
        logged(0.0, *every(0.05, 40)), Usage(answer_tokens=552, source="server"), text="word " * 40, reasoning=""
    )
    assert (found.decode_tokens_per_s, found.decode_reason) == (None, meter.UNSEEN.format(tokens=552))


def test_thinking_that_is_shown_is_part_of_the_speed():
    shown = Usage(reasoning_tokens=21, answer_tokens=20, source="server")
    assert figures(logged(0.0, *every(0.05, 41), thought=21), shown).decode_tokens_per_s == pytest.approx(20)


def test_one_count_of_thinking_and_answer_together_is_enough_for_the_speed():
    together = Usage(undivided_tokens=41, source="server")
    assert figures(logged(0.0, *every(0.05, 41), thought=21), together).decode_tokens_per_s == pytest.approx(20)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("writing", meter.NOT_YET),
        ("done", meter.NOBODY_COUNTED),
        ("stopped", meter.CUT_OFF),
        ("failed", meter.CUT_OFF),
    ],
)
def test_chunks_are_never_taken_for_tokens(status: str, reason: str):
    found = figures(logged(0.0, *every(0.25, 8, chars=22)), Usage(prompt_tokens=5, source="server"), status=status)
    assert (found.decode_tokens_per_s, found.decode_reason) == (None, reason)
    assert found.chars_per_s == pytest.approx(88)


def test_counts_that_come_with_the_text_are_exact_however_it_is_bundled_and_whatever_was_hidden():
    """500 hidden tokens before the text, then bundles of 5, 1, 9, 5... in the time that each takes at 20 a second."""
    sizes = [5, 1, 9, 5, 5, 2, 8, 5, 5, 5]
    counts = list(itertools.accumulate(sizes, initial=500))[1:]
    chunks = [(count / 20, 3 * size) for size, count in zip(sizes, counts, strict=True)]
    for usage, status in ((Usage(), "writing"), (Usage(answer_tokens=551, source="server"), "done")):
        found = figures(logged(0.0, *chunks, tokens=counts), usage, status=status, reasoning="")
        assert found.decode_tokens_per_s == pytest.approx(20)


def test_a_count_that_only_comes_with_the_last_text_says_nothing_of_what_was_hidden():
    log = meter.StampLog(0.0)
    for at_s, chars in every(0.05, 39):
        log.add(at_s, chars)
    log.add(3.0, 5, tokens=552)
    hidden = Usage(reasoning_tokens=512, answer_tokens=40, source="server")
    found = figures(log.stamps(exact=True), hidden, reasoning="")
    assert (found.decode_tokens_per_s, found.decode_reason) == (None, meter.HIDDEN.format(thought=512))


@pytest.mark.parametrize("counts", [[1] * 40, list(range(0, 400, 10))], ids=["one each time", "ten times as many"])
def test_counts_with_the_text_that_the_count_of_all_contradicts_are_none(counts: list[int]):
    found = figures(logged(0.0, *every(0.05, 40), tokens=counts), Usage(answer_tokens=40, source="server"))
    assert found.decode_tokens_per_s == pytest.approx(20)


@pytest.mark.parametrize("tokens", [0, 1])
def test_fewer_than_two_tokens_have_no_speed(tokens: int):
    found = figures(logged(0.0, *every(0.5, 3)), Usage(answer_tokens=tokens, source="server"))
    assert (found.decode_tokens_per_s, found.decode_reason) == (None, meter.TOO_LITTLE)


def test_tokens_out_are_thinking_and_answer_together_and_unknown_when_neither_is_known():
    assert Usage(reasoning_tokens=3, answer_tokens=6).output_tokens == 9
    assert Usage(answer_tokens=6).output_tokens == 6
    assert Usage(undivided_tokens=6).output_tokens == 6
    assert Usage(prompt_tokens=6).output_tokens is None


def test_no_text_has_fewer_tokens_room_than_words_and_signs():
    assert meter.most_tokens("") == 0
    assert meter.most_tokens("The sea, at 12:45.") == 1 + 1 + 1 + 1 + 2 + 1 + 2 + 1
    assert meter.most_tokens("unbelievable  \n") == 3 + 1


sizes = st.lists(st.integers(1, 9), min_size=1, max_size=80)


@given(sizes, st.integers(1, 6), st.integers(0, 600), st.booleans(), st.sampled_from(["server", None]))
def test_a_stream_of_twenty_tokens_a_second_is_said_to_be_of_twenty_or_not_at_all(
    bundles: list[int], a_read: int, hidden: int, ends: bool, source: str | None
):
    """However tokens are bundled and reads put together, with thinking hidden before, an end token and no count."""
    counts = list(itertools.accumulate(bundles))
    reads = [counts[min(number - number % a_read + a_read - 1, len(counts) - 1)] for number in range(len(counts))]
    stamps = logged(0.0, *((1.0 + read / 20, 4 * size) for read, size in zip(reads, bundles, strict=True)))
    total = counts[-1] + ends
    usage = Usage(reasoning_tokens=hidden, answer_tokens=total, source="server") if source else Usage()
    text = "word " * counts[-1]
    about = {"text": text, "reasoning": "", "finish_reason": "stop" if ends else "length"}
    found = figures(stamps, usage, **about)
    if found.decode_tokens_per_s is None:
        assert found.decode_reason
    else:
        assert source
        assert not hidden
        assert found.decode_tokens_per_s == pytest.approx(20, rel=0.15)


# -- numbers --


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


def numbers(found: Timing) -> list[float]:
    return [
        value for value in (getattr(found, name) for name in Timing.__dataclass_fields__) if value not in (None, "")
    ]


@given(st.floats(0, 100), st.lists(chunks, max_size=20), st.integers(0, 20), counts, counts)
def test_no_figure_is_ever_negative(
    sent_s: float, gaps: list[tuple[float, int]], thought: int, reasoning: int | None, answer: int | None
):
    ends = itertools.accumulate((gap for gap, _ in gaps), initial=sent_s)
    stamps = logged(sent_s, *zip(list(ends)[1:], (chars for _, chars in gaps), strict=True), thought=thought)
    found = figures(stamps, Usage(None, reasoning, answer, source="server"))
    assert all(value >= 0 for value in numbers(replace(found, decode_reason="")))


@given(st.lists(moments, min_size=2, max_size=9), st.integers(2, 99))
def test_no_rate_is_negative_even_when_stamps_go_back(chunks_s: list[float], tokens: int):
    found = figures(logged(0.0, *((at_s, 1) for at_s in chunks_s)), Usage(answer_tokens=tokens, source="server"))
    assert all(rate is None or rate > 0 for rate in (found.decode_tokens_per_s, found.chars_per_s))


def test_live_gaps_of_a_long_answer_are_sorted_anew_now_and_then_and_at_the_end():
    log = meter.StampLog(0.0)
    sorted_at = []
    for number in range(10_000):
        log.add(number * number / 1000, 4)
        before = log.stamps(exact=False).gap_p50_s
        if not sorted_at or before != sorted_at[-1]:
            sorted_at.append(before)
    assert len(sorted_at) < 100
    chunks_s = [number * number / 1000 for number in range(10_000)]
    waits = [later - earlier for earlier, later in itertools.pairwise(chunks_s) if later - earlier > meter.NEAR_S]
    assert log.stamps(exact=True).gap_p50_s == pytest.approx(statistics.median(waits))
