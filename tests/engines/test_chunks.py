"""What is true of the chunks of an answer: bytes to events, thinking apart from answer, tokens and who counted them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.engines.chunks import Asked, BadReason, Chunks, ErrorInside, NothingToShow, NotJson
from playground.engines.sse import Events, OversizeError, ServerEvent
from playground.types import Delta, Event, Finished, Noticed, Usage
from tests.badserver import DONE, STOP, event, text
from tests.engines.pieces import kept

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


NOBODY = Asked()


def read(*parts: bytes, asked: Asked = NOBODY) -> list[Event]:
    events, chunks, found = Events(), Chunks(asked), list[Event]()
    for each in [each for part in parts for each in events.feed(part)] + events.end():
        found += chunks.read(each, 1.0)
    return [*found, *chunks.rest(), *chunks.finish()]


def told(*parts: bytes, asked: Asked = NOBODY) -> tuple[str, str]:
    """Thinking and answer, as they are at the end."""
    return kept(read(*parts, asked=asked))


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
    assert all(isinstance(found, ServerEvent) for found in events.feed(data) + events.end())


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


def test_lines_end_at_line_feeds_and_carriage_returns_and_at_nothing_else() -> None:
    separators = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"
    raw = ('data: {"choices":[{"delta":{"content":"' + separators.replace("\x0b", "").replace("\x0c", "")).encode()
    raw = raw.replace(b"\x1c", b"") + b'"}}]}'
    for end in (b"\n", b"\r", b"\r\n"):
        both = raw + end + event(text("!")).rstrip() + end + end + STOP  # no empty line between the two
        assert told(both) == ("", "a\u2028b\u2029c\x85defg!")


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        b'error: {"code":400,"message":"too hot"}\n\n',
        b"error: too hot\n\n",
        b'{"error": {"message": "too hot"}}\n',
        b'{\n  "error": {\n    "message": "too hot"\n  }\n}\n',
        b'event: error\ndata: {"message": "too hot", "code": 500}\n\n',
        b"event: error\ndata: too hot\n\n",
        b'event: error\r\ndata: {"error": {"message": "too hot"}}\r\n\r\n',
        event({"object": "error", "message": "too hot", "code": 400}),
        event({"type": "error", "error": {"type": "overloaded_error", "message": "too hot"}}),
        event([{"error": {"code": 400, "message": "too hot"}}]),
        event({"errors": [{"message": "too hot", "code": 7}], "success": False}),
        event({"error_code": 336003, "error_msg": "too hot"}),
        event({"detail": "too hot"}),
        event({"detail": [{"loc": ["body", "seed"], "msg": "too hot", "type": "x"}]}),
        event({"code": 400, "message": "too hot", "status": "error"}),
        event({"base_resp": {"status_code": 1004, "status_msg": "too hot"}, "choices": None}),
        event({"error": {"message": "Provider returned error", "metadata": {"raw": '{"detail":"too hot"}'}}}),
        event({"error": {"message": '{"error": {"message": "too hot"}}'}}),
        event({"choices": [{"delta": {"content": ""}, "finish_reason": "error", "error": {"message": "too hot"}}]}),
        event({"choices": [{"delta": {"content": "", "error": "too hot"}}]}),
        event({"choices": [], "x_groq": {"error": "too hot"}}),
        event({"error": {"message": "Traceback (most recent call last):\n  File x\nRuntimeError: too hot"}}),
    ],
)
def test_an_error_is_found_wherever_it_stands_and_told_in_the_servers_words(said: bytes) -> None:
    for before in ((), (chunk(content="Half "),)):
        with pytest.raises(ErrorInside, match="too hot"):
            read(*before, said, DONE)


@pytest.mark.parametrize(
    "empty", [None, "", {}, [], False, 0, {"message": None, "code": ""}, {"code": 0, "message": ""}, [{}]]
)
def test_an_empty_error_in_a_chunk_is_none(empty: object) -> None:
    assert told(event({"error": empty, **text("Hi")}), event({"errors": empty, **text("!")}), STOP) == ("", "Hi!")


def test_text_that_comes_with_an_error_is_kept() -> None:
    [broken] = Events().feed(event({"error": "too hot", **text("ans")}))
    deltas = Chunks().read(broken, 1.0)
    assert kept([next(deltas)]) == ("", "ans")
    with pytest.raises(ErrorInside):
        next(deltas)


# --- the end ---------------------------------------------------------------------------------------------------------


def reason(*parts: bytes) -> str:
    return next(event.reason for event in read(*parts) if isinstance(event, Finished))


@pytest.mark.parametrize("word", ["null", "None", "", "undefined", "NULL", " null ", 7, True, {"a": 1}])
def test_a_word_for_no_reason_is_none(word: object) -> None:
    assert told(event(text("a", finish_reason=word)), event(text("b", finish_reason=word)), STOP) == ("", "ab")
    chunks = Chunks()
    for each in Events().feed(event(text("a", finish_reason=word))):
        list(chunks.read(each, 1.0))
    assert chunks.reason == ""


@pytest.mark.parametrize(
    ("word", "name"),
    [
        *(("stop", "stop"), ("STOP", "stop"), ("eos", "stop"), ("end_turn", "stop"), ("COMPLETE", "stop")),
        *(("length", "length"), ("MAX_TOKENS", "length"), ("model_length", "length")),
        *(("tool_calls", "tool_calls"), ("SAFETY", "content_filter"), ("content_filter", "content_filter")),
    ],
)
def test_words_for_an_end_have_one_name_each(word: str, name: str) -> None:
    assert reason(event(text("a", finish_reason=word))) == name


@pytest.mark.parametrize("word", ["error", "abort", "aborted", "cancelled", "failed", "timeout", "OTHER", "exploded"])
def test_any_other_word_for_the_end_tells_of_a_failure(word: str) -> None:
    with pytest.raises(BadReason, match=word):
        read(event(text("Half an ans")), event(text("", finish_reason=word)), DONE)
    assert reason(event(text("a", finish_reason=word)), event(text("b")), STOP) == "stop"  # it went on after all


def test_text_after_a_reason_cancels_it_and_what_the_server_calls_the_end_restores_it() -> None:
    again = [event(text("a", finish_reason="stop")), event(text("b"))]
    chunks, events = Chunks(), Events()
    for each in events.feed(b"".join(again)):
        list(chunks.read(each, 1.0))
    assert chunks.reason == ""
    assert reason(*again, DONE) == "stop"
    assert reason(*again, event(text("c", finish_reason="length"))) == "length"
    assert reason(*again, event(text(None, finish_reason="length")), event(text("\n")), event(text(""))) == "length"
    assert reason(*again, chunk(reasoning="d"), STOP) == "stop"


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([chunk(tool_calls=[{"function": {"name": "f", "arguments": "{}"}}])], "the call of a tool and no text"),
        ([chunk(function_call={"name": "f"})], "the call of a tool and no text"),
        ([event(text(None, finish_reason="tool_calls"))], "the call of a tool and no text"),
        ([chunk(audio={"data": "AAAA"})], "sound and no text"),
        ([chunk(images=[{"image_url": {"url": "data:"}}])], "a picture and no text"),
        ([chunk(content=[{"type": "output_audio", "audio": {"data": "AAAA"}}])], "without a word"),
        ([], "without a word"),
        ([chunk(content="")], "without a word"),
        ([chunk(content=" \n\n")], "without a word"),
        ([chunk(content="<think>Hm</think>\n")], "thought, and ended without an answer"),
        ([chunk(reasoning="Hm")], "thought, and ended without an answer"),
        ([chunk(content="<|channel|>analysis<|message|>Hm<|end|>")], "thought, and ended without an answer"),
        ([chunk(content="<|channel|>commentary to=functions.f<|message|>{}<|call|>")], "the call of a tool"),
        ([chunk(content="<|im_end|>")], "without a word"),
    ],
)
def test_an_answer_with_nothing_to_show_says_what_there_was_instead(parts: list[bytes], why: str) -> None:
    with pytest.raises(NothingToShow, match=why):
        read(*parts, STOP, DONE)


def test_an_answer_without_text_that_was_cut_short_or_filtered_says_so() -> None:
    with pytest.raises(NothingToShow, match="used up its tokens thinking"):
        read(chunk(reasoning="Hm"), event(text(None, finish_reason="length")))
    with pytest.raises(NothingToShow, match="content filter"):
        read(event(text(None, finish_reason="content_filter")))


def notices(*parts: bytes) -> list[str]:
    return [event.notice for event in read(*parts) if isinstance(event, Noticed)]


REFUSAL = "I can't help with that."


@pytest.mark.parametrize(
    "parts",
    [
        [chunk(refusal="I can't "), chunk(refusal="help with that.")],
        [event({"choices": [{"message": {"content": None, "refusal": REFUSAL}}]})],
        [chunk(content=[{"type": "refusal", "refusal": REFUSAL}])],
        [chunk(content=REFUSAL, refusal=REFUSAL)],
        [event(text(REFUSAL, finish_reason="refusal"))],
    ],
)
def test_a_refusal_is_the_answer_and_marked(parts: list[bytes]) -> None:
    assert told(*parts, STOP) == ("", REFUSAL)
    assert notices(*parts, STOP) == ["Its server marks this answer as a refusal"]


def test_an_answer_that_a_filter_ended_says_so() -> None:
    assert notices(event(text("Half", finish_reason="content_filter"))) == [
        "A content filter of its server ended this answer"
    ]


@pytest.mark.parametrize(
    "mark", ["<|im_end|>", "<|eot_id|>", "</s>", "<|endoftext|>", "<end_of_turn>", "<｜end▁of▁sentence｜>"]
)
def test_stop_tokens_at_the_end_are_cut_and_noted(mark: str) -> None:
    for parts in ([f"Hi{mark}"], ["Hi", mark], ["Hi", mark[:3], mark[3:], "\n", mark]):
        found = [*map(text, parts)]
        assert told(*map(event, found), STOP) == ("", "Hi")
        assert notices(*map(event, found), STOP) == [f"Its server left {mark} at the end, which is cut off here"]


# --- choices and messages --------------------------------------------------------------------------------------------


def test_other_choices_than_the_first_are_ignored() -> None:
    one = {"choices": [{"index": 1, "delta": {"content": "B"}, "finish_reason": "error"}]}
    both = {"choices": [{"index": 1, "delta": {"content": "B"}}, {"index": 0, "delta": {"content": "A"}}]}
    assert told(event(one), event(both), event(one), event(text("!")), STOP, event(one)) == ("", "A!")


def whole(content: str) -> dict[str, object]:
    return {"role": "assistant", "content": content}


def test_a_whole_message_after_its_pieces_is_not_said_twice() -> None:
    pieces_ = [event(text("Hel")), event(text("lo"))]
    for last in (
        {"choices": [{"message": whole("Hello"), "finish_reason": "stop"}]},
        {"choices": [{"delta": {}, "message": whole("Hello"), "finish_reason": "stop"}]},
        {"object": "chat.completion", "choices": [{"index": 0, "message": whole("Hello"), "finish_reason": "stop"}]},
    ):
        assert told(*pieces_, event(last)) == ("", "Hello")
    assert (
        told(*pieces_, event({"choices": [{"message": whole("Hello there"), "finish_reason": "stop"}]}))[1]
        == "Hello there"
    )
    each = [{"choices": [{"delta": {"content": d}, "message": whole(m)}]} for d, m in (("Hel", "Hel"), ("lo", "Hello"))]
    assert told(*map(event, each), STOP) == ("", "Hello")


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}, {"type": "text", "text": "Hi"}],
        [{"type": "thinking", "thinking": "Hm"}, "Hi"],
        [{"type": "reasoning", "text": "Hm"}, {"type": "output_text", "text": "Hi"}],
        [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]}, {"text": "Hi"}],
        [{"type": "text", "text": "<think>Hm</think>"}, {"type": "text", "text": "Hi"}, {"type": "image_url"}],
        {"type": "text", "text": "<think>Hm</think>Hi"},
    ],
)
def test_each_part_of_a_content_goes_where_its_type_says(content: object) -> None:
    assert told(chunk(content=content), STOP) == ("Hm", "Hi")
    assert told(event({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]})) == ("Hm", "Hi")
    if isinstance(content, list):
        assert told(*(chunk(content=[part]) for part in content), STOP) == ("Hm", "Hi")


@pytest.mark.parametrize(
    "thought",
    [
        {"reasoning": "Hm"},
        {"reasoning_content": "Hm"},
        {"thinking": "Hm"},
        {"reasoning": "Hm", "reasoning_content": "Hm"},
        {"reasoning": "Hm", "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}]},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "Hm"}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}, {"type": "reasoning.text", "text": "Hm"}]},
        {"thinking_blocks": [{"type": "thinking", "thinking": "Hm", "signature": "x"}]},
        {"reasoning_content": [{"type": "text", "text": "H"}, {"type": "text", "text": "m"}]},
        {"reasoning": {"content": "Hm"}},
        {"provider_specific_fields": {"reasoning_content": "Hm"}},
    ],
)
def test_thinking_stands_in_many_fields_and_is_said_once(thought: dict[str, object]) -> None:
    assert told(chunk(**thought), chunk(content="Hi"), STOP) == ("Hm", "Hi")
    assert told(event({"choices": [{"message": {**thought, "content": "Hi"}, "finish_reason": "stop"}]})) == (
        "Hm",
        "Hi",
    )


def test_the_answer_of_who_was_asked_not_to_think_is_no_thought() -> None:
    misfiled = [chunk(reasoning_content="Pa"), chunk(reasoning_content="ris."), STOP]
    assert told(*misfiled, asked=Asked(thinking=False)) == ("", "Paris.")
    with pytest.raises(NothingToShow, match="thought, and ended"):
        read(*misfiled, asked=Asked(thinking=True))
    assert told(chunk(reasoning="Hm"), chunk(content="Hi"), STOP, asked=Asked(thinking=False)) == ("Hm", "Hi")


@pytest.mark.parametrize("field", ["content", "reasoning_content"])
def test_halves_of_a_character_in_two_chunks_are_joined(field: str) -> None:
    halves = [f'{{"choices":[{{"delta":{{"{field}":"{half}"}}}}]}}' for half in ("a\\ud83d", "\\ude00b")]
    found = told(*(event(half.encode()) for half in halves), chunk(content="!"), STOP)
    assert "".join(found) == "a\U0001f600b!"
    assert "".join(told(event(halves[0].encode()), chunk(content="!"), STOP)).replace("\ufffd", "?") in ("a?!", "a!?")


SECRET = "sk-very-secret-0123456789"


@given(st.lists(st.integers(0, len(SECRET) + 8), max_size=8), st.sampled_from(["content", "reasoning"]))
def test_a_key_that_a_server_says_back_is_masked_however_it_is_split(cuts: list[int], field: str) -> None:
    whole_text = f"its {SECRET}!!"
    edges = [0, *sorted(cuts), len(whole_text)]
    parts = [chunk(**{field: whole_text[a:b]}) for a, b in pairwise(edges)]
    found = "".join(told(*parts, chunk(content="."), STOP, asked=Asked(secret=SECRET)))
    assert re.fullmatch(r"its (s|sk|sk-)?\[key\]!!\.", found)  # less than four characters give nothing away


# --- whatever comes --------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["stop", "\ud83d"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
WHOLE = {
    "id": "x",
    "object": "chat.completion.chunk",
    "choices": [
        {
            "index": 0,
            "delta": {
                "role": "assistant",
                "content": "Hi",
                "reasoning_content": "Hm",
                "tool_calls": None,
                "refusal": None,
            },
            "message": {"content": [{"type": "text", "text": "Hi"}], "reasoning_details": [{"text": "Hm"}]},
            "finish_reason": "stop",
            "usage": None,
        }
    ],
    "usage": {
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "total_tokens": 7,
        "completion_tokens_details": {"reasoning_tokens": 1},
        "prompt_tokens_details": {"cached_tokens": 1},
    },
    "timings": {"predicted_n": 4, "prompt_n": 3},
    "x_groq": {"usage": {"prompt_tokens": 3}},
    "error": None,
}


def paths(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, each in inner for found in paths(each, (*path, key)))]


def replaced(value: object, path: tuple[object, ...], new: object) -> object:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)  # type: ignore[call-overload]
    copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


@given(st.sampled_from(paths(WHOLE)), JSON, st.booleans())
def test_any_value_in_the_place_of_any_field_is_an_answer_or_an_error_of_ours(
    path: tuple[object, ...], value: object, more: bool
) -> None:
    try:
        found = read(event(replaced(WHOLE, path, value)), *([event(text("!"))] if more else []), STOP, DONE)
    except (ErrorInside, NotJson, BadReason, NothingToShow):
        return
    assert isinstance(found[-1], Finished)
    assert kept(found)[1].strip()
    "".join(kept(found)).encode()


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
    assert ending(chunk(reasoning="Hm", content="Hi"), used(10, **details)).usage == Usage(7, 4, 6, 6, "server")
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
    found = ending(chunk(content="a"), event({"choices": [], "timings": timings}))
    assert found.server == {"prompt_n": 3.0, "predicted_ms": 1.5, "cache_n": 2.0}
    assert found.usage.cached_tokens == 2


def test_counts_that_make_no_sense_are_unknown() -> None:
    usage = {"prompt_tokens": -1, "completion_tokens": "many", "prompt_tokens_details": {"cached_tokens": True}}
    assert ending(chunk(content="a"), event({"usage": usage})).usage == Usage()
