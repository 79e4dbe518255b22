"""What stand-ins over HTTP share: a quiet server on a free port, until the end of a block. Not a test itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol, TypeVar


class StandIn(Protocol):
    """Knows the address it is served at."""

    url: str


Kind = TypeVar("Kind", bound=StandIn)


class Quiet(BaseHTTPRequestHandler):
    """Keeps connections open, and logs nothing: tests say what went wrong themselves."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def starter(
    serving: Callable[[Kind], AbstractContextManager[object]], name: Callable[[str], None]
) -> Iterator[Callable[[Kind], Kind]]:
    """What serves stand-ins until the end of the block, and tells `name` each address."""
    with ExitStack() as open_ones:

        def start(stand_in: Kind) -> Kind:
            open_ones.enter_context(serving(stand_in))
            name(stand_in.url)
            return stand_in

        yield start
