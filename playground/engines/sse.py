"""Knows how server-sent events are cut out of bytes. Does not know what they say, nor where the bytes come from."""

from __future__ import annotations

MAX_EVENT_BYTES = 8 * 1024 * 1024
"""A server that never ends its line must not fill this machine's memory."""


class OversizeError(ValueError):
    """One event is larger than `MAX_EVENT_BYTES`."""


class Events:
    """Cuts bytes into the data of events, however the network has split them.

    After the WHATWG definition: lines end in LF, CRLF or CR; lines that open with a colon are comments; the data lines
    of one event are joined by LF; other fields are of no interest here. An event that the stream's end cuts off
    counts, other than in the definition, because some servers forget the last empty line.
    """

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._rest = bytearray()
        self._after_cr = False
        self._data: list[bytes] = []
        self._size = 0
        self._max = max_bytes
        self._first_line = True

    def feed(self, part: bytes) -> list[str]:
        """Data of the events that these bytes complete. Raises OversizeError."""
        found = [data for line in self._lines(part) if (data := self._take(line)) is not None]
        if len(self._rest) + self._size > self._max:
            raise OversizeError(f"one event is larger than {self._max} bytes")
        return found

    def end(self) -> list[str]:
        """Data of the event that the end of the stream cut off, if any."""
        line, self._rest = bytes(self._rest), bytearray()
        done = [self._take(line)] if line else []
        return [data for data in (*done, self._take(b"")) if data is not None]

    def _lines(self, part: bytes) -> list[bytes]:
        """Whole lines. A CR ends its line at once; the LF that may follow it in the next read is then skipped."""
        if self._after_cr and part:
            part = part.removeprefix(b"\n")
            self._after_cr = False
        self._rest += part
        if b"\n" not in part and b"\r" not in part:
            return []  # searching only what is new keeps a long line from costing its length squared
        self._after_cr = part.endswith(b"\r")
        *lines, rest = bytes(self._rest).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = bytearray(rest)
        return lines

    def _take(self, line: bytes) -> str | None:
        """Work one line in; data when it is the empty line that ends an event."""
        if self._first_line:
            line, self._first_line = line.removeprefix(b"\xef\xbb\xbf"), False
        if line:
            self._keep(line)
            return None
        data, self._data, self._size = self._data, [], 0
        return b"\n".join(data).decode("utf-8", "replace") if data else None

    def _keep(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size += len(value) + 1
