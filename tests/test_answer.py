"""How one side's answer grows: every change, from asked to final."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground import meter
from playground.answer import AnswerState, Change, Contended, Failed, Held, Measured, Ready, Stopped, overlap, stopped
from playground.types import Answer, Busy, Delta, Finished, Loading, Memory, Noticed, Revised, Sent, Stamps, Usage

COUNTED = Usage(prompt_tokens=9, reasoning_tokens=4, answer_tokens=8, source="server")


def state(*changes: Change) -> AnswerState:
    grown = AnswerState(Answer("m"))
    for change in changes:
        grown.apply(change)
    return grown


def after(*changes: Change) -> Answer:
    return state(*changes).snapshot()


def test_a_new_answer_waits():
    assert (after().status, after().final) == ("waiting", False)


def test_loading_shows_how_far_the_model_is():
    loading = Loading("reading weights", 3, 10, "bytes")
    assert (after(loading).status, after(loading).loading) == ("loading", loading)


def test_a_side_that_waits_for_the_machine_says_so_and_is_not_loading():
    held = after(Held())
    assert held.status == "waiting"
    assert "waiting for the machine" in held.loading.stage


def test_a_ready_model_reads_the_prompt_and_keeps_its_load_time_and_coldness():
    ready = after(Loading("starting"), Ready(load_s=2.5, cold=True))
    assert (ready.status, ready.loading, ready.load_s, ready.cold) == ("reading", None, 2.5, True)


def test_an_answer_that_turns_out_to_be_thinking_is_moved_and_begins_anew():
    grown = state(Sent(0.0), Delta("2 plus ", 1.0), Delta("2.", 2.0), Revised("", "2 plus 2."))
    said = grown.snapshot()
    assert (said.status, said.text, said.reasoning, said.timing.ttfa_s) == ("thinking", "", "2 plus 2.", None)
    grown.apply(Delta("Four.", 3.0))
    said = grown.snapshot()
    assert (said.status, said.text, said.reasoning) == ("writing", "Four.", "2 plus 2.")
    assert (said.timing.ttft_s, said.timing.ttfa_s) == (1.0, 3.0)


def test_thinking_that_turns_out_to_be_the_answer_began_with_its_own_first_chunk():
    grown = state(Sent(0.0), Delta("a", 1.0, reasoning=True), Delta("b", 2.0, reasoning=True), Delta("c", 3.0, True))
    grown.apply(Revised("bc", "a", first_answer_s=2.0))
    said = grown.snapshot()
    assert (said.status, said.text, said.reasoning) == ("writing", "bc", "a")
    assert said.timing.ttfa_s == 2.0


def test_facts_about_an_answer_are_told_one_after_the_other():
    assert after(Ready(None, False, "one"), Sent(0.0), Noticed("two"), Delta("a", 1.0)).notice == "one. two"


def test_thinking_and_answer_are_kept_apart():
    grown = state(Sent(0.0), Delta("hm", 1.0, reasoning=True))
    said = grown.snapshot()
    assert (said.status, said.reasoning, said.text) == ("thinking", "hm", "")
    for delta in (Delta("m", 2.0, reasoning=True), Delta("fo", 3.0), Delta("ur", 4.0)):
        grown.apply(delta)
    said = grown.snapshot()
    assert (said.status, said.reasoning, said.text) == ("writing", "hmm", "four")


def test_every_chunk_is_stamped_and_the_first_answer_text_once():
    said = after(Sent(1.0), Delta("hm", 2.0, reasoning=True), Delta("fo", 3.0), Delta("ur", 4.0))
    assert said.stamps == Stamps(
        sent_s=1.0,
        first_s=2.0,
        first_answer_s=3.0,
        last_s=4.0,
        chunks=3,
        chars=6,
        moments=3,
        begun_s=2.0,
        begun_chunks=1,
        begun_chars=2,
        gap_p50_s=1.0,
        gap_p95_s=1.0,
    )


def test_finishing_keeps_the_reason_the_counts_and_the_servers_own_figures():
    done = after(Sent(0.0), Delta("a", 1.0), Delta("b", 2.0), Finished("length", COUNTED, 2.1, {"prompt_ms": 3.0}))
    assert (done.status, done.finish_reason, done.usage, done.server) == ("done", "length", COUNTED, {"prompt_ms": 3.0})


def test_failing_keeps_the_text_that_came_and_its_figures():
    failed = after(Sent(0.0), Delta("fo", 1.0), Delta("ur", 2.0), Failed("It broke. Try again."))
    assert (failed.status, failed.text, failed.finish_reason) == ("failed", "four", "error")
    assert failed.error == "It broke. Try again."
    assert failed.timing.total_s == 2.0


def test_an_error_never_becomes_answer_text():
    assert after(Sent(0.0), Failed("It broke.")).text == ""


def test_stopping_keeps_the_text_that_came_and_its_figures():
    stopped = after(Sent(0.0), Delta("fo", 1.0), Delta("ur", 2.0), Stopped())
    assert (stopped.status, stopped.text, stopped.finish_reason, stopped.error) == ("stopped", "four", "stopped", "")
    assert stopped.timing.total_s == 2.0


@pytest.mark.parametrize("end", [Failed("no"), Stopped()])
def test_a_side_that_ends_while_loading_no_longer_loads(end: Change):
    assert after(Loading("starting"), end).loading is None


ENDS = [Finished("stop", COUNTED, 9.0), Failed("no"), Stopped()]
MORE = [Sent(9.0), Busy(503, 1.0), Delta("x", 9.0), *ENDS, Loading("again"), Held(), Ready(1.0, cold=True)]


@pytest.mark.parametrize("end", ENDS, ids=lambda change: type(change).__name__)
@pytest.mark.parametrize("more", MORE, ids=lambda change: type(change).__name__)
def test_a_final_answer_takes_nothing_more(end: Change, more: Change):
    grown = state(Sent(0.0), Delta("four", 1.0), end)
    final = grown.snapshot()
    assert final.final
    grown.apply(more)
    assert grown.snapshot() is final


@pytest.mark.parametrize("end", ENDS, ids=lambda change: type(change).__name__)
def test_a_final_answer_still_takes_its_memory_and_nothing_else_of_it_changes(end: Change):
    grown = state(Sent(0.0), Delta("four", 1.0), end)
    final = grown.snapshot()
    memory = Memory(peak_bytes=5, method="counted")
    grown.apply(Measured(memory))
    assert grown.snapshot() == replace(final, memory=memory)
    grown.apply(Contended())
    assert grown.snapshot() == replace(final, memory=memory, contended=True)


def test_asking_a_second_time_starts_the_answer_and_its_clock_anew():
    grown = state(Sent(0.0), Delta("hm", 1.0, reasoning=True), Delta("fo", 2.0), Sent(10.0))
    again = grown.snapshot()
    assert (again.status, again.text, again.reasoning, again.stamps) == ("reading", "", "", Stamps(sent_s=10.0))
    grown.apply(Delta("four", 12.0))
    assert grown.snapshot().timing.ttft_s == 2.0


def test_while_no_server_has_counted_nothing_is_said_of_tokens_and_characters_are_live():
    live = after(Sent(0.0), Delta("a", 1.0), Delta("bc", 2.0), Delta("d", 3.0))
    assert live.usage == Usage()
    assert (live.timing.decode_tokens_per_s, live.timing.decode_reason) == (None, meter.NOT_YET)
    assert live.timing.chars_per_s == (4 - 1) / 2.0


@pytest.mark.parametrize("end", [Failed("no"), Stopped()])
def test_an_answer_cut_short_has_no_count_where_nobody_counted(end: Change):
    cut = after(Sent(0.0), Delta("a", 1.0), Delta("b", 2.0), end)
    assert cut.usage == Usage()
    assert (cut.timing.decode_tokens_per_s, cut.timing.decode_reason) == (None, meter.CUT_OFF)


def counting(*changes: Change) -> tuple[AnswerState, list[str]]:
    """A state whose model's tokenizer makes a token of each letter, looked at after each change, and its texts."""
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return len(text)

    grown = AnswerState(Answer("m"), count)
    for change in changes:
        grown.apply(change)
        grown.snapshot()
    return grown, counted


