"""What is true when an answer is stopped, and when a server fails: a clear sentence, and no work goes on."""

from __future__ import annotations

import socket
import traceback

import pytest

from playground.engines.client import ChatClient
from playground.errors import EngineError, StreamError, UnreachableError
from playground.types import Sampling
from tests.badserver import DONE, STOP, Script, event, sse, text
from tests.engines.asking import ANSWER, ASK, SECRET, asked, events, failure, in_thread, said, status
from tests.patience import LIMIT_S

# --- stopping --------------------------------------------------------------------------------------------------------


def test_closing_while_text_streams_ends_the_wait_and_the_server_sees_it() -> None:
    with asked([sse(), ("send", event(text("Hi"))), ("hang",)]) as (server, client):
        stream = client.stream("tiny", ASK, Sampling())
        next(stream), next(stream)
        ended = in_thread(lambda: list(stream))
        assert not ended.wait(0.1)
        stream.close()
        assert ended.wait(LIMIT_S)
        assert server.requests[0].gone.wait(LIMIT_S)


def test_closing_before_the_first_byte_ends_the_wait_and_the_server_sees_it() -> None:
    with asked([("hang",)]) as (server, client):
        stream = client.stream("tiny", ASK, Sampling())
        ended = in_thread(lambda: list(stream))
        assert server.came.acquire(timeout=LIMIT_S)
        stream.close()
        assert ended.wait(LIMIT_S)
        assert server.requests[0].gone.wait(LIMIT_S)


def test_closing_between_two_events_ends_the_work_without_another_read() -> None:
    with asked([sse(), ("send", event(text("Hi"))), ("hang",)]) as (server, client):
        stream = client.stream("tiny", ASK, Sampling())
        next(stream), next(stream)
        stream.close()
        stream.close()
        assert server.requests[0].gone.wait(LIMIT_S)
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
        assert server.requests[0].gone.wait(LIMIT_S)


def test_closing_the_client_ends_every_stream_and_it_can_be_used_again() -> None:
    with asked([sse(), ("hang",)], ANSWER) as (server, client):
        caught: list[BaseException] = []

        def read() -> None:
            try:
                events(client)
            except EngineError as error:
                caught.append(error)

        ended = in_thread(read)
        assert server.came.acquire(timeout=LIMIT_S)
        client.close()
        assert ended.wait(LIMIT_S)
        assert isinstance(caught[0], StreamError)
        assert said(events(client)) == "Hi"


def test_many_streams_run_at_once() -> None:
    with asked([sse(), ("wait", 0.2), ("send", event(text("Hi")) + STOP)]) as (_, client):
        found: list[str] = []
        ended = [in_thread(lambda: found.append(said(events(client)))) for _ in range(40)]
        assert all(each.wait(LIMIT_S) for each in ended)
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
        ([("send", b"SSH-2.0\r\n\r\n")], "does not answer in HTTP"),
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
    error = failure(script, api_key=SECRET)
    assert SECRET not in str(error)
    assert SECRET not in "".join(traceback.format_exception(error.with_traceback(None)))


def test_a_key_that_is_none_is_refused_without_showing_it() -> None:
    error = failure(ANSWER, api_key="sk-ä\nsecret", key_env="BASELINE_KEY")
    assert "BASELINE_KEY" in str(error)
    assert "secret" not in str(error)
