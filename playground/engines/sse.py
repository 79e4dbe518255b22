"""Cuts server-sent events out of bytes. Does not know what they say, nor where the bytes come from."""

from __future__ import annotations

from typing import NamedTuple

MAX_EVENT_BYTES = 8 * 1024 * 1024
"""A server that never ends its line must not fill this machine's memory."""


class OversizeError(ValueError):
    """One event is larger than `MAX_EVENT_BYTES`."""


class ServerEvent(NamedTuple):
    """The data of one event, and its name where it has one."""

    data: str
    name: str = ""


class Events:
    """Cuts bytes into events, however the network has split them.

    After the WHATWG definition: lines end in LF, CRLF or CR and nothing else; lines that open with a colon are
    comments; the data lines of one event are joined by LF. Beyond it, because servers do so: an event that the
    stream's end cuts off counts; a line `error: ...` is an event of that name; a line of bare JSON is an event, and so
    are the lines that follow it up to the next empty one. `stray` is the first line that is nothing of all this.
    """

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self.stray = ""
        self._rest = bytearray()
        self._after_cr = False
        self._data: list[bytes] = []
        self._name = ""
        self._bare = False
        self._size = 0
        self._max = max_bytes
        self._first_line = True

    def feed(self, part: bytes) -> list[ServerEvent]:
        """Events that these bytes complete. Raises OversizeError."""
        found = [event for line in self._lines(part) for event in self._take(line)]
        if len(self._rest) + self._size > self._max:
            raise OversizeError(f"one event is larger than {self._max} bytes")
        return found

    def end(self) -> list[ServerEvent]:
        """The event that the end of the stream cut off, if any."""
        line, self._rest = bytes(self._rest), bytearray()
        return [*(self._take(line) if line else []), *self._take(b"")]

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

    def _take(self, line: bytes) -> list[ServerEvent]:
        """Work one line in; the events that it completes."""
        if self._first_line:
            line, self._first_line = line.removeprefix(b"\xef\xbb\xbf"), False
        if not line:
            return self._flush()
        name, _, value = line.partition(b":")
        if name == b"data":
            done = self._flush() if self._bare else []
            self._keep(value.removeprefix(b" "))
            return done
        if self._bare or line[:1] in (b"{", b"["):
            return self._take_bare(line)
        if name == b"event":
            self._name = _text(value).strip()
        elif name == b"error":
            return [*self._flush(), ServerEvent(_text(value).strip(), "error")]
        elif name not in (b"", b"id", b"retry"):
            self.stray = self.stray or _text(line)[:200]
        return []

    def _take_bare(self, line: bytes) -> list[ServerEvent]:
        """A line without a field's name. A whole object is an event at once; one that goes on ends as others do."""
        whole = not self._bare and line.rstrip()[-1:] in (b"}", b"]")
        done = [] if self._bare else self._flush()
        self._bare = True
        self._keep(line)
        return [*done, *self._flush()] if whole else done

    def _flush(self) -> list[ServerEvent]:
        """The event that is complete now, if any."""
        event = ServerEvent(_text(b"\n".join(self._data)), self._name)
        found = [event] if self._data else []
        self._data, self._size, self._name, self._bare = [], 0, "", False
        return found

    def _keep(self, data: bytes) -> None:
        self._data.append(data)
        self._size += len(data) + 1


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
