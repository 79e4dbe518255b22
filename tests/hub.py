"""A stand-in for the Hub's upload: the HTTP endpoints that huggingface_hub 2.4 calls for a commit. Not a test itself.

Small files come inside the commit, large ones by git-lfs beforehand, as the Hub itself decides.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.patience import LIMIT_S

TOKEN = "hf_of_the_tests"
REPO = "team/votes"


class Hub(ThreadingHTTPServer):
    """One dataset. Tests read `files` (name -> content) and `commits` (names of each), and set how it behaves."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.commits: list[dict[str, bytes]] = []
        self.created: list[dict[str, Any]] = []
        self.blobs: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.refuse_with = 0
        self.lfs_from = 10_000_000
        self.arrived = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def rows(self) -> int:
        """Rows of votes in all files, headers left out; a text of a vote has no line end here."""
        return sum(content.count(b"\r\n") - 1 for content in self.files.values())


@contextmanager
def hub() -> Iterator[Hub]:
    """A running stand-in."""
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append(self.path)
        if self.server.refuse_with:
            self._say(self.server.refuse_with, {"error": "the stand-in was told to refuse"})
        elif not self.path.startswith("/lfs/") and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._say(401, {"error": "Invalid credentials"})
        else:
            self._route(body)

    def _route(self, body: bytes) -> None:
        api, repo = f"/api/datasets/{REPO}", f"/datasets/{REPO}"
        if self.path == "/api/repos/create":
            self._create(json.loads(body))
        elif self.path == f"{api}/preupload/main":
            self._preupload(json.loads(body))
        elif self.path == f"{repo}.git/info/lfs/objects/batch":
            self._batch(json.loads(body))
        elif found := re.fullmatch("/lfs/([0-9a-f]{64})", self.path):
            self.server.blobs[found[1]] = body
            self._say(200, {})
        elif self.path == f"{api}/commit/main":
            self._commit([json.loads(line) for line in body.splitlines()])
        elif self.path.startswith(api):
            self._say(200, {"id": REPO, "sha": "0" * 40})
        else:
            self._say(404, {"error": f"the stand-in does not know {self.path}"})

    def _create(self, wish: dict[str, Any]) -> None:
        known = bool(self.server.created)
        self.server.created.append(wish)
        self._say(409 if known else 200, {"url": f"{self.server.url}/datasets/{REPO}"})

    def _preupload(self, wish: dict[str, Any]) -> None:
        modes = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["size"] >= self.server.lfs_from else "regular",
                "shouldIgnore": False,
                "oid": _oid(self.server.files.get(file["path"]), file["size"] >= self.server.lfs_from),
            }
            for file in wish["files"]
        ]
        self._say(200, {"files": modes})

    def _batch(self, wish: dict[str, Any]) -> None:
        objects = [
            {**each, "actions": {"upload": {"href": f"{self.server.url}/lfs/{each['oid']}"}}}
            for each in wish["objects"]
        ]
        self._say(200, {"transfer": "basic", "objects": objects})

    def _commit(self, lines: list[dict[str, Any]]) -> None:
        self.server.arrived.set()
        self.server.go_on.wait(LIMIT_S)
        changed = {}
        for line in lines[1:]:
            value = line["value"]
            whole = base64.b64decode(value["content"]) if line["key"] == "file" else self.server.blobs[value["oid"]]
            changed[value["path"]] = whole
        self.server.files |= changed
        self.server.commits.append(changed)
        number = f"{len(self.server.commits):040x}"
        self._say(200, {"commitUrl": f"{self.server.url}/datasets/{REPO}/commit/{number}", "commitOid": number})

    def _say(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests say what went wrong themselves."""


def _oid(content: bytes | None, lfs: bool) -> str | None:
    """What the Hub names a file's content by: git's hash of a blob, or SHA-256 under git-lfs."""
    if content is None:
        return None
    return (
        hashlib.sha256(content).hexdigest() if lfs else hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    )
