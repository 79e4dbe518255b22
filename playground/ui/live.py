"""Streams a running comparison to its browser tab as Server-Sent Events, beside Gradio and not through it.

Gradio re-renders every output of an event at each update, which cost the browser a whole core while two answers
streamed (docs/decisions.md). Here a tab is sent patches: blocks of Markdown, figures and states that changed. A patch
is always "what changed since version N", so that a reconnection, a reload and a browser that reads slowly are the same
case: fewer and larger patches. What a blind visitor may see is decided by `Visit.shown`, before anything is rendered.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from playground import asking
from playground.types import SIDES, Answer, Comparison, ModelSpec, Side
from playground.ui import show
from playground.ui.markdown import MarkdownStream
from playground.ui.pace import Pace
from playground.ui.visit import Visit

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 10.0
"""A comment line at least this often, so that no proxy takes a quiet stream for a dead one."""
RETRY_MS = 1_000
"""How long a browser waits before it connects again by itself."""
FIGURES_EVERY_S = 0.25
"""Figures that change more often cannot be read, and drawing them at every patch is a third of what a patch costs."""
ALL_FIGURES_EVERY = 4
"""The long table of figures is rendered anew at every fourth time: it is folded away while answers stream."""
LARGE_CHARS = 20_000
"""Above this much unrendered text a patch is made in a thread, so that the event loop serves others meanwhile."""
HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx and those that follow it buffer responses unless told not to
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Patch:
    """What changed up to `version`, ready for the wire, and whether nothing can follow it."""

    version: int
    data: bytes
    final: bool


@dataclass
class TextBlocks:
    """The rendered blocks of one text, each with the version in which it last changed. Versions never fall along the
    list, because only its end changes: so what changed since a version is a tail of it."""

    stream: MarkdownStream = field(default_factory=MarkdownStream)
    text: str = ""
    finished: bool = False
    versions: list[int] = field(default_factory=list)
    shrunk_in: int = 0

    def update(self, text: str, *, final: bool, version: int) -> bool:
        """Render what is new of `text`; whether anything changed."""
        if self.finished and text == self.text:
            return False
        first = len(self.stream.blocks)
        if self.finished or not text.startswith(self.text):  # another answer takes its place
            self.stream, self.text, first = MarkdownStream(), "", 0
        if len(text) > len(self.text):
            self.stream.feed(asking.clean(text[len(self.text) :]))
            self.text = text
        first = min(first, self.stream.finish() if final else self.stream.refresh())
        self.finished = final
        count = len(self.stream.blocks)
        if first == count == len(self.versions):
            return False
        if count < len(self.versions):
            self.shrunk_in = version
        self.versions[first:] = [version] * (count - first)
        return True

    def since(self, version: int) -> tuple[int, list[str]] | None:
        """The index of the first block that changed after `version`, and all blocks from there; None if none did."""
        first = len(self.versions)
        while first and self.versions[first - 1] > version:
            first -= 1
        if first == len(self.versions) and self.shrunk_in <= version:
            return None
        return first, self.stream.blocks[first:]


class Feed:
    """One comparison of one visit, as patches. Thread-safe. `specs` gives the row of a model by its key; `clock`, in
    seconds, never jumps."""

    def __init__(
        self, visit: Visit, specs: Callable[[str], ModelSpec], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._visit, self._specs, self._clock = visit, specs, clock
        self._lock = threading.Lock()
        self._version = 0
        self._figures_s = -FIGURES_EVERY_S
        self._figures_count = 0
        self._figures_wait = False
        self._values: dict[str, tuple[int, Any]] = {}
        self._blocks = {f"{side}.{part}": TextBlocks() for side in SIDES for part in ("thought-text", "text")}
        self._seen: tuple[Answer, Answer, bool] | None = None
        self._page = ""
        self.connection = 0
        self.ended = False

    def claim(self, page: str) -> bool:
        """Bind this comparison to the first page that asks for it; False for any other page. On the event loop only."""
        self._page = self._page or page
        return bool(page) and secrets.compare_digest(self._page.encode(), page.encode())

    @property
    def every_s(self) -> float | None:
        """Seconds between patches that the visitor's own settings ask for; None for as often as the app can."""
        return self._visit.update_every_s

    @contextmanager
    def connected(self) -> Any:
        """Count a connection for as long as the block runs; the newest one of a page is the one that is served. On the
        event loop only."""
        self.connection += 1
        with self._visit.watched():
            yield self.connection

    def is_large(self) -> bool:
        """Whether the next patch takes long enough to be made outside the event loop, or another one is being made."""
        if self._lock.locked():
            return True
        now = self._visit.comparison
        if now is None:
            return False
        known = sum(len(blocks.text) for blocks in self._blocks.values())
        whole = sum(len(now.side(side).text) + len(now.side(side).reasoning) for side in SIDES)
        unfinished = now.final and not all(blocks.finished for blocks in self._blocks.values())
        return whole - known > LARGE_CHARS or (unfinished and whole > LARGE_CHARS)

    def patch(self, since: int = 0) -> Patch | None:
        """What changed after version `since`; None when nothing did. A version of another feed counts as 0."""
        with self._lock:
            self.ended = self._visit.ended  # first: what is shown after it is final
            if view := self._visit.view:
                self._refresh(*view)
            since = since if 0 <= since <= self._version else 0
            if since == self._version:
                return None
            values = {key: value for key, (version, value) in self._values.items() if version > since}
            blocks = {key: found for key, each in self._blocks.items() if (found := each.since(since))}
            data = orjson.dumps({"version": self._version, "values": values, "blocks": blocks})
            return Patch(self._version, data, self.ended)

    def _refresh(self, now: Comparison, sealed: bool) -> None:
        version = self._version + 1
        seen = (now.left, now.right, sealed)
        if seen == self._seen and not self._figures_wait:
            return
        values = show.race_values(now, sealed=sealed)
        if not sealed:  # speed gives a model away
            values |= self._figures(now)
        changed = [self._put(key, value, version) for key, value in values.items()]
        for side in SIDES:
            if self._seen is None or now.side(side) != self._seen[SIDES.index(side)] or now.final:
                changed += self._refresh_side(side, now, version)
        self._seen = seen
        if any(changed):
            self._version = version

    def _figures(self, now: Comparison) -> dict[str, Any]:
        """The figures that are due."""
        self._figures_wait = not now.final and self._clock() - self._figures_s < FIGURES_EVERY_S
        if self._figures_wait:
            return {}
        self._figures_s = self._clock()
        values = show.glance_values(now)
        if now.final or self._figures_count % ALL_FIGURES_EVERY == 0:
            values["figures"] = show.all_figures(now)
        self._figures_count += 1
        return values

    def _refresh_side(self, side: Side, now: Comparison, version: int) -> list[bool]:
        answer = now.side(side)
        spec = self._specs(answer.model) if answer.model else None
        values = show.side_values(side, answer, spec)
        changed = [self._put(f"{side}.{key}", value, version) for key, value in values.items()]
        for part, text in (("thought-text", answer.reasoning), ("text", answer.text)):
            changed.append(self._blocks[f"{side}.{part}"].update(text, final=answer.final, version=version))
        return changed

    def _put(self, key: str, value: Any, version: int) -> bool:
        if key in self._values and self._values[key][1] == value:
            return False
        self._values[key] = (version, value)
        return True


