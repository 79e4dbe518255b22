"""Blind votes in a real browser: all that it received before the vote, and what it is told then.

A tap between browser and app keeps every byte: pages, scripts, configuration, events, files, headers.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from playground import catalog, votes
from playground.types import SIDES
from tests import site
from tests.browser import LONG_S, MARKS, REACTION_MS, answer, ask, browser, finished, playwright, visit
from tests.patience import LIMIT_S
from tests.tap import Tap, tapped

__all__ = ["browser", "visit"]
pytestmark = MARKS

KESTREL, MARLIN = "Kestrel9 Nimbus", "Marlin4 Abyss"
GIVEAWAYS = ("kestrel", "nimbus", "marlin", "abyss", "acme", "unpacking", "ponder", "burned", "4716253", "9053817",
             "cannot see", "kestrel_stop")  # fmt: skip
"""Names, keys, sources, stages of loading, thoughts, errors, notices, counts: in lower case."""


SILENCE = [36_000, "text", "at last."]
"""What comes after it is not waited for: somebody stops the answer."""


def _rows(folder: Path) -> str:
    usage = {"prompt_tokens": 4716253, "reasoning_tokens": 9, "answer_tokens": 12, "source": "server"}
    at_length = {"match": "at length", "events": [[0.02, "text", "So it went on. " * 400]]}
    thinker = [
        at_length,
        {
            "match": "quick", "events": site.words("Blue it is, and quickly said.", every_s=0.01, first_s=0.02),
        },
        {
            "match": "",
            "events": [*site.words("I ponder this", kind="reasoning"), *site.words("The sky is blue.", first_s=0.4)],
            "usage": usage,
            "finish_reason": "kestrel_stop",
        },
    ]  # fmt: skip
    breaker = [
        at_length,
        {"match": "break", "events": [[0.1, "text", "I begin"]], "error": "acme's board burned down."},
        {"match": "quick", "events": [[0.1, "text", "Red it is, and slowly"], SILENCE]},
        {"match": "name yourself", "events": site.words("I am Marlin4, at your service.")},
        {"match": "run on", "events": [*site.words("word1 word2 word3"), SILENCE]},
        {
            "match": "", "events": site.words("Light is bent, says the other."),
            "usage": {"answer_tokens": 9053817, "source": "server"},
        },
    ]  # fmt: skip
    first = site.model(folder, "kestrel-key", thinker, KESTREL, extra="reads_images = true\nparameters_b = 13")
    recording = folder / "kestrel-key.json"
    recording.write_text(recording.read_text().replace('"schema": 1', '"schema": 1, "load": [["unpacking", 0.2]]'))
    return first + site.model(folder, "marlin-key", breaker, MARLIN, extra='repository = "acme/marlin"')


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("arena")


@pytest.fixture(scope="module")
def line(home: Path) -> Iterator[tuple[str, Tap]]:
    """The app that is blind altogether, behind a tap."""
    flags = ("--blind", "--blind-models", "kestrel-key,marlin-key")
    with site.app(home, _rows(home), *flags) as url, tapped(url) as through:
        yield through


@pytest.fixture(scope="module")
def open_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("open")


@pytest.fixture(scope="module")
def open_line(open_home: Path) -> Iterator[tuple[str, Tap]]:
    """The app with its switch between open and blind, behind a tap."""
    flags = ("--left", "kestrel-key", "--right", "marlin-key", "--blind-models", "kestrel-key,marlin-key")
    with site.app(open_home, _rows(open_home), *flags) as url, tapped(url) as through:
        yield through


def given_away(received: bytes) -> list[str]:
    assert not re.search(rb"\r\ncontent-encoding: *[a-z]", received, re.IGNORECASE), (
        "compressed: the tap cannot read it"
    )
    return [word for word in GIVEAWAYS if word.encode() in received.lower()]


def whole_page(tab: object) -> bytes:
    """The document as it stands with its frames' addresses, and all that it asked for by name."""
    names = tab.evaluate("performance.getEntries().map((entry) => entry.name).join(' ')")
    fields = tab.evaluate("[...document.querySelectorAll('input, textarea')].map((it) => it.value).join(' ')")
    state = tab.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.title, location.href])")
    return " ".join([tab.content(), names, fields, state]).encode()


_RANDOM = re.compile(rb'"(event_id|(?:average_|cache_)?duration|avg_time|(?:rank_)?eta)":("[0-9a-f]*"|[0-9.e-]+|null)')
_TICKET = re.compile(rb'"[A-Za-z0-9_-]{32}"')


