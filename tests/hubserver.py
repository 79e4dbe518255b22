"""A stand-in for the Hub: one repository over HTTP, as far as its client asks. Not a test itself.

It can cut connections off after so many bytes, refuse as the Hub refuses, and keeps what was asked for.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.listening import Quiet, listening
from tests.patience import LIMIT_S

COMMIT = "c0ffee" * 6 + "c0ff"


@dataclass
class Hub:
    """`files` of the repository ORG/NAME; `cut_after` ends an answer after so many bytes, `cuts` times
    (`stall`: it is not ended, but nothing more comes); `refuse` is the error code that the Hub gives for files. Whether
    it is there at all is answered when `awake` is set."""

    files: Mapping[str, bytes]
    repository: str = "org/name"
    cut_after: int | None = None
    cuts: int = 0
    stall: threading.Event | None = None
    refuse: str = ""
    awake: threading.Event | None = None
    key: str = ""
    sent: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve it on a free port until the end of the block."""

    class Handler(Quiet):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            path = self.path.partition("?")[0]
            hub.asked.append((self.command, path))
            key = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if key and hub.key and key != hub.key:
                return self.refuse(401, "", "Invalid credentials in Authorization header")
            if path != "/api/models" and not path.startswith((f"/api/models/{hub.repository}", f"/{hub.repository}/")):
                return self.refuse(401, "RepoNotFound", "Repository not found")
            if path == "/api/models":  # any question about models: it answers
                if hub.awake:
                    hub.awake.wait(LIMIT_S)
                return self.send(200, {"Content-Type": "application/json"}, b"[]", body)
            if path.startswith("/api/"):
                siblings = [{"rfilename": name, "size": len(data)} for name, data in hub.files.items()]
                about = {"id": hub.repository, "modelId": hub.repository, "sha": COMMIT, "siblings": siblings}
                return self.send(200, {"Content-Type": "application/json"}, json.dumps(about).encode(), body)
            if hub.refuse == "GatedRepo":
                return self.refuse(403, "GatedRepo", "Access to this model is restricted")
            name = path.split(f"/resolve/{COMMIT}/", 1)[-1]
            if name not in hub.files:
                return self.refuse(404, "EntryNotFound", "Entry not found")
            return self.file(hub.files[name], body)

        def refuse(self, status: int, code: str, said: str) -> None:
            headers = {"X-Error-Message": said} | ({"X-Error-Code": code} if code else {})
            self.send(status, headers, b"", True)

        def file(self, data: bytes, body: bool) -> None:
            tag = hashlib.sha256(data).hexdigest()
            headers = {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            start = int((self.headers.get("Range") or "bytes=0-")[6:].split("-")[0])
            status = 206 if start else 200
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.send(status, headers, data[start:], body)

        def send(self, status: int, headers: Mapping[str, str], data: bytes, body: bool) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if not body:
                return
            if hub.cuts and hub.cut_after is not None and len(data) > max(hub.cut_after, 1_000_000):
                hub.cuts -= 1
                data, self.close_connection = data[: hub.cut_after], True
            self.wfile.write(data)
            hub.sent += len(data)
            if self.close_connection and hub.stall:
                hub.stall.wait(LIMIT_S)

    with listening(Handler) as hub.url:
        yield hub
