"""Reads the answer of a chat completion off the socket, streamed or whole. Does not know how it was asked."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx

from playground.engines.chunks import Chunks, NotJson
from playground.engines.sse import Events
from playground.engines.transcript import Text
from playground.engines.wire import ReadClock, Wire

MAX_ERROR_BYTES = 64 * 1024
GRACE_S = 10.0
"""How long a server may keep the connection open after the finish reason; usage comes in that time, or more text."""

Part = tuple[float, bytes]
"""When one read left the socket, and its bytes."""


def deltas(response: httpx.Response, chunks: Chunks, wire: Wire) -> Iterator[Text]:
    """The text of an answer as it comes, streamed or whole, whatever the server calls its content.

    Raises ErrorInside, NotJson, OversizeError and what httpx raises.
    """
    parts = _parts(response, chunks)
    head = _head(parts)
    start = b"".join(part for _, part in head).lstrip()
    if start[:1] == b"<":
        raise NotJson(start[:200].decode("utf-8", "replace"))
    return _read(itertools.chain(head, parts), chunks, wire)


def error_body(response: httpx.Response) -> str:
    """As much of an error's body as is worth reading; a body that breaks off is no second error."""
    body = bytearray()
    with suppress(httpx.HTTPError):
        for part in response.iter_bytes():
            body += part
            if len(body) >= MAX_ERROR_BYTES:
                break
    response.close()
    return bytes(body[:MAX_ERROR_BYTES]).decode("utf-8", "replace")


def _parts(response: httpx.Response, chunks: Chunks) -> Iterator[Part]:
    """Reads as they leave the socket. After the finish reason an untidy end of the connection is no failure."""
    clock = ReadClock(response)
    try:
        for part in response.iter_bytes():
            if part:
                yield clock.at_s(), part
    except httpx.TransportError:
        if not chunks.reason:
            raise


def _head(parts: Iterator[Part]) -> list[Part]:
    """The reads up to the first visible character, which tells what kind of answer this is."""
    head: list[Part] = []
    for part in parts:
        head.append(part)
        if part[1].strip() or len(head) > 1000:
            break
    return head


def _read(parts: Iterator[Part], chunks: Chunks, wire: Wire) -> Iterator[Text]:
    events, at_s, found = Events(), time.monotonic(), False
    for read_s, part in parts:
        at_s = read_s
        for event in events.feed(part):
            found = True
            yield from chunks.read(event, at_s)
            if chunks.done:
                return
        if chunks.reason:
            wire.cut_in(GRACE_S)
        else:
            wire.spare()
    for event in events.end():
        found = True
        yield from chunks.read(event, at_s)
    if events.stray and not found:
        raise NotJson(events.stray)