def told(received: bytes) -> tuple[list[bytes], list[bytes]]:
    """What came but for random ids and times: the lines of headers, sorted, as connections come in any order; and the
    events, in order. Updates in which nothing changed are left out: how many there are is a matter of time."""
    assert b"\ndata: " in received, "the tap hears events"
    received = received.replace(b"HTTP/1.1 ", b"\nHTTP/1.1 ")  # a connection that is used again
    lines = [_TICKET.sub(b'"*"', _RANDOM.sub(rb'"\1":"*"', line.rstrip(b"\r"))) for line in received.split(b"\n")]
    lines = [b"date: *" if line.lower().startswith(b"date: ") else line for line in lines]
    lines = [line for line in lines if not re.fullmatch(rb"[0-9a-f]*", line)]  # how long a chunk is
    idle = re.compile(rb'"process_generating".*"output":\{"data":\[(\[\],?)*\]')
    events = [line for line in lines if line.startswith(b"data: ") and not idle.search(line)]
    lines = [line for line in lines if not line.startswith((b"data: ", b"id: ", b"event: "))]
    return sorted(lines), events


TWINS = "twin-of-long-name-key", "b"


def _twins(folder: Path) -> str:
    """Two models that answer in the same words and differ in all else: names, thoughts, loading, counts, ends."""
    said: dict[str, object] = {"match": "", "events": [[0.6, "text", "The sky is blue."]]}
    thoughts = {
        **said,
        "events": [[0.1, "reasoning", "I ponder this. " * 40], [0.9, "text", "The sky is blue."]],
        "usage": {"prompt_tokens": 4716253, "reasoning_tokens": 90, "answer_tokens": 12, "source": "server"},
        "finish_reason": "kestrel_stop",
    }
    about = (
        'reads_images = true\nparameters_b = 13\nquantization = "Q4_K_M"\nrepository = "acme/kestrel"\nthinking = true'
    )
    rows = site.model(folder, TWINS[0], [thoughts], "A model with quite a long title, 13B", extra=about)
    recording = folder / f"{TWINS[0]}.json"
    recording.write_text(recording.read_text().replace('"schema": 1', '"schema": 1, "load": [["unpacking", 0.2]]'))
    return rows + site.model(folder, TWINS[1], [said], "B")


@pytest.mark.parametrize("held", [True, False])
def test_with_sides_swapped_the_same_answers_arrive_as_the_same_bytes(
    visit: Callable[..., object], tmp_path: Path, held: bool
) -> None:
    seen: dict[str, list[tuple[list[bytes], list[bytes]]]] = {key: [] for key in TWINS}
    flags = ("--blind", "--blind-models", ",".join(TWINS), *(("--hold-answers",) if held else ()))
    with site.app(tmp_path, _twins(tmp_path), *flags) as url, tapped(url) as line:
        for _ in range(16):
            if all(len(runs) >= 2 for runs in seen.values()):
                break
            before = line[1].mark()
            tab = visit(line[0])
            while b'"process_completed"' not in line[1].received(before):  # what a page asks for when it is opened
                tab.wait_for_timeout(50)
            tab.wait_for_timeout(REACTION_MS)
            mark = line[1].mark()
            ask(tab, "Why is the sky blue?")
            finished(tab)
            playwright.expect(tab.get_by_role("button", name="Tie")).to_be_enabled(timeout=LONG_S)
            tab.wait_for_timeout(REACTION_MS)  # until the last message of Gradio's has come, which changes nothing
            received = line[1].received(mark)
            vote(tab, "Tie")
            (*_, row) = stored(tmp_path, "Why is the sky blue?")
            assert row["answer_a"] == row["answer_b"] == "The sky is blue."
            seen[row["model_a"]].append(told(received))
            tab.close()
    (first, second), (third, fourth) = (runs[:2] for runs in seen.values())
    for headers, events in (second, third, fourth):
        assert set(headers) == set(first[0])  # how often a page asks for the queue is a matter of time
        assert _whole(events) == _whole(first[1])
        if held:  # else whoever is quicker is seen to be
            here, there = Counter(events), Counter(first[1])
            assert (here - there, there - here) == (Counter(), Counter())


