"""What is true of a client of an OpenAI-compatible endpoint, over real sockets."""

from __future__ import annotations

import pytest

from playground.engines.client import OpenAIEngine, completions_url
from playground.errors import RefusedError, TooLongError
from playground.types import Busy, Delta, Finished, Image, Memory, Message, ModelSpec, Sampling, Sent, Usage
from tests.badserver import DONE, STOP, BadServer, event, sse, text
from tests.engines.asking import ANSWER, ASK, SECRET, asked, events, failure, in_thread, last, said, status
from tests.patience import LIMIT_S

# --- what comes out --------------------------------------------------------------------------------------------------


def test_an_answer_is_sent_then_text_then_finished_and_stamps_never_go_back() -> None:
    with asked([sse(), ("send", event(text("Hel"))), ("wait", 0.05), ("send", event(text("lo")) + STOP + DONE)]) as (
        _,
        c,
    ):
        found = events(c)
    assert [type(event) for event in found] == [Sent, Delta, Delta, Finished]
    stamps = [event.at_s for event in found]
    assert stamps == sorted(stamps)
    assert stamps[1] < stamps[2]


def test_all_events_of_one_read_share_a_stamp() -> None:
    with asked([sse(), ("wait", 0.05), ("send", event(text("a")) + event(text("b")) + STOP + DONE)]) as (_, client):
        _, first, second, _ = events(client)
    assert first.at_s == second.at_s


def test_role_chunks_nulls_and_empty_text_are_no_events() -> None:
    role = event({"choices": [{"delta": {"role": "assistant", "content": ""}}]})
    with asked([sse(), ("send", b": ping\n\n" + role + event(text(None)) + event(text("Hi")) + STOP + DONE)]) as (_, c):
        assert said(events(c)) == "Hi"


def test_a_missing_done_is_no_failure() -> None:
    with asked([sse(), ("send", event(text("Hi")) + STOP)]) as (_, client):
        assert last(events(client)).reason == "stop"


def test_a_reset_after_the_finish_reason_is_no_failure() -> None:
    with asked([sse(), ("send", event(text("Hi")) + STOP), ("wait", 0.2), ("reset",)]) as (_, client):
        assert last(events(client)).reason == "stop"


def test_an_answer_that_was_not_streamed_is_taken_whole() -> None:
    whole = (
        b'{"choices": [{"message": {"reasoning_content": "Hm", "content": "Hi"}, "finish_reason": "stop"}],'
        b'"usage": {"prompt_tokens": 3, "completion_tokens": 4, "completion_tokens_details": {"reasoning_tokens": 1}}}'
    )
    with asked(status(200, whole, **{"Content-Type": "application/json"})) as (_, client):
        found = events(client)
    assert (said(found), said(found, reasoning=True)) == ("Hi", "Hm")
    assert last(found).usage == Usage(3, 1, 3, None, "server")


def test_a_lone_surrogate_in_an_answer_becomes_a_replacement_character() -> None:
    with asked([sse(), ("send", event(text("a\ud800b")) + STOP)]) as (_, client):
        assert said(events(client)) == "a\ufffdb"


# --- what goes in ----------------------------------------------------------------------------------------------------


def test_only_the_sampling_that_was_chosen_is_sent() -> None:
    with asked(ANSWER) as (server, client):
        events(client)
        events(client, Sampling(temperature=0.0, max_tokens=5, thinking=False))
    plain, chosen = (request.json for request in server.requests)
    assert plain == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "Hello?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert (chosen["temperature"], chosen["max_tokens"]) == (0.0, 5)
    assert chosen["chat_template_kwargs"] == {"enable_thinking": False}
    assert not {"top_p", "seed"} & chosen.keys()


def test_images_go_before_the_text_as_data_uris() -> None:
    image = Image(b"\x89PNG", "image/png", 1, 1, "0" * 64)
    with asked(ANSWER) as (server, client):
        events(client, messages=[Message("user", "What is it?", (image,))])
    picture, words = server.requests[0].json["messages"][0]["content"]
    assert picture == {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}
    assert words == {"type": "text", "text": "What is it?"}


def test_any_text_can_be_sent() -> None:
    with asked(ANSWER) as (server, client):
        events(client, messages=[Message("user", "a\ud800b\x00\x07\U0001f600")])
    assert server.requests[0].json["messages"][0]["content"] == "a\ufffdb\x00\x07\U0001f600"


def test_a_megabyte_can_be_sent() -> None:
    with asked(ANSWER) as (server, client):
        events(client, messages=[Message("user", "x" * 1_000_000)])
    assert len(server.requests[0].body) > 1_000_000


def test_headers_ask_for_no_compression_and_no_cache() -> None:
    with asked(ANSWER, api_key=SECRET) as (server, client):
        events(client)
    headers = server.requests[0].headers
    assert (headers["accept-encoding"], headers["x-use-cache"]) == ("identity", "false")
    assert headers["authorization"] == f"Bearer {SECRET}"


def test_no_proxy_of_the_environment_stands_before_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with asked(ANSWER) as (_, client):
        assert said(events(client)) == "Hi"


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://h:1", "http://h:1/v1/chat/completions"),
        ("http://h:1/", "http://h:1/v1/chat/completions"),
        ("http://h:1/v1/", "http://h:1/v1/chat/completions"),
        ("http://h/v1beta/openai", "http://h/v1beta/openai/chat/completions"),
        ("http://h/api/v1/chat/completions", "http://h/api/v1/chat/completions"),
    ],
)
def test_an_address_works_with_and_without_its_version(base: str, url: str) -> None:
    assert completions_url(base) == url


