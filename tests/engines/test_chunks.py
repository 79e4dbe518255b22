"""What is true of the chunks of an answer: bytes to events, thinking apart from answer, tokens and who counted them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.engines.chunks import Chunks, ErrorInside, NotJson
from playground.engines.sse import Events, OversizeError
from playground.engines.thinking import ThinkSplitter
from playground.types import Delta, Event, Finished, Usage
from tests.badserver import DONE, STOP, event, text

VALID = (
    b": ping\r\n\r\n"
    + event(text("Gr\u00fc\u00dfe \U0001f600")).replace(b"\n", b"\r\n")
    + event({"choices": [{"delta": {"reasoning": "Hm"}}]}).replace(b"\n", b"\r")
    + b'event: x\nid: 1\ndata: {"choices":\ndata:[{"delta": {"content": "two lines"}}]}\n\n'
    + event('{"choices": [{"delta": {"content": "\u4e16\u754c"}}]}'.encode())
    + STOP
    + event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 9}})
    + DONE
)


def read(*parts: bytes, opened: bool = False) -> list[Event]:
    events, chunks, found = Events(), Chunks(opened), []
    data = [data for part in parts for data in events.feed(part)] + events.end()
    for each in data:
        found += chunks.read(each, 1.0)
    return [*found, *chunks.finish()]


def chunk(**delta: object) -> bytes:
    return event({"choices": [{"delta": delta}]})


def ending(*parts: bytes) -> Finished:
    last = read(*parts, STOP)[-1]
    assert isinstance(last, Finished)
    return last


def pieces(found: list[Event]) -> list[tuple[str, bool]]:
    return [(event.text, event.reasoning) for event in found if isinstance(event, Delta)]


# --- bytes -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, len(VALID)), max_size=40))
def test_any_split_of_the_bytes_gives_the_same_events(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(VALID)]
    assert read(*(VALID[a:b] for a, b in pairwise(edges))) == read(VALID)


def test_one_byte_at_a_time_gives_the_same_events() -> None:
    assert read(*(bytes([byte]) for byte in VALID)) == read(VALID)
    expected = [("Gr\u00fc\u00dfe \U0001f600", False), ("Hm", True), ("two lines", False), ("\u4e16\u754c", False)]
    assert pieces(read(VALID)) == expected


@given(st.binary(max_size=300))
def test_no_bytes_at_all_can_crash_the_cutting(data: bytes) -> None:
    events = Events()
    assert all(isinstance(found, str) for found in events.feed(data) + events.end())


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "choices",
                        "delta",
                        "content",
                        "reasoning",
                        "usage",
                        "timings",
                        "finish_reason",
                        "completion_tokens",
                        "prompt_tokens_details",
                        "cached_tokens",
                        "message",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_json_at_all_can_crash_the_reading(value: object) -> None:
    read(event(value))


def test_a_byte_order_mark_and_a_missing_last_empty_line_are_no_matter() -> None:
    assert pieces(read(b"\xef\xbb\xbf" + event(text("a")) + event(text("b")).rstrip())) == [("a", False), ("b", False)]


def test_events_without_the_empty_line_between_them_are_read() -> None:
    joined = event(text("a")).rstrip() + b"\n" + event(text("b")) + STOP
    assert pieces(read(joined)) == [("a", False), ("b", False)]


def test_an_event_larger_than_the_limit_is_an_error() -> None:
    events = Events(max_bytes=10)
    events.feed(b"data: 123")
    with pytest.raises(OversizeError):
        events.feed(b"456789")
    with pytest.raises(OversizeError):
        Events(max_bytes=10).feed(b"data:\n" * 20)


def test_an_error_and_what_is_not_json_are_told_apart() -> None:
    with pytest.raises(ErrorInside, match="too hot"):
        read(event({"error": {"message": "too hot", "code": 500}}))
    with pytest.raises(NotJson, match="Hello"):
        read(event(b"Hello"))
    assert read(event({"error": None, **text("a")}))


# --- thinking --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_thinking_that_the_server_parts_is_reasoning(field: str) -> None:
    found = pieces(read(chunk(**{field: "Hm"}, content=None), chunk(content="<think>is a tag"), STOP))
    assert found == [("Hm", True), ("<think>is a tag", False)]


def split(*parts: str, opened: bool = False) -> tuple[str, str]:
    splitter = ThinkSplitter(opened)
    found = [piece for part in parts for piece in splitter.feed(part)] + splitter.end()
    assert all(text for text, _ in found)
    return "".join(t for t, thought in found if thought), "".join(t for t, thought in found if not thought)


@pytest.mark.parametrize(
    ("whole", "opened", "thought", "answer"),
    [
        ("<think>Hm</think>\n\nHi", False, "Hm", "Hi"),
        ("\n<think>\nHm</think>Hi", False, "Hm", "Hi"),
        ("<think>\n\n</think>\n\nHi", False, "", "Hi"),
        ("Hm</think>\n\nHi", True, "Hm", "Hi"),
        ("<think>Hm</think>Hi", True, "Hm", "Hi"),
        ("cut off </thi", True, "cut off </thi", ""),
        ("Hm</think>Hi", False, "", "Hm</think>Hi"),
        ("The tag <think>", False, "", "The tag <think>"),
        ("<think>Hm < a </think> b </think>", False, "Hm < a ", "b </think>"),
        ("  plain", False, "", "  plain"),
        ("<thi", False, "", "<thi"),
    ],
)
def test_tags_part_thinking_from_answer(whole: str, opened: bool, thought: str, answer: str) -> None:
    assert split(whole, opened=opened) == (thought, answer)
    assert split(*whole, opened=opened) == (thought, answer)


@given(st.lists(st.sampled_from(["<think>", "</think>", "<", "/", "think>", " ", "\n", "word", "<thi"])), st.booleans())
def test_any_split_of_the_text_parts_it_alike(parts: list[str], opened: bool) -> None:
    assert split(*parts, opened=opened) == split("".join(parts), opened=opened)


# --- tokens ----------------------------------------------------------------------------------------------------------


def used(completion: int, **details: object) -> bytes:
    return event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": completion, **details}})


def test_usage_comes_in_the_last_choice_or_in_a_chunk_without_choices() -> None:
    in_last = event(text("", finish_reason="stop") | {"usage": {"prompt_tokens": 7, "completion_tokens": 5}})
    expected = Usage(7, 0, 5, None, "server")
    assert ending(chunk(content="a"), in_last).usage == expected
    assert ending(chunk(content="a"), STOP, used(5)).usage == expected


def test_the_servers_own_parting_of_tokens_is_used() -> None:
    details = {"completion_tokens_details": {"reasoning_tokens": 4}, "prompt_tokens_details": {"cached_tokens": 6}}
    assert ending(chunk(reasoning="Hm"), used(10, **details)).usage == Usage(7, 4, 6, 6, "server")
    assert ending(chunk(content="hidden thoughts"), used(10, **details)).usage == Usage(7, 4, 6, 6, "server")


def test_without_a_parting_tokens_of_thinking_and_answer_stay_one_count() -> None:
    found = ending(chunk(reasoning="abc"), chunk(content="d"), used(8)).usage
    assert found == Usage(7, None, None, None, "server", undivided_tokens=8)
    assert found.output_tokens == 8


def test_without_usage_nothing_is_counted() -> None:
    found = ending(chunk(reasoning="abc"), chunk(content="d"), chunk(content="e")).usage
    assert found == Usage()
    assert found.output_tokens is None


@pytest.mark.parametrize("told", ["timings", "usage"])
def test_counts_that_come_with_the_text_are_passed_on_with_it(told: str) -> None:
    name = {"timings": "predicted_n", "usage": "completion_tokens"}[told]
    counted = [event(text(word) | {told: {name: count}}) for word, count in (("a", 3), ("b", 4))]
    uncounted = chunk(content="c")
    found = [each for each in read(*counted, uncounted, used(6)) if isinstance(each, Delta)]
    assert [(delta.text, delta.tokens) for delta in found] == [("a", 3), ("b", 4), ("c", None)]


def test_text_that_was_held_back_until_the_end_is_not_counted_with_the_end_token() -> None:
    held = event(text("a<thi") | {"timings": {"predicted_n": 3}})
    end = event(text("", finish_reason="stop") | {"timings": {"predicted_n": 4}})
    assert 4 not in [each.tokens for each in read(held, end) if isinstance(each, Delta)]


def test_figures_of_llama_cpp_are_kept_as_it_named_them() -> None:
    timings = {"prompt_n": 3, "predicted_ms": 1.5, "cache_n": 2, "model": "x", "nan": float("nan"), "yes": True}
    found = ending(event({"choices": [], "timings": timings}))
    assert found.server == {"prompt_n": 3.0, "predicted_ms": 1.5, "cache_n": 2.0}
    assert found.usage.cached_tokens == 2


def test_counts_that_make_no_sense_are_unknown() -> None:
    usage = {"prompt_tokens": -1, "completion_tokens": "many", "prompt_tokens_details": {"cached_tokens": True}}
    assert ending(chunk(content="a"), event({"usage": usage})).usage == Usage()
