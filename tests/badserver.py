"""A small HTTP server on 127.0.0.1 that misbehaves as it is told to, for tests of whatever reads from a server.

    with BadServer([("status", 429, {"Retry-After": "0"}, b"")], [sse(), ("send", event({...})), ("hang",)]) as server:
        ... server.url ...

Each script answers one request; the last one answers all that follow. A function in place of a script makes one for
the request that it is given, endless if it likes. Steps:

    ("status", code, headers, body)   a whole answer with its length; later steps may go on with the body's connection
    ("send", bytes)                   bytes as they are; `sse()` is the step that begins a stream
    ("wait", seconds)                 silence, ended early when the client goes away
    ("hang",)                         silence until the client goes away
    ("reset",)                        the connection torn down with RST

After the last step the connection is closed.
"""

from __future__ import annotations

import json
import math
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.patience import LIMIT_S

Step = tuple[Any, ...]
Script = Iterable[Step]


def sse(headers: str = "") -> Step:
    """The step that begins a stream whose end is the connection's end."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n{headers}\r\n"
    return ("send", head.encode())


def event(value: object) -> bytes:
    """One event of a stream."""
    return b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"


def text(content: str | None = None, **choice: object) -> dict[str, object]:
    """A chunk with that text; other fields of its choice, such as `finish_reason`, by name."""
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": None, **choice}]}


DONE = event(b"[DONE]")
STOP = event(text(finish_reason="stop"))


@dataclass
class Request:
    """What one client asked. `gone_s` is when it was seen to go away, on the monotonic clock."""

    line: str
    headers: dict[str, str]
    body: bytes
    gone_s: float | None = None
    gone: threading.Event = field(default_factory=threading.Event)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class BadServer:
    """Listens while its `with` block lasts; `requests` holds what came, in order."""

    def __init__(self, *scripts: Script | Callable[[Request], Script]) -> None:
        self.requests: list[Request] = []
        self.came = threading.Semaphore(0)
        self._scripts = scripts
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> BadServer:
        self._start(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with socket.socket() as knock:
            knock.connect_ex(("127.0.0.1", self.port))
        for thread in self._threads:
            thread.join(LIMIT_S)
        self._socket.close()

    def _start(self, target: Any, *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while True:
            client, _ = self._socket.accept()
            if self._over.is_set():
                client.close()
                return
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client:
            request = _receive(client)
            if request is None:
                return
            with self._lock:
                script = self._scripts[min(len(self.requests), len(self._scripts) - 1)]
                self.requests.append(request)
            self.came.release()
            try:
                for step in script(request) if callable(script) else script:
                    if self._over.is_set():
                        return
                    self._play(client, request, step)
            except OSError:
                _went(request)

    def _play(self, client: socket.socket, request: Request, step: Step) -> None:
        match step:
            case ("send", bytes(data)):
                client.sendall(data)
            case ("wait", seconds):
                self._watch(client, request, seconds)
            case ("hang",):
                self._watch(client, request, math.inf)
            case ("reset",):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
            case ("status", code, headers, bytes(body)):
                lines = [f"HTTP/1.1 {code} Said", *(f"{name}: {value}" for name, value in headers.items())]
                lines += [f"Content-Length: {len(body)}", "", ""]
                client.sendall("\r\n".join(lines).encode() + body)
            case _:
                raise AssertionError(f"no such step: {step}")

    def _watch(self, client: socket.socket, request: Request, seconds: float) -> None:
        """Wait; notice when the client goes away meanwhile, and when the test is over."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._over.is_set():
            readable, _, _ = select.select([client], [], [], min(0.02, seconds))
            if readable and not client.recv(65536):
                raise ConnectionResetError


def _receive(client: socket.socket) -> Request | None:
    client.settimeout(LIMIT_S)
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            part = client.recv(65536)
            if not part:
                return None
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        line, *rest = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in rest)}
        while len(body) < int(headers.get("content-length", 0)):
            body += client.recv(1 << 20)
    except OSError:
        return None
    return Request(line, headers, body)


def _went(request: Request) -> None:
    request.gone_s = time.monotonic()
    request.gone.set()
