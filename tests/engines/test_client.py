"""What is true of a client of an OpenAI-compatible endpoint, over real sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from playground.engines.client import ChatClient, OpenAIEngine, Timeouts, completions_url
from playground.errors import EngineError, RefusedError, StreamError, UnreachableError
from playground.types import Delta, Event, Finished, Image, Message, ModelSpec, Sampling, Sent, Usage
from tests.badserver import DONE, STOP, BadServer, Script, event, sse, text

ASK = [Message("user", "Hello?")]
PLAIN = Sampling()
SECRET = "sk-very-secret-0123456789"
ANSWER: Script = [sse(), ("send", event(text("Hi")) + STOP + DONE)]


@contextmanager
def asked(
    *scripts: Script, stall_s: float = 20.0, api_key: str | None = None, **about: object
) -> Iterator[tuple[BadServer, ChatClient]]:
    with BadServer(*scripts) as server:
        client = ChatClient(server.url, api_key=api_key, timeouts=Timeouts(5, stall_s), name="Tiny", **about)  # type: ignore[arg-type]
        try:
            yield server, client
        finally:
            client.close()


def events(client: ChatClient, sampling: Sampling = PLAIN, messages: list[Message] = ASK) -> list[Event]:
    with client.stream("tiny", messages, sampling) as stream:
        return list(stream)


def said(found: list[Event], reasoning: bool = False) -> str:
    return "".join(event.text for event in found if isinstance(event, Delta) and event.reasoning is reasoning)


def last(found: list[Event]) -> Finished:
    assert isinstance(found[-1], Finished)
    return found[-1]


def failure(*scripts: Script, **about: object) -> EngineError:
    with asked(*scripts, **about) as (_, client), pytest.raises(EngineError) as caught:  # type: ignore[arg-type]
        events(client)
    return caught.value


def status(code: int, body: bytes = b"", **headers: str) -> Script:
    return [("status", code, headers, body)]


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
    assert [type(event) for event in found] == [Sent, Sent, Delta, Finished]
    assert found[0].at_s <= found[1].at_s <= found[2].at_s
    error = failure(status(code, b"", **{"Retry-After": "0"}))
    assert f"answered {code}" in str(error)


def test_waiting_to_ask_again_can_be_stopped() -> None:
    with asked(status(429, b"", **{"Retry-After": "25"})) as (server, client):
        stream = client.stream("tiny", ASK, Sampling())
        ended = in_thread(lambda: list(stream))
        assert server.came.acquire(timeout=5)
        time.sleep(0.1)
        stream.close()
        assert ended.wait(5)


# --- stopping --------------------------------------------------------------------------------------------------------


def in_thread(work: Callable[[], object]) -> threading.Event:
    ended = threading.Event()

    def run() -> None:
        try:
            work()
        finally:
            ended.set()

    threading.Thread(target=run, daemon=True).start()
    return ended


def test_closing_while_text_streams_ends_the_wait_and_the_server_sees_it() -> None:
    with asked([sse(), ("send", event(text("Hi"))), ("hang",)]) as (server, client):
        stream = client.stream("tiny", ASK, Sampling())
        next(stream), next(stream)
        ended = in_thread(lambda: list(stream))
        assert not ended.wait(0.1)
        stream.close()
        assert ended.wait(5)
        assert server.requests[0].gone.wait(5)


def test_closing_before_the_first_byte_ends_the_wait_and_the_server_sees_it() -> None:
    with asked([("hang",)]) as (server, client):
        stream = client.stream("tiny", ASK, Sampling())
        ended = in_thread(lambda: list(stream))
        assert server.came.acquire(timeout=5)
        stream.close()
        assert ended.wait(5)
        assert server.requests[0].gone.wait(5)


def test_closing_between_two_events_ends_the_work_without_another_read() -> None:
    with asked([sse(), ("send", event(text("Hi"))), ("hang",)]) as (server, client):
        stream = client.stream("tiny", ASK, Sampling())
        next(stream), next(stream)
        stream.close()
        stream.close()
        assert server.requests[0].gone.wait(5)
        assert list(stream) == []


def test_a_stream_that_is_closed_before_it_began_asks_nothing() -> None:
    with asked(ANSWER) as (server, client):
        stream = client.stream("tiny", ASK, Sampling())
        stream.close()
        assert list(stream) == []
        assert server.requests == []


def test_a_stream_that_is_dropped_ends_the_work() -> None:
    with asked([sse(), ("send", event(text("Hi"))), ("hang",)]) as (server, client):
        stream = client.stream("tiny", ASK, Sampling())
        next(stream), next(stream)
        del stream
        assert server.requests[0].gone.wait(5)


def test_closing_the_client_ends_every_stream_and_it_can_be_used_again() -> None:
    with asked([sse(), ("hang",)], ANSWER) as (server, client):
        caught: list[BaseException] = []

        def read() -> None:
            try:
                events(client)
            except EngineError as error:
                caught.append(error)

        ended = in_thread(read)
        assert server.came.acquire(timeout=5)
        client.close()
        assert ended.wait(5)
        assert isinstance(caught[0], StreamError)
        assert said(events(client)) == "Hi"


def test_many_streams_run_at_once() -> None:
    with asked([sse(), ("wait", 0.2), ("send", event(text("Hi")) + STOP)]) as (_, client):
        found: list[str] = []
        ended = [in_thread(lambda: found.append(said(events(client)))) for _ in range(40)]
        assert all(each.wait(20) for each in ended)
    assert found == ["Hi"] * 40


# --- servers that fail -----------------------------------------------------------------------------------------------


def test_nobody_there_names_the_address_and_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(UnreachableError, match=rf"127\.0\.0\.1:{port}.*start the server"):
        events(ChatClient(f"http://127.0.0.1:{port}", name="Tiny"))


@pytest.mark.parametrize("address", ["", "no address", "ftp://h/v1", "http://[::1", "http://h:99999"])
def test_an_address_that_is_none_is_an_error_of_ours(address: str) -> None:
    with pytest.raises(EngineError):
        events(ChatClient(address, name="Tiny"))


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (status(401, b'{"error": {"message": "bad key"}}'), '401: "bad key". Check the key in BASELINE_KEY'),
        (status(403), "403 without saying why. Check the key in BASELINE_KEY"),
        (
            status(404, b"{}"),
            "404 at /v1/chat/completions without saying why. Check that the server has the model tiny",
        ),
        (status(500, b"\nInternal Server Error\nmore"), '500: "Internal Server Error". Look in the log'),
        (status(502, b"<html>Bad gateway</html>"), "502 without saying why"),
        (status(302, b"", Location="/login"), "redirects to /login, which is not followed"),
        (status(200, b"<!doctype html><p>Hello"), "a web page instead of JSON"),
        (status(200, b""), "without a finish reason"),
        (status(200, b"{}"), "without a finish reason"),
        (status(200, b'{"error": "model is gone"}'), 'failed in mid-answer: "model is gone"'),
        ([sse(), ("send", event(text("Hi")))], "without a finish reason"),
        ([sse(), ("send", event(text("Hi")) + DONE)], "without a finish reason"),
        ([sse(), ("send", event(text("Hi")) + event({"error": {"message": "out of memory"}}))], "out of memory"),
        ([sse(), ("send", event(b"{not json"))], '"{not json" instead of JSON'),
        ([sse(), ("send", event(text("Hi"))), ("wait", 0.1), ("reset",)], "broke the connection off"),
        ([("reset",)], "broke the connection off"),
        ([("send", b"SSH-2.0\r\n\r\n")], "broke the connection off"),
        ([sse(), ("send", event(b"[" * 100_000))], "instead of JSON"),
    ],
)
def test_each_failure_is_a_sentence_with_a_next_step(script: Script, sentence: str) -> None:
    assert sentence in str(failure(script, key_env="BASELINE_KEY"))


@pytest.mark.parametrize("script", [[("hang",)], [sse(), ("send", event(text("Hi"))), ("hang",)]])
def test_silence_past_the_limit_is_a_failure(script: Script) -> None:
    error = failure(script, stall_s=0.3)
    assert isinstance(error, StreamError)
    assert "sent nothing for 0.3 s" in str(error)


def test_an_endless_line_is_given_up() -> None:
    assert "endless" in str(failure([sse(), *[("send", b"data: " + b"x" * (1 << 20))] * 9]))


def test_an_endless_error_body_is_given_up() -> None:
    endless = [("send", b"HTTP/1.1 500 No\r\n\r\n"), *[("send", b"x" * 65536)] * 4, ("hang",)]
    error = failure(endless)
    assert len(str(error)) < 600


@pytest.mark.parametrize(
    "script",
    [
        status(401, f"key {SECRET} is wrong".encode()),
        status(500, f'{{"error": "{SECRET}"}}'.encode()),
        status(302, b"", Location=f"/?key={SECRET}"),
        [sse(), ("send", event({"error": {"message": SECRET}}))],
        [sse(), ("send", event(SECRET.encode()))],
    ],
)
def test_a_key_that_the_server_echoes_is_not_shown(script: Script) -> None:
    assert SECRET not in str(failure(script, api_key=SECRET))


def test_a_key_that_is_none_is_refused_without_showing_it() -> None:
    error = failure(ANSWER, api_key="sk-ä\nsecret", key_env="BASELINE_KEY")
    assert "BASELINE_KEY" in str(error)
    assert "secret" not in str(error)


# --- the engine ------------------------------------------------------------------------------------------------------


def test_an_engine_without_its_key_says_which_variable_to_export() -> None:
    spec = ModelSpec("far", "Far", "openai", "tiny", "http://127.0.0.1:9", api_key_env="BASELINE_KEY")
    stream = OpenAIEngine(spec).stream(ASK, Sampling())
    with pytest.raises(RefusedError, match="BASELINE_KEY is not set; export it or choose another model"):
        next(stream)


def test_an_engine_is_elsewhere_and_says_so() -> None:
    with BadServer(ANSWER) as server:
        engine = OpenAIEngine(ModelSpec("far", "Far", "openai", "tiny", server.url))
        assert list(engine.prepare()) == []
        assert said(list(engine.stream(ASK, Sampling()))) == "Hi"
        engine.close()
    assert server.requests[0].json["model"] == "tiny"
    assert engine.state().name == "elsewhere"
    assert engine.watch_memory().read().reason == "runs elsewhere"
    assert (engine.local, engine.cold(), engine.count_tokens(ASK)) == (False, False, None)