def _whole(events: list[bytes]) -> tuple[dict[str, object], dict[str, list[str]]]:
    """What the live updates of one comparison add up to."""
    values: dict[str, object] = {}
    blocks: dict[str, list[str]] = {}
    for event in events:
        if b'"version"' in event:
            patch = json.loads(event.removeprefix(b"data: "))
            values |= patch["values"]
            for key, (start, changed) in patch["blocks"].items():
                blocks.setdefault(key, [])[start:] = changed
    assert all("The sky is blue." in "".join(blocks[f"{side}.text"]) for side in SIDES), (
        "both answers, each on its side"
    )
    return values, blocks


def vote(tab: object, name: str) -> None:
    tab.wait_for_timeout(REACTION_MS)
    tab.get_by_role("button", name=name).click()
    playwright.expect(tab.get_by_text("Thank you.")).to_be_visible(timeout=LONG_S)


def stored(home: Path, prompt: str) -> list[dict[str, str]]:
    return [row for row in votes.read(home / "votes" / "votes.csv") if row["prompt"] == prompt]


def title(key: str) -> str:
    return {"kestrel-key": KESTREL, "marlin-key": MARLIN}[key]


def test_nothing_the_browser_received_before_the_vote_tells_a_model_and_then_all_is_told(
    visit: Callable[..., object], line: tuple[str, Tap], home: Path
) -> None:
    url, tap = line
    tab = visit(url)
    playwright.expect(tab.get_by_label("Left model", exact=True)).to_have_count(0)
    playwright.expect(tab.get_by_text("Left: a hidden model")).to_be_visible()
    ask(tab, "Why is the sky blue?")
    finished(tab)
    ask(tab, "And in the evening?")
    tab.get_by_text("Earlier turns (1)").wait_for(timeout=LONG_S)
    finished(tab)
    tab.get_by_role("button", name="Retry right").click()
    tab.get_by_role("button", name="Retry right").wait_for(state="hidden", timeout=LONG_S)
    finished(tab)
    tab.wait_for_timeout(REACTION_MS)
    assert b"the sky is blue" in tap.received().lower(), "the tap hears events, too"
    assert given_away(tap.received()) == []
    assert given_away(whole_page(tab)) == []
    mark = tap.mark()
    vote(tab, "Left is better")
    (row,) = stored(home, "And in the evening?")
    assert (row["blind"], row["counted"], row["turn"]) == ("true", "true", "2")
    revealed = tab.get_by_label("Revealed")
    playwright.expect(revealed).to_contain_text(title(row["model_a"]))
    text = revealed.inner_text()
    assert re.sub(r"\s+", " ", text).index(title(row["model_a"])) < text.index(title(row["model_b"]))
    playwright.expect(tab.get_by_label("Figures")).to_contain_text("first token")
    playwright.expect(tab.locator(".answer").get_by_text("Thought for")).to_be_visible()
    assert {"kestrel", "marlin", "ponder", "4716253"} <= set(given_away(tap.received(mark).replace(b",", b"")))
    for name in ("Left is better", "Right is better", "Tie", "Both are bad"):
        playwright.expect(tab.get_by_role("button", name=name)).to_be_disabled()


def test_a_failed_side_and_a_new_pair_tell_nothing_either(
    visit: Callable[..., object], line: tuple[str, Tap], home: Path
) -> None:
    url, tap = line
    mark = tap.mark()
    tab = visit(url)
    ask(tab, "Please break.")
    finished(tab)
    playwright.expect(tab.get_by_text("This side failed; why is told after the vote.")).to_be_visible()
    tab.wait_for_timeout(REACTION_MS)
    assert given_away(tap.received(mark) + whole_page(tab)) == []
    vote(tab, "Tie")
    playwright.expect(tab.get_by_text("board burned down")).to_be_visible()
    playwright.expect(tab.get_by_text("kept, but not counted")).to_be_visible()
    mark = tap.mark()
    ask(tab, "Something new?")
    finished(tab)
    assert given_away(tap.received(mark)) == [], "the next pair is hidden again"
    assert given_away(whole_page(tab)) == [], "and the last one is no longer on the page"


def test_no_address_of_a_blind_app_names_a_model(line: tuple[str, Tap]) -> None:
    url, _ = line
    for path in ("", "config", "gradio_api/info", "gradio_api/startup-events"):
        reply = httpx.get(f"{url}{path}", timeout=LIMIT_S, trust_env=False)
        assert given_away(reply.content) == [], path
    assert httpx.get(f"{url}gradio_api/info", timeout=LIMIT_S, trust_env=False).json()["named_endpoints"] == {}
    config = httpx.get(f"{url}config", timeout=LIMIT_S, trust_env=False).text
    assert [spec.key for spec in catalog.load() if spec.key in config or spec.title in config] == []


