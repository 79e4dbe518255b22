"""Asks a misbehaving server through the real client, for the tests of the client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from playground.engines.client import ChatClient, Timeouts
from playground.errors import EngineError
from playground.types import Delta, Event, Finished, Message, Sampling
from tests.badserver import DONE, STOP, BadServer, Script, event, sse, text
from tests.patience import LIMIT_S

ASK = [Message("user", "Hello?")]
PLAIN = Sampling()
SECRET = "sk-very-secret-0123456789"
ANSWER: Script = [sse(), ("send", event(text("Hi")) + STOP + DONE)]


@contextmanager
def asked(
    *scripts: Script, stall_s: float = LIMIT_S, api_key: str | None = None, **about: object
) -> Iterator[tuple[BadServer, ChatClient]]:
    with BadServer(*scripts) as server:
        client = ChatClient(server.url, api_key=api_key, timeouts=Timeouts(LIMIT_S, stall_s), name="Tiny", **about)  # type: ignore[arg-type]
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


def in_thread(work: Callable[[], object]) -> threading.Event:
    ended = threading.Event()

    def run() -> None:
        try:
            work()
        finally:
            ended.set()

    threading.Thread(target=run, daemon=True).start()
    return ended
