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

from playground.answer import AnswerState, Change, Contended, Failed, Held, Measured, Ready, Stopped, overlap, stopped
from playground.types import Answer, Delta, Finished, Loading, Memory, Noticed, Revised, Sent, Stamps, Usage

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
    assert (said.timing.ttft_s, said.timing.ttfa_s, said.stamps.thought_chunks) == (1.0, 3.0, 2)


def test_thinking_that_turns_out_to_be_the_answer_began_with_its_own_first_chunk():
    grown = state(Sent(0.0), Delta("a", 1.0, reasoning=True), Delta("b", 2.0, reasoning=True), Delta("c", 3.0, True))
    grown.apply(Revised("bc", "a", first_answer_s=2.0))
    said = grown.snapshot()
    assert (said.status, said.text, said.reasoning) == ("writing", "bc", "a")
    assert (said.timing.ttfa_s, said.stamps.thought_chunks) == (2.0, 1)


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
        thought_chunks=1,
        chars=6,
        first_chars=2,
        gap_p50_s=1.0,
        gap_p95_s=1.0,
    )


def test_finishing_keeps_the_reason_the_counts_and_the_servers_own_figures():
    done = after(Sent(0.0), Delta("a", 1.0), Delta("b", 2.0), Finished("length", COUNTED, 2.1, {"prompt_ms": 3.0}))
    assert (done.status, done.finish_reason, done.usage, done.server) == ("done", "length", COUNTED, {"prompt_ms": 3.0})
    assert done.timing.decode_tokens_per_s == (12 - 1) / 1.0


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
MORE = [Sent(9.0), Delta("x", 9.0), *ENDS, Loading("again"), Held(), Ready(1.0, cold=True)]


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


def test_while_no_server_has_counted_one_chunk_counts_as_one_token():
    live = after(Sent(0.0), Delta("a", 1.0), Delta("bc", 2.0), Delta("d", 3.0))
    assert (live.usage.answer_tokens, live.usage.source) == (3, "estimate")
    assert live.timing.decode_tokens_per_s == (3 - 1) / 2.0
    assert live.timing.chars_per_s == (4 - 1) / 2.0


def test_estimated_tokens_of_thinking_are_not_counted_as_answer():
    live = after(Sent(0.0), Delta("h", 1.0, reasoning=True), Delta("m", 2.0, reasoning=True), Delta("4", 3.0))
    assert (live.usage.reasoning_tokens, live.usage.answer_tokens) == (2, 1)
    assert after(Sent(0.0), Delta("h", 1.0, reasoning=True)).usage.reasoning_tokens == 1


def test_a_model_that_does_not_think_has_no_estimate_of_thinking():
    assert after(Sent(0.0), Delta("4", 1.0)).usage.reasoning_tokens is None


@pytest.mark.parametrize("end", [Failed("no"), Stopped()])
def test_an_answer_cut_short_counts_every_chunk_that_came(end: Change):
    grown = state(Sent(0.0), Delta("a", 1.0))
    grown.snapshot()
    for change in (Delta("b", 2.0), Delta("c", 3.0), end):
        grown.apply(change)
    assert grown.snapshot().usage.answer_tokens == 3


def test_nothing_is_estimated_before_the_first_text():
    assert after(Sent(0.0)).usage == Usage()


def test_a_servers_count_is_never_replaced_by_an_estimate():
    assert after(Sent(0.0), Delta("a", 1.0), Finished("stop", COUNTED, 2.0)).usage == COUNTED


def test_a_server_that_does_not_count_leaves_the_estimate():
    done = after(Sent(0.0), Delta("a", 1.0), Delta("b", 2.0), Finished("stop", Usage(), 2.0))
    assert (done.usage.answer_tokens, done.usage.source) == (2, "estimate")


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