TEN = [Delta("ab", 1.0 + number) for number in range(10)]


@pytest.mark.parametrize(
    "end", [Failed("no"), Stopped(), Finished("stop", Usage(prompt_tokens=9, source="server"), 11)]
)
def test_where_no_server_counted_the_models_own_tokenizer_does(end: Change):
    ended = counting(Sent(0.0), Delta("hm", 0.5, reasoning=True), *TEN, end)[0].snapshot()
    assert (ended.usage.reasoning_tokens, ended.usage.answer_tokens, ended.usage.source) == (2, 20, "tokenizer")
    assert ended.timing.decode_tokens_per_s == pytest.approx(20 / 9.5)


def test_a_tokenizer_gives_a_live_speed_but_no_count_that_is_older_than_the_text():
    grown, _ = counting(Sent(0.0), *TEN)
    live = grown.snapshot()
    assert (live.usage.output_tokens, live.stamps.counted_by) == (None, "tokenizer")
    assert live.timing.decode_tokens_per_s == pytest.approx(2)


def test_a_tokenizer_counts_a_long_answer_now_and_then_and_at_its_end():
    long = [Delta("a", float(number)) for number in range(1, 2001)]
    grown, counted = counting(Sent(0.0), *long)
    assert len(counted) < 50
    before = len(counted)
    grown.apply(Finished("length", Usage(answer_tokens=2000, source="server"), 2001.0))
    grown.apply(Measured(Memory()))
    assert len(counted) == before + 1


