"""A tap on the line between browser and app: it passes every byte on and keeps those that the app sent. Not a test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_PLAIN = (b"Accept-Encoding:", b"X-Not-Accepted-:")
"""Nothing is compressed when nobody asks for it; both names are of one length, so that no byte moves."""


class Tap:
    """What came through so far, connection by connection."""

    def __init__(self) -> None:
        self._streams: list[bytearray] = []
        self._lock = threading.Lock()

    def stream(self) -> bytearray:
        """Where one more connection's bytes go."""
        with self._lock:
            self._streams.append(bytearray())
            return self._streams[-1]

    def received(self, since: dict[int, int] | None = None) -> bytes:
        """All bytes, or those since a mark, each connection's together."""
        with self._lock:
            return b"\n".join(bytes(s[(since or {}).get(n, 0) :]) for n, s in enumerate(self._streams))

    def mark(self) -> dict[int, int]:
        """Where each connection is now."""
        with self._lock:
            return {n: len(stream) for n, stream in enumerate(self._streams)}


def _pump(source: socket.socket, sink: socket.socket, kept: bytearray | None) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            if kept is None:
                data = data.replace(*_PLAIN).replace(_PLAIN[0].lower(), _PLAIN[1])
            else:
                kept += data
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _join(near: socket.socket, far: socket.socket, kept: bytearray) -> None:
    """Pass on what both ends say, until one of them has nothing more to say."""
    with near, far:
        asking = threading.Thread(target=_pump, args=(near, far, None), daemon=True)
        asking.start()
        _pump(far, near, kept)
        asking.join()


@contextmanager
def tapped(url: str) -> Iterator[tuple[str, Tap]]:
    """The address of the tap on that app, and what it hears."""
    port, tap = int(url.rsplit(":", 1)[1].strip("/")), Tap()
    door = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                near, _ = door.accept()
                far = socket.create_connection(("127.0.0.1", port))
                threading.Thread(target=_join, args=(near, far, tap.stream()), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}/", tap
    finally:
        door.close()
