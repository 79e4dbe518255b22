"""A tap on the line between browser and app: it passes every byte on, keeps those that the app sent, and can cut the
line. Not a test itself."""

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
        self._ends: list[socket.socket] = []
        self._lock = threading.Lock()

    def stream(self, end: socket.socket) -> bytearray:
        """Where the bytes of one more connection go."""
        with self._lock:
            self._streams.append(bytearray())
            self._ends.append(end)
            return self._streams[-1]

    def cut(self, kind: bytes) -> int:
        """Break every connection that this has come through lately, wherever it is; how many were open."""
        with self._lock:
            found = [end for stream, end in zip(self._streams, self._ends, strict=True) if kind in stream]
        count = 0
        for end in found:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
                count += 1
        return count

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
                threading.Thread(target=_join, args=(near, far, tap.stream(near)), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}/", tap
    finally:
        door.close()