def test_a_tokenizer_knows_how_much_of_a_servers_count_came_with_the_text():
    hidden = Finished("stop", Usage(reasoning_tokens=500, answer_tokens=21, source="server"), 11.0)
    ended = counting(Sent(0.0), *TEN, hidden)[0].snapshot()
    assert (ended.usage.output_tokens, ended.usage.source) == (521, "server")
    assert ended.timing.decode_tokens_per_s == pytest.approx(2)


def test_counts_that_come_with_the_text_are_live_and_stay_when_it_is_cut_short():
    words = [Delta("word ", 1.0 + number, tokens=100 + 3 * number) for number in range(10)]
    grown = state(Sent(0.0), *words)
    live = grown.snapshot()
    assert (live.usage.output_tokens, live.usage.source) == (127, "server")
    assert live.timing.decode_tokens_per_s == pytest.approx(3)
    grown.apply(Stopped())
    cut = grown.snapshot()
    assert (cut.usage.undivided_tokens, cut.timing.decode_tokens_per_s) == (127, pytest.approx(3))


def test_text_after_the_last_count_makes_the_count_unknown_and_not_the_speed():
    words = [Delta("word ", 1.0 + number, tokens=3 * number) for number in range(10)]
    live = after(Sent(0.0), *words, Delta("more", 11.0))
    assert live.usage.output_tokens is None
    assert live.timing.decode_tokens_per_s == pytest.approx(3)


def test_blank_text_is_a_first_token_and_no_answer_that_shows():
    blank = after(Sent(0.0), Delta("\n\n", 1.0))
    assert (blank.timing.ttft_s, blank.timing.ttfa_s) == (1.0, None)
    shown = after(Sent(0.0), Delta("\n\n", 1.0), Delta("four", 2.0))
    assert (shown.timing.ttft_s, shown.timing.ttfa_s) == (1.0, 2.0)


def test_a_busy_server_is_told_while_it_is_waited_for_and_afterwards():
    grown = state(Ready(None, None, "a fact"), Sent(0.0), Busy(503, 2.0))
    waiting = grown.snapshot()
    assert (waiting.status, waiting.loading.stage) == ("waiting", "its server is busy (503): asking again in 2 s")
    assert waiting.stamps.sent_s is None  # meanwhile it works on nothing
    grown.apply(Sent(2.0))
    again = grown.snapshot()
    told = "a fact. its server was busy (503) and was asked again after 2 s; times count from then"
    assert (again.status, again.loading, again.notice) == ("reading", None, told)
    grown.apply(Delta("four", 2.5))
    grown.apply(Finished("stop", COUNTED, 2.6))
    assert (grown.snapshot().timing.ttft_s, grown.snapshot().notice) == (0.5, told)


@pytest.mark.parametrize(("wait_s", "words"), [(0.0, "at once"), (0.3, "after 0.3 s"), (25.4, "after 25 s")])
def test_a_wait_is_told_in_seconds(wait_s: float, words: str):
    assert f"asked again {words};" in after(Sent(0.0), Busy(429, wait_s), Sent(1.0)).notice


@pytest.mark.parametrize("end", [Failed("no"), Stopped()])
def test_a_side_that_ends_while_its_server_is_busy_waits_no_longer(end: Change):
    ended = after(Sent(0.0), Busy(503, 2.0), end)
    assert (ended.loading, ended.timing.ttft_s) == (None, None)


def test_what_nobody_can_know_of_coldness_stays_unknown():
    assert after().cold is None
    assert after(Ready(None, None)).cold is None


def test_nothing_is_counted_before_the_first_text():
    assert counting(Sent(0.0))[0].snapshot().usage == Usage()


def test_a_servers_count_is_never_replaced_by_an_estimate():
    assert after(Sent(0.0), Delta("a", 1.0), Finished("stop", COUNTED, 2.0)).usage == COUNTED


def test_a_server_that_does_not_count_leaves_no_count():
    done = after(Sent(0.0), Delta("a", 1.0), Delta("b", 2.0), Finished("stop", Usage(), 2.0))
    assert done.usage == Usage()
    assert (done.timing.decode_tokens_per_s, done.timing.decode_reason) == (None, meter.NOBODY_COUNTED)


chunks = st.lists(st.tuples(st.text(min_size=1, max_size=5), st.floats(0, 1), st.booleans()), max_size=20)