def test_a_model_that_names_itself_is_stored_and_the_page_says_that_it_does_not_count(
    visit: Callable[..., object], line: tuple[str, Tap], home: Path
) -> None:
    tab = visit(line[0])
    ask(tab, "Please name yourself.")
    finished(tab)
    vote(tab, "Both are bad")
    playwright.expect(tab.get_by_text("identity_leak")).to_be_visible()
    (row,) = stored(home, "Please name yourself.")
    assert (row["counted"], "said Marlin4" in row["not_counted_reason"]) == ("false", True)


def test_reasons_are_ticked_and_written_before_the_one_click_that_votes(
    visit: Callable[..., object], line: tuple[str, Tap], home: Path
) -> None:
    tab = visit(line[0])
    ask(tab, "With reasons?")
    finished(tab)
    tab.get_by_label("clearer").check()
    tab.get_by_label("shorter").check()
    tab.get_by_label("Reason in words").fill("=1+1 it said so\nfirst")
    vote(tab, "Right is better")
    (row,) = stored(home, "With reasons?")
    assert row["reason"] == "[clearer] [shorter] =1+1 it said so first"
    ask(tab, "With long reasons?")
    finished(tab)
    playwright.expect(tab.get_by_label("clearer")).not_to_be_checked()
    tab.get_by_label("Reason in words").fill("x" * 100_000)
    vote(tab, "Tie")
    assert stored(home, "With long reasons?")[0]["reason"].endswith("[cut: 100000 characters]")


def test_a_question_with_a_picture_offers_one_reason_more(
    visit: Callable[..., object], open_line: tuple[str, Tap], open_home: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (64, 48), "red").save(tmp_path / "red.png")
    tab = visit(open_line[0])
    tab.locator(".prompt input[type=file]").set_input_files(tmp_path / "red.png")
    tab.get_by_role("button", name="Remove file").wait_for(timeout=LONG_S)
    ask(tab, "Which colour?")
    finished(tab)
    tab.get_by_label("better reading of the image").check()
    tab.wait_for_timeout(REACTION_MS)
    tab.keyboard.press("1")  # a ticked reason has the focus, and keys vote all the same
    playwright.expect(tab.get_by_text("Thank you.")).to_be_visible(timeout=LONG_S)
    assert stored(open_home, "Which colour?")[0]["reason"] == "[better reading of the image]"


def test_a_vote_is_undone_and_the_corrected_one_is_marked(
    visit: Callable[..., object], line: tuple[str, Tap], home: Path
) -> None:
    tab = visit(line[0])
    ask(tab, "Undo this?")
    finished(tab)
    vote(tab, "Left is better")
    tab.get_by_role("button", name="Undo my vote").click()
    playwright.expect(tab.get_by_text("Your vote was taken back.")).to_be_visible(timeout=LONG_S)
    vote(tab, "Right is better")
    playwright.expect(tab.get_by_text("corrected after the reveal")).to_be_visible()
    first, back, second = stored(home, "Undo this?")
    assert [row["counted"] for row in (first, back, second)] == ["true", "false", "false"]
    assert (back["supersedes"], second["supersedes"]) == (first["vote_id"], back["vote_id"])
    assert (second["winner"], second["blind"]) == ("model_b", "false")


def test_the_switch_hides_names_and_brings_the_pickers_back(
    visit: Callable[..., object], open_line: tuple[str, Tap], open_home: Path
) -> None:
    url, tap = open_line
    tab = visit(url)
    playwright.expect(tab.get_by_label("Left model", exact=True)).to_have_value(KESTREL)
    tab.get_by_label("Blind", exact=True).check()
    playwright.expect(tab.get_by_text("Left: a hidden model")).to_be_visible(timeout=LONG_S)
    playwright.expect(tab.get_by_label("Left model", exact=True)).to_have_count(0)
    mark = tap.mark()
    ask(tab, "Hidden by the switch?")
    finished(tab)
    tab.wait_for_timeout(REACTION_MS)
    assert given_away(tap.received(mark)) == []
    vote(tab, "Tie")
    (row,) = stored(open_home, "Hidden by the switch?")
    assert row["blind"] == "true"
    playwright.expect(tab.get_by_label("Revealed")).to_contain_text(title(row["model_b"]))
    tab.get_by_label("Open", exact=True).check()
    playwright.expect(tab.get_by_label("Left model", exact=True)).to_have_value(KESTREL, timeout=LONG_S)
    ask(tab, "Open again?")
    finished(tab)
    vote(tab, "Tie")
    assert stored(open_home, "Open again?")[0]["blind"] == "false"


