"""What one page is sent of its comparison while it runs: patches by version, to the page that may have them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from playground import parts
from playground.parts import Parts
from playground.settings import Settings
from playground.types import SIDES, Prompt, Sampling, Side
from playground.ui.casting import Ask
from playground.ui.live import Feed, Feeds, TextBlocks
from playground.ui.markdown import render
from playground.ui.pace import Pace
from playground.ui.visit import Visit, Visitors
from tests.fakes import ScriptedEngine, Step, stand_in
from tests.following import ended, follow
from tests.patience import LIMIT_S

KEYS = ("quick", "slow")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Parts]:
    rows = "".join(
        f'[[model]]\nkey = "{key}"\ntitle = "The {key} one"\nengine = "openai"\nbase_url = "http://example.invalid"\n'
        for key in KEYS
    )
    (tmp_path / "models.toml").write_text(rows, encoding="utf-8")
    settings = Settings(left="quick", right="slow", models=tmp_path / "models.toml", cache=tmp_path / "cache",
                        votes=tmp_path / "votes.csv", prompts=tmp_path / "none", blind_models=KEYS)  # fmt: skip
    made = parts.assemble(settings)
    yield made
    made.pool.close()


def visit_of(house: Parts, quick: list[Step], slow: list[Step] | None = None, **changes: object) -> Visit:
    """A visit that has asked these two."""
    stand_in(house.pool, {"quick": ScriptedEngine("quick", quick), "slow": ScriptedEngine("slow", slow or quick)})
    visit = Visitors(house).of("tab")
    models: dict[Side, str] = {"left": "quick", "right": "slow"}
    nothing = dict.fromkeys(SIDES, ""), dict.fromkeys(SIDES, Sampling())
    visit.start(Ask(Prompt("?"), models, "together", *nothing, **changes))
    return visit


def feeds_of(house: Parts) -> Feeds:
    return Feeds(Pace(), house.catalog.row)


@dataclass
class Page:
    """What a browser makes of patches, as `live.js` does."""

    version: int = 0
    values: dict[str, object] = field(default_factory=dict)
    blocks: dict[str, list[str]] = field(default_factory=dict)

    def apply(self, data: bytes) -> None:
        patch = json.loads(data)
        self.version = patch["version"]
        self.values |= patch["values"]
        for key, (start, changed) in patch["blocks"].items():
            self.blocks.setdefault(key, [])[start:] = changed

    def text(self, key: str) -> str:
        return "".join(self.blocks.get(key, []))


def poll(feed: Feed, page: Page) -> bool:
    """Apply what is new; whether nothing more can come."""
    patch = feed.patch(page.version)
    if patch:
        page.apply(patch.data)
    return feed.ended


def written(house: Parts, visit: Visit, page: Page) -> Page:
    """The page at the end, when it looked as often as it could."""
    feed = Feed(visit, house.catalog.row)
    for _ in follow(visit):
        poll(feed, page)
    assert poll(feed, page)
    return page


ANSWER = "Here is a list:\n\n1. one\n2. **two**\n\n```python\nx = 1\n```\n\nThe [end].\n\n[end]: https://example.org\n"
PIECES: list[Step] = [(0.002, ANSWER[at : at + 3]) for at in range(0, len(ANSWER), 3)]


def test_what_the_page_shows_at_the_end_equals_one_render_of_the_whole(house: Parts) -> None:
    page = written(house, visit_of(house, PIECES), Page())
    assert page.text("left.text") == page.text("right.text") == render(ANSWER)
    assert page.values["left.source"] == ANSWER
    assert page.values["race"] == "ended"


def test_a_page_that_lost_its_connection_gets_what_changed_since(house: Parts) -> None:
    visit = visit_of(house, PIECES)
    feed, steady, lossy = Feed(visit, house.catalog.row), Page(), Page()
    for count, _ in enumerate(follow(visit)):
        poll(feed, steady)
        if count % 7 == 0:
            poll(feed, lossy)
    poll(feed, steady)
    poll(feed, lossy)
    assert lossy == steady
    assert (fresh := written(house, visit, Page())).blocks == steady.blocks
    assert {**fresh.values, "figures": ""} == {**steady.values, "figures": ""}


def test_a_version_of_another_feed_counts_as_none(house: Parts) -> None:
    visit = visit_of(house, [(0.0, "Hello")])
    ended(visit)
    feed = Feed(visit, house.catalog.row)
    patch = feed.patch(10**9)
    assert patch
    page = Page()
    page.apply(patch.data)
    assert page.text("left.text") == render("Hello")
    assert feed.patch(patch.version) is None


def test_when_nothing_changes_nothing_is_sent(house: Parts) -> None:
    gate = threading.Event()
    visit = visit_of(house, [(0.0, "Hello"), gate])
    feed, page = Feed(visit, house.catalog.row), Page()
    for now in follow(visit):
        poll(feed, page)
        if now.left.text and now.right.text:
            break
    assert feed.patch(page.version) is None
    gate.set()
    ended(visit)


def test_figures_are_sent_four_times_a_second_and_none_is_left_behind(house: Parts) -> None:
    gate, now_s = threading.Event(), [100.0]
    visit = visit_of(house, [(0.0, "Hello"), gate, *[(0.002, " you")] * 20, gate])
    feed, page = Feed(visit, house.catalog.row, clock=lambda: now_s[0]), Page()
    for now in follow(visit):
        poll(feed, page)
        if now.left.text and now.right.text:
            break
    now_s[0] += 0.25
    poll(feed, page)
    cells = {key: value for key, value in page.values.items() if key.startswith("cell.")}
    gate.set()
    for now in follow(visit):
        if not now.final:
            poll(feed, page)
            assert {key: page.values[key] for key in cells} == cells  # the clock stands, and so do the figures
    assert poll(feed, page)
    assert {key: page.values[key] for key in cells} != cells


def test_a_side_that_has_ended_is_not_rendered_again(house: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    visit = visit_of(house, [(0.0, "Hello")], [(0.0, "a"), gate, *[(0.002, "b")] * 50])
    feed, page = Feed(visit, house.catalog.row), Page()
    for now in follow(visit):
        poll(feed, page)
        if now.left.final and now.right.text:
            break
    rendered: list[Side] = []
    real = feed._refresh_side
    monkeypatch.setattr(feed, "_refresh_side", lambda side, *rest: rendered.append(side) or real(side, *rest))
    gate.set()
    for now in follow(visit):
        if not now.final:
            poll(feed, page)
    assert rendered.count("right") > 1
    assert rendered.count("left") == 0
    poll(feed, page)
    assert page.text("right.text") == render("a" + "b" * 50)


def test_until_the_vote_a_hidden_pair_shows_neither_name_nor_figure_and_then_all(house: Parts) -> None:
    thought: list[Step] = [(0.0, "?I think"), (0.0, "Four."), (0.1, " Yes.")]
    visit = visit_of(house, thought, blind=True)
    feed, page, received = Feed(visit, house.catalog.row), Page(), b""
    for _ in follow(visit):
        if patch := feed.patch(page.version):
            received += patch.data
            page.apply(patch.data)
    for word in (b"quick", b"slow", b"The ", b"think", b"tok/s", b"cell."):
        assert word not in received
    assert page.text("left.text") == page.text("right.text") == render("Four. Yes.")
    visit.vote("tie")
    poll(feed, page)
    assert {page.values["left.by"], page.values["right.by"]} == {f"The {key} one <small>openai</small>" for key in KEYS}
    assert page.values["sealed"] == ""
    assert "cell.0.left" in page.values
    assert page.text("left.thought-text") == render("I think")


def test_answers_that_are_held_back_are_sent_when_both_have_ended(house: Parts) -> None:
    gate = threading.Event()
    visit = visit_of(house, [(0.0, "Four.")], [(0.0, "Five."), gate], hold=True)
    feed, page = Feed(visit, house.catalog.row), Page()
    for _ in range(20):
        poll(feed, page)
    assert page.text("left.text") == page.text("right.text") == ""
    gate.set()
    ended(visit)
    poll(feed, page)
    assert {page.text("left.text"), page.text("right.text")} == {render("Four."), render("Five.")}


@given(st.lists(st.tuples(st.text("ab \n*`#", max_size=8), st.booleans()), max_size=12), st.booleans())
def test_blocks_since_any_version_are_those_that_changed(steps: list[tuple[str, bool]], final: bool) -> None:
    text, blocks, pages = "", TextBlocks(), []
    for version, (piece, anew) in enumerate(steps, start=1):
        text = piece if anew else text + piece
        blocks.update(text, final=final and version == len(steps), version=version)
        for known, shown in pages:
            since = blocks.since(known)
            assert (shown[: since[0]] + since[1] if since else shown) == blocks.stream.blocks
        pages.append((version, list(blocks.stream.blocks)))


# -- the route --


@asynccontextmanager
async def connected(
    feeds: Feeds, path: str, query: str, headers: tuple[tuple[bytes, bytes], ...] = (), room: int = 0
) -> AsyncIterator[Stream]:
    """One GET of the app by ASGI, which ends as if the browser went away; `room` messages may wait unread, 0: any."""
    app, gone = Starlette(routes=[feeds.route()]), asyncio.Event()
    sent: asyncio.Queue[dict[str, object]] = asyncio.Queue(room)  # how much may wait to be read

    async def receive() -> dict[str, object]:
        await gone.wait()
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": list(headers),
             "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80), "root_path": "",
             "asgi": {"version": "3.0", "spec_version": "2.3"}}  # fmt: skip
    task = asyncio.create_task(app(scope, receive, sent.put))
    stream = Stream(sent, task)
    stream.start = await asyncio.wait_for(sent.get(), LIMIT_S)
    try:
        yield stream
    finally:
        gone.set()
        await asyncio.wait_for(task, LIMIT_S)


class Stream:
    """The events of one connection."""

    def __init__(self, sent: asyncio.Queue[dict[str, object]], task: asyncio.Task[None]) -> None:
        self._sent, self.task = sent, task
        self.start: dict[str, object] = {}

    @property
    def status(self) -> object:
        return self.start["status"]

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.start["headers"])  # type: ignore[call-overload]

    async def event(self) -> tuple[str, str]:
        """The next event and its data; ("", "") at the end of the response."""
        while True:
            message = await asyncio.wait_for(self._sent.get(), LIMIT_S)
            body = bytes(message.get("body", b"")).decode()  # type: ignore[arg-type]
            lines = dict(line.split(": ", 1) for line in body.splitlines() if ": " in line and line[0] != ":")
            if "event" in lines:
                return lines["event"], lines["data"]
            if not message.get("more_body"):
                return "", ""

    async def to_end(self, page: Page) -> list[str]:
        """Apply all patches to the page; the names of the events."""
        names = []
        while True:
            name, data = await self.event()
            if not name:
                return names
            names.append(name)
            if name == "patch":
                page.apply(data.encode())


def test_a_page_follows_its_comparison_to_the_end_and_no_proxy_holds_it_back(house: Parts) -> None:
    async def run() -> None:
        feeds, page = feeds_of(house), Page()
        ticket = feeds.open(visit_of(house, PIECES))
        async with connected(feeds, f"/live/{ticket}", "page=a") as stream:
            assert stream.status == 200
            assert stream.headers[b"content-type"].startswith(b"text/event-stream")
            assert stream.headers[b"x-accel-buffering"] == b"no"
            assert b"no-transform" in stream.headers[b"cache-control"]
            names = await stream.to_end(page)
        assert names[-1] == "end"
        assert page.text("left.text") == render(ANSWER)

    asyncio.run(run())


@pytest.mark.parametrize("path", ["/live/guess", "/live/" + "x" * 5000])
def test_a_guessed_ticket_is_not_found_and_nothing_is_said(house: Parts, path: str) -> None:
    async def run() -> None:
        feeds = feeds_of(house)
        feeds.open(visit_of(house, [(0.0, "Hello")]))
        async with connected(feeds, path, "page=a") as stream:
            assert stream.status == 404
            assert await stream.event() == ("", "")

    asyncio.run(run())


def test_a_ticket_is_good_for_the_page_that_used_it_first(house: Parts) -> None:
    async def run() -> None:
        feeds = feeds_of(house)
        visit = visit_of(house, [(0.0, "Hello")])
        ticket = feeds.open(visit)
        for query, status in (("", 404), ("page=a", 200), ("page=b", 404), ("page=a", 200)):
            async with connected(feeds, f"/live/{ticket}", query) as stream:
                assert stream.status == status, query

    asyncio.run(run())


def test_after_its_race_a_ticket_gives_what_there_is_and_ends_and_the_next_question_voids_it(house: Parts) -> None:
    async def run() -> None:
        feeds, page = feeds_of(house), Page()
        visit = visit_of(house, [(0.0, "Hello")])
        ticket = feeds.open(visit)
        await asyncio.to_thread(ended, visit)
        async with connected(feeds, f"/live/{ticket}", "page=a") as stream:
            assert await stream.to_end(page) == ["patch", "end"]
        async with connected(feeds, f"/live/{ticket}", f"page=a&since={page.version}") as stream:
            assert await stream.to_end(page) == ["end"]
        assert feeds.open(visit) != ticket
        async with connected(feeds, f"/live/{ticket}", "page=a") as stream:
            assert stream.status == 404

    asyncio.run(run())


@pytest.mark.parametrize("since", ["-1", "1e9", "99999999999999999999", "x", "%00", "٣"])
def test_a_version_that_cannot_be_begins_anew(house: Parts, since: str) -> None:
    async def run() -> None:
        feeds, page = feeds_of(house), Page()
        visit = visit_of(house, [(0.0, "Hello")])
        await asyncio.to_thread(ended, visit)
        async with connected(feeds, f"/live/{feeds.open(visit)}", f"page=a&since={since}") as stream:
            await stream.to_end(page)
        assert page.text("left.text") == render("Hello")

    asyncio.run(run())


def test_the_version_that_a_browser_saw_last_comes_in_a_header_too(house: Parts) -> None:
    async def run() -> None:
        feeds = feeds_of(house)
        visit = visit_of(house, [(0.0, "Hello")])
        ticket, page = feeds.open(visit), Page()
        await asyncio.to_thread(ended, visit)
        async with connected(feeds, f"/live/{ticket}", "page=a") as stream:
            await stream.to_end(page)
        header = ((b"last-event-id", str(page.version).encode()),)
        async with connected(feeds, f"/live/{ticket}", "page=a", header) as stream:
            assert await stream.to_end(page) == ["end"]

    asyncio.run(run())


def test_a_newer_connection_of_a_page_takes_the_place_of_the_older(house: Parts) -> None:
    async def run() -> None:
        feeds, gate = feeds_of(house), threading.Event()
        visit = visit_of(house, [(0.0, "Hello"), gate])
        path = f"/live/{feeds.open(visit)}"
        async with connected(feeds, path, "page=a") as old:
            assert (await old.event())[0] == "patch"
            async with connected(feeds, path, "page=a") as new:
                assert (await old.to_end(Page()))[-1:] != ["end"]
                assert (await new.event())[0] == "patch"
                gate.set()
                assert (await new.to_end(Page()))[-1] == "end"

    asyncio.run(run())


def test_a_page_that_goes_away_is_no_watcher_and_its_work_goes_on_for_a_while(house: Parts) -> None:
    async def run() -> None:
        feeds, gate = feeds_of(house), threading.Event()
        visit = visit_of(house, [(0.0, "Hello"), gate])
        path = f"/live/{feeds.open(visit)}"
        for _ in range(500):
            async with connected(feeds, path, "page=a") as stream:
                assert visit.is_watched
                await stream.event()
        assert not visit.is_watched
        assert not visit.ended
        gate.set()
        page = Page()
        async with connected(feeds, path, "page=a") as stream:
            assert (await stream.to_end(page))[-1] == "end"
        assert page.text("left.text") == render("Hello")

    asyncio.run(run())


LONG = {
    "a hundred thousand tokens": [f"token{n} " + "\n\n" * (n % 50 == 0) for n in range(100_000)],
    "one line of 3 MB": ["x" * 3_000_000],
    "ten thousand blocks": ["a\n\n" * 10_000],
    "a fence that closes at the end": ["```python\n", *["x = 1\n"] * 20_000, "```"],
}


@pytest.mark.parametrize("pieces", LONG.values(), ids=LONG.keys())
def test_a_long_answer_arrives_whole_and_no_patch_repeats_what_the_page_has(house: Parts, pieces: list[str]) -> None:
    visit = visit_of(house, [(0.0, piece) for piece in pieces], [(0.0, "short")])
    feed, page, sent = Feed(visit, house.catalog.row), Page(), 0
    for _ in follow(visit):
        if patch := feed.patch(page.version):
            sent += len(patch.data)
            page.apply(patch.data)
    whole = "".join(pieces)
    assert page.text("left.text") == render(whole)
    assert page.values["left.source"] == whole
    assert sent < 8 * (len(whole) + len(render(whole))) + 100_000


def test_a_browser_that_reads_slowly_gets_fewer_patches_and_the_race_does_not_wait_for_it(house: Parts) -> None:
    async def run() -> None:
        feeds = feeds_of(house)
        visit = visit_of(house, [(0.005, f"word{n} ") for n in range(200)])
        async with connected(feeds, f"/live/{feeds.open(visit)}", "page=a", room=1) as stream:
            await asyncio.wait_for(asyncio.to_thread(ended, visit), LIMIT_S)  # nothing is read meanwhile
            page = Page()
            names = await stream.to_end(page)
        assert names.count("patch") <= 4
        assert page.text("left.text") == render("".join(f"word{n} " for n in range(200)))

    asyncio.run(run())


def test_a_visit_that_is_forgotten_takes_its_ticket_with_it(house: Parts) -> None:
    async def run() -> None:
        feeds = feeds_of(house)
        visit = visit_of(house, [(0.0, "Hello")])
        ticket = feeds.open(visit)
        await asyncio.to_thread(ended, visit)
        feeds.close(visit)
        async with connected(feeds, f"/live/{ticket}", "page=a") as stream:
            assert stream.status == 404

    asyncio.run(run())
