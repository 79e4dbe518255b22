"""What is true of a stream of events, whoever makes them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

from playground.engines.base import Stream
from playground.types import Delta, Event
from tests.patience import LIMIT_S


def test_a_stream_closed_while_it_was_yielding_lets_go_of_all_when_it_is_read_on():
    """Only then can its generator be closed, and with it the connection it holds."""
    inside, go, let_go, read = threading.Event(), threading.Event(), threading.Event(), []

    def events() -> Iterator[Event]:
        try:
            inside.set()
            assert go.wait(LIMIT_S)
            yield Delta("a", 0.0)
            yield Delta("b", 1.0)
        finally:
            let_go.set()

    def abort() -> None:
        with suppress(ValueError):
            generator.close()

    generator = events()
    stream = Stream(generator, abort)
    reader = threading.Thread(target=lambda: read.append(next(stream)))
    reader.start()
    assert inside.wait(LIMIT_S)
    stream.close()
    go.set()
    reader.join(LIMIT_S)
    assert read == [Delta("a", 0.0)]
    assert not let_go.is_set()
    assert list(stream) == []
    assert let_go.is_set()