def test_both_answers_are_shown_when_both_are_done(visit: Callable[..., object], open_line: tuple[str, Tap]) -> None:
    url, tap = open_line
    tab = visit(url)
    _option(tab, "Show both when both are done")
    tab.get_by_label("Together", exact=True).check()
    mark = tap.mark()
    ask(tab, "Be quick.")
    playwright.expect(answer(tab, "left")).to_contain_text("at work", timeout=LONG_S)
    tab.wait_for_timeout(REACTION_MS)
    assert b"quickly" not in tap.received(mark), "the quick one is held back"
    tab.get_by_role("button", name="Stop right").click()
    finished(tab)
    playwright.expect(answer(tab, "left")).to_contain_text("quickly said")
    playwright.expect(answer(tab, "right")).to_contain_text("slowly")


def test_an_early_vote_stops_the_loser_and_says_that_it_does_not_count(
    visit: Callable[..., object], open_line: tuple[str, Tap], open_home: Path
) -> None:
    tab = visit(open_line[0])
    _option(tab, "Vote early")
    tab.get_by_label("Together", exact=True).check()
    ask(tab, "Please run on.")
    playwright.expect(answer(tab, "right")).to_contain_text("word3", timeout=LONG_S)
    playwright.expect(answer(tab, "left")).to_contain_text("blue", timeout=LONG_S)
    tab.get_by_role("button", name="Left is better").click()
    playwright.expect(tab.get_by_text("voted early")).to_be_visible(timeout=LONG_S)
    playwright.expect(answer(tab, "right")).to_contain_text("stopped", timeout=LONG_S)
    (row,) = stored(open_home, "Please run on.")
    assert (row["winner"], row["counted"], row["status_b"]) == ("model_a", "false", "stopped")


def _option(tab: object, name: str) -> None:
    toggle = tab.get_by_role("button", name="Settings", exact=True)
    toggle.click()
    tab.get_by_role("tab", name="Voting").click()
    tab.get_by_label(name).check()
    toggle.click()


def test_a_vote_before_anyone_can_have_read_is_thanked_and_told_why_it_does_not_count(
    visit: Callable[..., object], open_line: tuple[str, Tap], open_home: Path
) -> None:
    tab = visit(open_line[0])
    tab.evaluate("setInterval(() => document.querySelectorAll('button.vote-button:not(:disabled)')[2]?.click(), 5)")
    ask(tab, "Tell it at length.")
    playwright.expect(tab.get_by_text("kept, but not counted")).to_be_visible(timeout=LONG_S)
    (row,) = stored(open_home, "Tell it at length.")
    assert (row["counted"], "haste:rejected" in row["checks"]) == ("false", True)
    assert "faster than a person" in row["not_counted_reason"]


def test_the_page_says_what_is_stored_and_how_to_keep_texts_out(
    visit: Callable[..., object], open_line: tuple[str, Tap], tmp_path: Path
) -> None:
    tab = visit(open_line[0])
    ask(tab, "What is stored?")
    finished(tab)
    tab.get_by_text("What is stored with a vote?").click()
    playwright.expect(tab.get_by_text("--no-log-texts")).to_be_visible()
    playwright.expect(tab.get_by_text("never your address")).to_be_visible()
    flags = ("--left", "kestrel-key", "--right", "marlin-key", "--no-log-texts")
    with site.app(tmp_path, _rows(tmp_path), *flags) as url:
        tab = visit(url)
        ask(tab, "Keep this out.")
        finished(tab)
        tab.get_by_text("What is stored with a vote?").click()
        playwright.expect(tab.get_by_text("none of the texts")).to_be_visible()
        vote(tab, "Tie")
        tab.close()
    (row,) = votes.read(tmp_path / "votes" / "votes.csv")
    assert (row["prompt"], row["answer_a"], row["prompt_chars"]) == ("", "", "14")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_blind_page_fits_a_telephone(visit: Callable[..., object], line: tuple[str, Tap], scheme: str) -> None:
    tab = visit(line[0], 390, 844, scheme)
    ask(tab, "Does it fit?")
    finished(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    vote(tab, "Tie")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