@given(chunks)
def test_no_text_is_lost_or_moved(said: list[tuple[str, float, bool]]):
    grown = after(Sent(0.0), *(Delta(text, at_s, reasoning) for text, at_s, reasoning in said))
    assert grown.text == "".join(text for text, _, reasoning in said if not reasoning)
    assert grown.reasoning == "".join(text for text, _, reasoning in said if reasoning)
    assert grown.stamps.chunks == len(said)
    assert grown.stamps.chars == len(grown.text) + len(grown.reasoning)


@given(chunks, st.sets(st.integers(0, 20)))
def test_looking_at_an_answer_changes_nothing_of_what_becomes_of_it(
    said: list[tuple[str, float, bool]], looks: set[int]
):
    watched, alone = state(Sent(0.0)), state(Sent(0.0))
    for number, (text, at_s, reasoning) in enumerate(said):
        for grown in (watched, alone):
            grown.apply(Delta(text, at_s, reasoning))
        if number in looks:
            watched.snapshot()
    for grown in (watched, alone):
        grown.apply(Finished("stop", COUNTED, 2.0))
    assert watched.snapshot() == alone.snapshot()


def test_a_snapshot_is_the_same_object_until_something_changes():
    grown = state(Sent(0.0), Delta("fo", 1.0))
    before = grown.snapshot()
    assert grown.snapshot() is before
    grown.apply(Delta("ur", 2.0))
    assert (before.text, grown.snapshot().text) == ("fo", "four")
    grown.apply(Contended())
    contended = grown.snapshot()
    grown.apply(Contended())
    assert grown.snapshot() is contended


def test_an_answer_that_nobody_follows_any_more_is_stopped_with_the_figures_it_has():
    live = after(Loading("starting"), Sent(0.0), Delta("fo", 1.0), Delta("ur", 2.0))
    assert stopped(live) == after(Loading("starting"), Sent(0.0), Delta("fo", 1.0), Delta("ur", 2.0), Stopped())
    assert stopped(stopped(live)) == stopped(live)


def cost_of_chunks(before: int, chunks: int = 64, looks: int = 4) -> int:
    """Lines of our own that run for so many chunks, with a look now and then, after so many others."""
    grown = state(Sent(0.0), *(Delta("four", float(at_s)) for at_s in range(before)))
    grown.snapshot()
    lines = 0

    def count(frame: FrameType, event: str, arg: object) -> Callable[..., Any]:
        nonlocal lines
        lines += event == "line"
        return count

    sys.settrace(count)
    try:
        for number in range(chunks):
            grown.apply(Delta("four", float(before + number)))
            if number % (chunks // looks) == 0:
                grown.snapshot()
    finally:
        sys.settrace(None)
    return lines


def test_a_chunk_costs_as_much_after_many_as_after_few():
    few, many = cost_of_chunks(before=100), cost_of_chunks(before=20_000)
    assert many <= few


def test_a_chunk_allocates_as_much_after_many_as_after_few():
    def allocated(before: int) -> int:
        grown = state(Sent(0.0), *(Delta("four", float(at_s)) for at_s in range(before)))
        grown.snapshot()
        delta = Delta("four", float(before))
        grown.apply(delta)  # makes room for more at once
        tracemalloc.start()
        try:
            for _ in range(8):
                grown.apply(delta)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert min(allocated(before) for before in (20_000, 30_000, 40_000)) < 4_000  # room is made now and then


def worked(sent_s: float | None, last_s: float | None = None) -> Stamps:
    return Stamps(sent_s=sent_s, first_s=last_s, last_s=last_s)


@pytest.mark.parametrize(
    ("left", "right", "overlapping"),
    [
        (worked(0.0, 4.0), worked(2.0, 3.0), True),
        (worked(2.0, 3.0), worked(0.0, 4.0), True),
        (worked(0.0, 2.0), worked(3.0, 4.0), False),
        (worked(3.0, 4.0), worked(0.0, 2.0), False),
        (worked(0.0), worked(5.0, 6.0), True),
        (worked(None), worked(5.0, 6.0), False),
        (worked(0.0), worked(None), False),
    ],
)
def test_two_sides_overlap_when_both_were_at_work_at_one_moment(left: Stamps, right: Stamps, overlapping: bool):
    assert overlap(left, right) is overlapping


def test_what_only_shows_when_a_model_is_ready_joins_what_was_known_before():
    def told(notice: str, change: Ready) -> str:
        grown = AnswerState(Answer("m", notice=notice))
        grown.apply(change)
        return grown.snapshot().notice

    before = "cannot see images, got the text only"
    assert told(before, Ready(None, False)) == before
    assert told(before, Ready(None, False, "A base model")) == f"{before}. A base model"
    assert told("", Ready(None, False, "A base model")) == "A base model"