class Feeds:
    """The feeds of all visits by ticket: an unguessable word made at Send, good for one comparison of one page."""

    def __init__(self, pace: Pace, specs: Callable[[str], ModelSpec]) -> None:
        self._pace, self._specs = pace, specs
        self._feeds: WeakValueDictionary[str, Feed] = WeakValueDictionary()  # a visit owns its feed
        self._lock = threading.Lock()

    def open(self, visit: Visit) -> str:
        """A ticket for what this visit compares now; its earlier one is void."""
        ticket, feed = secrets.token_urlsafe(24), Feed(visit, self._specs)
        with self._lock:
            self._feeds.pop(visit.ticket, None)
            self._feeds[ticket] = feed
            visit.earlier_ticket, visit.ticket, visit.feed = visit.ticket, ticket, feed
            visit.shown_as = ticket
        return ticket

    def close(self, visit: Visit) -> None:
        """Void the ticket of this visit."""
        with self._lock:
            self._feeds.pop(visit.ticket, None)
            visit.ticket = visit.earlier_ticket = visit.shown_as = ""
            visit.feed = None

    def route(self) -> Route:
        """The route that serves patches, to stand beside Gradio's own."""
        return Route("/live/{ticket}", self._serve, methods=["GET"])

    async def _serve(self, request: Request) -> Response:
        feed = self._feeds.get(request.path_params["ticket"])
        if feed is None or not feed.claim(request.query_params.get("page", "")[:64]):
            return Response(status_code=404)
        since = request.headers.get("last-event-id") or request.query_params.get("since", "")
        stream = self._events(feed, int(since) if since.isascii() and since.isdigit() and len(since) < 16 else 0)
        return StreamingResponse(stream, media_type="text/event-stream", headers=HEADERS)

    async def _events(self, feed: Feed, since: int) -> AsyncIterator[bytes]:
        with self._pace.watching(), feed.connected() as mine:
            yield b"retry: %d\n\n" % RETRY_MS
            quiet_s = 0.0
            while mine == feed.connection:  # a newer connection of this page takes its place
                try:
                    large = feed.is_large()
                    patch = await asyncio.to_thread(feed.patch, since) if large else feed.patch(since)
                except Exception:  # the edge of a connection: a page that cannot be updated must still hear of the end
                    log.exception("a page could not be updated")
                    yield b"event: end\ndata: {}\n\n"
                    return
                if patch:
                    since, quiet_s = patch.version, 0.0
                    yield b"id: %d\nevent: patch\ndata: %b\n\n" % (patch.version, patch.data)
                elif quiet_s >= KEEP_ALIVE_S:
                    quiet_s = 0.0
                    yield b": still here\n\n"
                if patch.final if patch else feed.ended:
                    yield b"event: end\ndata: {}\n\n"
                    return
                pause_s = self._pace.every_s(feed.every_s)
                await asyncio.sleep(pause_s)
                quiet_s += pause_s
