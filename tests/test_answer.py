"""How one side's answer grows: every change, from asked to final."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.answer import Change, Failed, Held, Measured, Ready, Stopped, advance, overlap, timed
from playground.types import Answer, Delta, Finished, Loading, Memory, Sent, Stamps, Usage

COUNTED = Usage(prompt_tokens=9, reasoning_tokens=4, answer_tokens=8, source="server")


def after(*changes: Change) -> Answer:
    return reduce(advance, changes, Answer("m"))


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


def test_thinking_and_answer_are_kept_apart():
    said = after(Sent(0.0), Delta("hm", 1.0, reasoning=True))
    assert (said.status, said.reasoning, said.text) == ("thinking", "hm", "")
    said = reduce(advance, [Delta("m", 2.0, reasoning=True), Delta("fo", 3.0), Delta("ur", 4.0)], said)
    assert (said.status, said.reasoning, said.text) == ("writing", "hmm", "four")


def test_every_chunk_is_stamped_and_the_first_answer_text_once():
    said = after(Sent(1.0), Delta("hm", 2.0, reasoning=True), Delta("fo", 3.0), Delta("ur", 4.0))
    assert said.stamps == Stamps(sent_s=1.0, first_answer_s=3.0, chunks_s=(2.0, 3.0, 4.0), first_chars=2)


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
    final = after(Sent(0.0), Delta("four", 1.0), end)
    assert final.final
    assert advance(final, more) == final


@pytest.mark.parametrize("end", ENDS, ids=lambda change: type(change).__name__)
def test_a_final_answer_still_takes_its_memory_and_nothing_else_of_it_changes(end: Change):
    final = after(Sent(0.0), Delta("four", 1.0), end)
    memory = Memory(peak_bytes=5, method="counted")
    assert advance(final, Measured(memory)) == replace(final, memory=memory)


def test_asking_a_second_time_starts_the_answer_and_its_clock_anew():
    again = after(Sent(0.0), Delta("hm", 1.0, reasoning=True), Delta("fo", 2.0), Sent(10.0))
    assert (again.status, again.text, again.reasoning, again.stamps) == ("reading", "", "", Stamps(sent_s=10.0))
    assert timed(advance(again, Delta("four", 12.0))).timing.ttft_s == 2.0


def test_while_no_server_has_counted_one_chunk_counts_as_one_token():
    live = timed(after(Sent(0.0), Delta("a", 1.0), Delta("bc", 2.0), Delta("d", 3.0)))
    assert (live.usage.answer_tokens, live.usage.source) == (3, "estimate")
    assert live.timing.decode_tokens_per_s == (3 - 1) / 2.0
    assert live.timing.chars_per_s == (4 - 1) / 2.0


def test_estimated_tokens_of_thinking_are_not_counted_as_answer():
    live = timed(after(Sent(0.0), Delta("h", 1.0, reasoning=True), Delta("m", 2.0, reasoning=True), Delta("4", 3.0)))
    assert (live.usage.reasoning_tokens, live.usage.answer_tokens) == (2, 1)
    assert timed(after(Sent(0.0), Delta("h", 1.0, reasoning=True))).usage.reasoning_tokens == 1


def test_a_model_that_does_not_think_has_no_estimate_of_thinking():
    assert timed(after(Sent(0.0), Delta("4", 1.0))).usage.reasoning_tokens is None


@pytest.mark.parametrize("end", [Failed("no"), Stopped()])
def test_an_answer_cut_short_counts_every_chunk_that_came(end: Change):
    live = timed(after(Sent(0.0), Delta("a", 1.0)))
    ended = reduce(advance, [Delta("b", 2.0), Delta("c", 3.0), end], live)
    assert ended.usage.answer_tokens == 3


def test_nothing_is_estimated_before_the_first_text():
    assert timed(after(Sent(0.0))).usage == Usage()


def test_a_servers_count_is_never_replaced_by_an_estimate():
    done = after(Sent(0.0), Delta("a", 1.0), Finished("stop", COUNTED, 2.0))
    assert timed(done).usage == COUNTED


def test_a_server_that_does_not_count_leaves_the_estimate():
    done = after(Sent(0.0), Delta("a", 1.0), Delta("b", 2.0), Finished("stop", Usage(), 2.0))
    assert (done.usage.answer_tokens, done.usage.source) == (2, "estimate")


chunks = st.lists(st.tuples(st.text(min_size=1, max_size=5), st.floats(0, 1), st.booleans()), max_size=20)


@given(chunks)
def test_no_text_is_lost_or_moved(said: list[tuple[str, float, bool]]):
    grown = after(Sent(0.0), *(Delta(text, at_s, reasoning) for text, at_s, reasoning in said))
    assert grown.text == "".join(text for text, _, reasoning in said if not reasoning)
    assert grown.reasoning == "".join(text for text, _, reasoning in said if reasoning)
    assert grown.stamps.chunks_s == tuple(at_s for _, at_s, _ in said)


@pytest.mark.parametrize(
    ("left", "right", "overlapping"),
    [
        (Stamps(0.0, None, (1.0, 4.0)), Stamps(2.0, None, (3.0,)), True),
        (Stamps(2.0, None, (3.0,)), Stamps(0.0, None, (1.0, 4.0)), True),
        (Stamps(0.0, None, (1.0, 2.0)), Stamps(3.0, None, (4.0,)), False),
        (Stamps(3.0, None, (4.0,)), Stamps(0.0, None, (1.0, 2.0)), False),
        (Stamps(0.0), Stamps(5.0, None, (6.0,)), True),
        (Stamps(), Stamps(5.0, None, (6.0,)), False),
        (Stamps(0.0), Stamps(), False),
    ],
)
def test_two_sides_overlap_when_both_were_at_work_at_one_moment(left: Stamps, right: Stamps, overlapping: bool):
    assert overlap(left, right) is overlapping


def test_what_only_shows_when_a_model_is_ready_joins_what_was_known_before():
    before = Answer("m", notice="cannot see images, got the text only")
    assert advance(before, Ready(None, False)).notice == before.notice
    assert advance(before, Ready(None, False, "A base model")).notice == f"{before.notice}. A base model"
    assert advance(Answer("m"), Ready(None, False, "A base model")).notice == "A base model"
