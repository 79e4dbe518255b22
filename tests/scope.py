"""A stand-in for ModelScope: one repository over HTTP, as far as its own client asks (modelscope-hub 0.5.1). No test.

It can cut answers off after so many bytes, refuse, and keeps what was asked for.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from tests.listening import Quiet, listening
from tests.patience import LIMIT_S

API = "/api/v1/models/org/name/repo"


@dataclass
class Scope:
    """`files` of the repository org/name in its `revision`. Of a file, `cut_after` bytes come, `cuts` times (`stall`:
    the connection stays open, but nothing more comes). `status` is what everything is answered with, `spoil` sends
    other bytes than the list says, `key` is asked for."""

    files: Mapping[str, bytes]
    revision: str = "master"
    cut_after: int = 0
    cuts: int = 0
    stall: threading.Event | None = None
    status: int = 0
    spoil: bool = False
    key: str = ""
    sent: int = 0
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def listed(self) -> list[dict[str, object]]:
        """The files, and a folder among them."""
        blobs = [
            {"Path": path, "Name": path, "Type": "blob", "Size": len(data), "Sha256": hashlib.sha256(data).hexdigest()}
            for path, data in self.files.items()
        ]
        return [{"Path": "folder", "Name": "folder", "Type": "tree", "Size": 0}, *blobs]


@contextmanager
def serving(scope: Scope) -> Iterator[Scope]:
    """Serve it on a free port until the end of the block."""

    class Handler(Quiet):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            scope.asked.append(self.path)
            path, asked = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            if scope.status or (scope.key and self.headers.get("Authorization") != f"Bearer {scope.key}"):
                return self.say(scope.status or 401, {"Code": 1, "Message": "refused", "Success": False})
            if not path.startswith(API) or asked.get("Revision", ["master"]) != [scope.revision]:
                return self.say(404, {"Code": 10010205001, "Message": "not found", "Success": False})
            if path == f"{API}/files":
                return self.say(200, {"Code": 200, "Success": True, "Data": {"Files": scope.listed()}})
            data = scope.files.get(asked.get("FilePath", [""])[0])
            if path != API or data is None:
                return self.say(404, {"Code": 404, "Message": "no such file", "Success": False})
            return self.file(data)

        def say(self, status: int, answer: object) -> None:
            body = json.dumps(answer).encode()
            self.head(status, {"Content-Type": "application/json"}, len(body))
            self.wfile.write(body)

        def file(self, data: bytes) -> None:
            start = int((self.headers.get("Range") or "bytes=0-")[6:].split("-")[0])
            part = data[start:]
            headers = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if "Range" in self.headers else {}
            self.head(206 if headers else 200, headers, len(part))
            if self.command == "HEAD":
                return
            if scope.cuts and len(part) > max(scope.cut_after, 1_000_000):
                scope.cuts -= 1
                part, self.close_connection = part[: scope.cut_after], True
            self.wfile.write(bytes(len(part)) if scope.spoil else part)
            scope.sent += len(part)
            if self.close_connection and scope.stall:
                scope.stall.wait(LIMIT_S)

        def head(self, status: int, headers: Mapping[str, str], length: int) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(length)}.items():
                self.send_header(name, value)
            self.end_headers()

    with listening(Handler) as scope.url:
        yield scope