# --- asking again ----------------------------------------------------------------------------------------------------


def test_optional_fields_that_a_server_names_are_left_out_and_that_is_remembered() -> None:
    with asked(status(422, b'{"detail": [{"loc": ["body", "seed"]}]}'), ANSWER) as (server, client):
        found = events(client, Sampling(seed=1, top_p=0.5))
        events(client, Sampling(seed=1))
    assert said(found) == "Hi"
    assert [type(event) for event in found[:2]] == [Sent, Sent]
    first, second, third = (request.json for request in server.requests)
    assert first.keys() - second.keys() == {"seed"}
    assert "seed" not in third


def test_a_server_that_names_no_field_is_asked_once_without_all_optional_ones() -> None:
    with asked(status(422, b"no"), ANSWER) as (server, client):
        events(client, Sampling(seed=1, top_p=0.5, temperature=0.5, thinking=True))
    assert server.requests[1].json.keys() == {"model", "messages", "stream", "temperature"}


def test_a_server_that_refuses_everything_is_asked_twice() -> None:
    with asked(status(422, b"no")) as (server, client), pytest.raises(RefusedError, match='422: "no"'):
        events(client)
    assert len(server.requests) == 2


def test_a_400_about_an_unknown_field_counts_and_any_other_400_does_not() -> None:
    with asked(status(400, b'{"error": {"message": "Unknown field: stream_options"}}'), ANSWER) as (server, client):
        events(client)
    assert "stream_options" not in server.requests[1].json
    error = failure(status(400, b'{"error": {"message": "prompt is 9000 tokens, at most 8192 fit"}}'), ANSWER)
    assert "9000 tokens" in str(error)


@pytest.mark.parametrize("code", [429, 503])
def test_a_busy_server_is_asked_twice(code: int) -> None:
    with asked(status(code, b"", **{"Retry-After": "0"}), ANSWER) as (_, client):
        found = events(client)
    assert [type(event) for event in found] == [Sent, Busy, Sent, Delta, Finished]
    assert found[1] == Busy(code, 0.0)
    assert found[0].at_s <= found[2].at_s <= found[3].at_s
    error = failure(status(code, b"", **{"Retry-After": "0"}))
    assert f"answered {code}" in str(error)


def test_waiting_to_ask_again_can_be_stopped() -> None:
    with asked(status(429, b"", **{"Retry-After": "25"})) as (server, client):
        stream = client.stream("tiny", ASK, Sampling())
        ended = in_thread(lambda: list(stream))
        assert server.came.acquire(timeout=LIMIT_S)
        stream.close()
        assert ended.wait(LIMIT_S)


# --- the engine ------------------------------------------------------------------------------------------------------


def test_an_engine_without_its_key_says_which_variable_to_export() -> None:
    spec = ModelSpec("far", "Far", "openai", "tiny", "http://127.0.0.1:9", api_key_env="BASELINE_KEY")
    stream = OpenAIEngine(spec).stream(ASK, Sampling())
    with pytest.raises(RefusedError, match="BASELINE_KEY is not set; export it or choose another model"):
        next(stream)


def test_a_server_on_another_machine_is_elsewhere_and_its_memory_unknown() -> None:
    engine = OpenAIEngine(ModelSpec("far", "Far", "openai", "tiny", "https://models.example/v1"))
    assert not engine.local
    assert engine.watch_memory().read() == Memory(reason="runs elsewhere")


def test_a_prompt_that_is_certainly_too_long_is_refused_before_it_is_sent() -> None:
    with BadServer(ANSWER) as server:
        engine = OpenAIEngine(ModelSpec("far", "Far", "openai", "tiny", server.url, context_tokens=1000))
        stream = engine.stream([Message("system", "x" * 8000), Message("user", "x" * 8)], Sampling())
        with pytest.raises(TooLongError, match=r"about 1,001 tokens by its length.*Far reads 1,000\. Shorten it"):
            next(stream)
        assert server.requests == []
        assert said(list(engine.stream([Message("user", "x" * 8000)], Sampling()))) == "Hi"
        engine.close()


def test_without_a_known_context_a_prompt_of_any_length_is_sent() -> None:
    with BadServer(ANSWER) as server:
        engine = OpenAIEngine(ModelSpec("far", "Far", "openai", "tiny", server.url))
        assert said(list(engine.stream([Message("user", "x" * 1_000_000)], Sampling()))) == "Hi"
        engine.close()


def test_an_engine_of_a_server_on_this_machine_shares_it_and_says_whose_the_memory_is() -> None:
    with BadServer(ANSWER) as server:
        engine = OpenAIEngine(ModelSpec("far", "Far", "openai", "tiny", server.url))
        assert list(engine.prepare()) == []
        assert said(list(engine.stream(ASK, Sampling()))) == "Hi"
        engine.close()
    assert server.requests[0].json["model"] == "tiny"
    assert engine.state().name == "elsewhere"
    assert "did not start that server" in engine.watch_memory().read().reason
    assert (engine.local, engine.cold(), engine.count_tokens(ASK)) == (True, None, None)
