"""What is true of token counts: what is consistent with the sums and the text is believed, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.engines.usage import Counts, Seen
from playground.types import Usage

THOUGHT = Seen(thought_chars=1000, answer_chars=120, answer_bytes=120)
PLAIN = Seen(answer_chars=120, answer_bytes=120)


def usage(seen: Seen, *chunks: dict[str, object]) -> Usage:
    counts = Counts()
    for chunk in chunks:
        counts.read(chunk, {})
    return counts.usage(seen)


def used(prompt: object, output: object, total: object = None, thought: object = None) -> dict[str, object]:
    found: dict[str, object] = {"prompt_tokens": prompt, "completion_tokens": output}
    found |= {} if total is None else {"total_tokens": total}
    return {"usage": found | ({} if thought is None else {"completion_tokens_details": {"reasoning_tokens": thought}})}


# --- what the count is of --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunk", "thought", "answer"),
    [
        (used(10, 330, 340, 300), 300, 30),  # with the tokens of thinking
        (used(10, 330, None, 300), 300, 30),
        (used(10, 40, 350, 300), 300, 40),  # without them
        (used(10, 40, None, 300), 300, 40),
        (used(10, 300, 340, 300), 300, 30),  # instead: the count is of thinking
        (used(10, 0, 340, 300), 300, 30),
        (used(10, None, 340, 300), 300, 30),
        (used(10, 30, 340), 300, 30),  # thinking is in the total only
    ],
)
def test_total_tokens_tell_what_the_count_is_of_and_else_the_text_does(
    chunk: dict[str, object], thought: int, answer: int
) -> None:
    assert usage(THOUGHT, chunk) == Usage(10, thought, answer, None, "server")


@pytest.mark.parametrize(
    "chunk",
    [
        used(10, 330, 999, 300),  # fits no sum
        used(10, 330, 12, 300),
        used(10, 2, None, 1),  # a thousand characters in one token
        used(10, "330", None, [300]),
        used(10, float("inf")),
        used(10, 1e30, 1e30),
        used(10, -5),
        used(10, True),
    ],
)
def test_what_fits_neither_the_sums_nor_the_text_is_unknown(chunk: dict[str, object]) -> None:
    assert usage(THOUGHT, chunk) == Usage(10, None, None, None, "server")


@pytest.mark.parametrize("chunk", [used(10, 280, 290), used(10, 280), used(10, 280, None, 0), used(10, 280, 290, 280)])
def test_counts_that_do_not_part_thinking_from_answer_as_the_text_does_stay_undivided(chunk: dict[str, object]) -> None:
    assert usage(THOUGHT, chunk) == Usage(10, None, None, None, "server", undivided_tokens=280)


def test_hidden_thinking_that_nothing_tells_of_makes_no_count_of_the_answer() -> None:
    short = Seen(answer_chars=2, answer_bytes=2)
    assert usage(short, used(10, 900)) == Usage(10, None, None, None, "server", undivided_tokens=900)
    assert usage(short, used(10, 900, 910, 890)) == Usage(10, 890, 10, None, "server")


# --- zeros -----------------------------------------------------------------------------------------------------------


def test_zeros_are_no_counts() -> None:
    assert usage(PLAIN, used(0, 0, 0)) == Usage()
    assert usage(PLAIN, used(10, 0, 10)) == Usage(10, None, None, None, "server")
    assert usage(PLAIN, used(0, 30)) == Usage(None, 0, 30, None, "server")


def test_zeros_after_good_counts_do_not_replace_them() -> None:
    details = {"prompt_tokens": 0, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 0}}
    good = used(10, 30, 40)
    good["usage"]["prompt_tokens_details"] = {"cached_tokens": 8}  # type: ignore[index]
    for last in (used(0, 0, 0), {"usage": details}, {"usage": {}}, {"usage": None}, {"usage": "none"}):
        assert usage(PLAIN, good, last) == Usage(10, 0, 30, 8, "server")


def test_counts_that_grow_with_each_chunk_are_taken_from_the_last_one_and_counts_of_each_chunk_are_not_believed() -> (
    None
):
    assert usage(PLAIN, *(used(10, n, 10 + n) for n in range(31))) == Usage(10, 0, 30, None, "server")
    assert usage(PLAIN, *(used(10, 1, 11) for _ in range(30))) == Usage(10, None, None, None, "server")


def test_counts_may_come_apart() -> None:
    begun, ended = {"usage": {"input_tokens": 10, "output_tokens": 1}}, {"usage": {"output_tokens": 30}}
    assert usage(PLAIN, begun, ended) == Usage(10, 0, 30, None, "server")


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "chunk",
    [
        {"usage": {"prompt_tokens": 10, "completion_tokens": 30}},
        {"usage": {"input_tokens": 10, "output_tokens": 30, "total_tokens": 40}},
        {"x_groq": {"id": "x", "usage": {"prompt_tokens": 10, "completion_tokens": 30, "total_tokens": 40}}},
        {"usage": {"prompt_tokens": 10.0, "completion_tokens": 30.0}},
        {"usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 30, "totalTokenCount": 40}},
        {"timings": {"prompt_n": 10, "predicted_n": 30, "predicted_ms": 900.0}},
    ],
)
def test_counts_have_many_names(chunk: dict[str, object]) -> None:
    assert usage(PLAIN, chunk) == Usage(10, 0, 30, None, "server")


def test_a_choice_may_hold_them() -> None:
    counts = Counts()
    counts.read({}, used(10, 30))
    assert counts.usage(PLAIN) == Usage(10, 0, 30, None, "server")


@pytest.mark.parametrize(
    "more",
    [
        {"completion_tokens_details": {"reasoning_tokens": 300}},
        {"output_tokens_details": {"reasoning_tokens": 300}},
        {"reasoning_tokens": 300},
    ],
)
def test_tokens_of_thinking_have_many_places(more: dict[str, object]) -> None:
    assert usage(THOUGHT, {"usage": {"input_tokens": 10, "output_tokens": 330, **more}}).reasoning_tokens == 300


@pytest.mark.parametrize(
    ("chunk", "prompt"),
    [
        ({"usage": {"prompt_tokens": 10, "completion_tokens": 30, "prompt_tokens_details": {"cached_tokens": 8}}}, 10),
        ({"usage": {"prompt_tokens": 10, "completion_tokens": 30, "prompt_cache_hit_tokens": 8}}, 10),
        ({"usage": {"input_tokens": 2, "output_tokens": 30, "cache_read_input_tokens": 8, "total_tokens": 40}}, 10),
        ({"timings": {"prompt_n": 2, "cache_n": 8, "predicted_n": 30}}, 10),
        ({"usage": {"prompt_tokens": 10, "completion_tokens": 30}, "timings": {"cache_n": 8, "prompt_n": 2}}, 10),
    ],
)
def test_tokens_from_a_prefix_cache_are_part_of_the_prompt(chunk: dict[str, object], prompt: int) -> None:
    assert usage(PLAIN, chunk) == Usage(prompt, 0, 30, 8, "server")


NUMBERS = st.none() | st.integers(-3, 400) | st.floats() | st.booleans() | st.text(max_size=2) | st.just(10**400)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.sampled_from([THOUGHT, PLAIN, Seen()]))
def test_what_is_called_the_servers_count_adds_up(p: object, o: object, total: object, t: object, seen: Seen) -> None:
    found = usage(seen, used(p, o, total, t))
    assert found.prompt_tokens is None or found.prompt_tokens > 0
    thought, answer = found.reasoning_tokens, found.answer_tokens
    assert (thought is None) is (answer is None)
    assert found.undivided_tokens in (None, o)
    if thought is not None and answer is not None:
        assert (answer > 0) >= (seen.answer_chars > 0)
        assert (thought > 0) >= (seen.thought_chars > 0)
        sums = {answer, thought + answer, thought}
        assert o in sums or (isinstance(total, int) and isinstance(p, int) and total - p in sums)
