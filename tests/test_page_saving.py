"""What leaves the page: a comparison saved as a file, votes copied to the Hub, and what is said of both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from playground import votes
from tests import site
from tests.browser import LONG_S, MARKS, ask, browser, finished, playwright, visit
from tests.hub import REPO, TOKEN, Hub, hub
from tests.patience import eventually
from tests.test_export_one import blocks

__all__ = ["browser", "visit"]
pytestmark = MARKS

HOSTILE = "Look:\n\n````python\nprint('```')\n````\n\n<b>bold</b> | # no heading"


def _rows(folder: Path) -> str:
    hostile = [{"match": "", "events": [[0.1, "text", HOSTILE]]}]
    slow = [{"match": "", "events": site.words("The larger one took its time", every_s=0.1)}]
    return site.model(folder, "quick", hostile, "Quick 1B", extra="reads_images = true") + site.model(
        folder, "slow", slow, "Slow 13B", extra="reads_images = true"
    )


PAIR = ("--left", "quick", "--right", "slow")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("site")
    with site.app(home, _rows(home), *PAIR) as address:
        yield address


def save(tab: object, label: str, folder: Path) -> Path:
    with tab.expect_download(timeout=LONG_S) as waiting:
        tab.get_by_role("button", name=label).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def line(tab: object) -> object:
    return tab.locator(".copies .note")


def voted(tab: object, text: str) -> None:
    ask(tab, text)
    finished(tab)
    tab.get_by_role("button", name="Left is better").click()
    playwright.expect(tab.get_by_text("Thank you.")).to_be_visible(timeout=LONG_S)


def test_a_comparison_is_saved_as_markdown_and_as_json_when_both_answers_are_finished(
    visit: Callable[..., object], url: str, tmp_path: Path
) -> None:
    tab = visit(url)
    button = tab.get_by_role("button", name="Save as Markdown")
    playwright.expect(button).to_be_hidden()
    Image.new("RGB", (40, 30), "red").save("cat.png")
    tab.locator("input[type=file]").first.set_input_files("cat.png")
    tab.locator(".prompt img").wait_for(timeout=LONG_S)
    ask(tab, "What is this?")
    playwright.expect(tab.locator(".answer.right")).to_contain_text("took", timeout=LONG_S)
    finished(tab)
    playwright.expect(button).to_be_visible()

    path = save(tab, "Save as Markdown", tmp_path)
    text = path.read_text(encoding="utf-8")
    assert path.suffix == ".md"
    prompt, left, right = blocks(text)
    assert (prompt, left, right.strip()) == ("What is this?", HOSTILE, "The larger one took its time")
    assert "Image cat.png, SHA-256" in text
    assert "No vote." in text

    tab.get_by_role("button", name="Right is better").click()
    playwright.expect(tab.get_by_text("Thank you.")).to_be_visible(timeout=LONG_S)
    path = save(tab, "Save as JSON", tmp_path)
    found = json.loads(path.read_text(encoding="utf-8"))
    assert path.suffix == ".json"
    assert found["left"]["text"] == HOSTILE
    assert found["vote"]["winner"] == "model_b"
    assert found["images"][0]["name"] == "cat.png"

    tab.get_by_role("button", name="New", exact=True).click()
    playwright.expect(button).to_be_hidden()
    playwright.expect(tab.locator(".copies")).to_have_count(0)


def test_with_hidden_names_there_is_nothing_to_save_before_the_vote(
    visit: Callable[..., object], tmp_path: Path
) -> None:
    with site.app(tmp_path, _rows(tmp_path), *PAIR, "--blind", "--blind-models", "quick,slow") as address:
        tab = visit(address)
        button = tab.get_by_role("button", name="Save as JSON")
        ask(tab, "Who are you?")
        finished(tab)
        playwright.expect(button).to_be_hidden()
        tab.locator("button", has_text="Save as JSON").dispatch_event("click")
        playwright.expect(tab.get_by_text("hidden until your vote")).to_be_visible(timeout=LONG_S)
        tab.get_by_role("button", name="Tie").click()
        playwright.expect(tab.get_by_text("Thank you.")).to_be_visible(timeout=LONG_S)
        found = json.loads(save(tab, "Save as JSON", tmp_path).read_text(encoding="utf-8"))
    assert {found["models"][side]["key"] for side in ("left", "right")} == {"quick", "slow"}
    assert (found["vote"]["winner"], found["vote"]["blind"]) == ("tie", True)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_the_buttons_fit_the_page(visit: Callable[..., object], url: str, scheme: str, width: int) -> None:
    tab = visit(url, width=width, scheme=scheme)
    ask(tab, "Say anything.")
    finished(tab)
    box = tab.get_by_role("button", name="Save as JSON").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.fixture
def server() -> Iterator[Hub]:
    with hub() as running:
        yield running


def sync_env(server: Hub) -> dict[str, str]:
    return {"HF_ENDPOINT": server.url, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0", "PLAYGROUND_SYNC_TO": REPO}


def test_the_page_says_how_copies_go_and_the_last_votes_are_copied_when_the_app_is_ended(
    visit: Callable[..., object], server: Hub, tmp_path: Path
) -> None:
    often = ("--sync-minutes", "0.02")
    with site.app(tmp_path, _rows(tmp_path), *PAIR, *often, env=sync_env(server)) as address:
        tab = visit(address)
        playwright.expect(line(tab)).to_contain_text(f"Votes are copied to {REPO} · none copied yet")
        voted(tab, "one")
        playwright.expect(line(tab)).to_contain_text("last copied at", timeout=LONG_S)
        assert server.rows() == 1

        server.refuse_with = 403
        voted(tab, "two")
        playwright.expect(line(tab)).to_contain_text("rejected at", timeout=LONG_S)
        playwright.expect(line(tab)).to_contain_text("May the token write to this dataset?")
        assert server.rows() == 1
        tab.screenshot(path=Path(__file__).parent / "screenshots" / "copies-rejected.png", full_page=True)

        server.refuse_with = 0
        eventually(lambda: server.rows() == 2)
        playwright.expect(line(tab)).not_to_contain_text("rejected", timeout=LONG_S)
        tab.close()


def test_sigterm_copies_the_votes_since_the_last_copy(
    visit: Callable[..., object], server: Hub, tmp_path: Path
) -> None:
    with site.app(tmp_path, _rows(tmp_path), *PAIR, env=sync_env(server)) as address:
        tab = visit(address)
        eventually(lambda: bool(server.created))
        voted(tab, "the last words")
        assert server.files == {}
        tab.close()
    ((name, content),) = server.files.items()
    assert content == (tmp_path / "votes" / name).read_bytes()
    assert [row["prompt"] for row in votes.read(tmp_path / "votes" / name)] == ["the last words"]


def test_an_app_whose_hub_never_answers_ends_all_the_same_and_says_what_was_not_copied(
    visit: Callable[..., object], server: Hub, tmp_path: Path
) -> None:
    with site.app(tmp_path, _rows(tmp_path), *PAIR, env=sync_env(server)) as address:
        tab = visit(address)
        eventually(lambda: bool(server.created))
        server.go_on.clear()
        voted(tab, "kept here")
        tab.close()
    assert "The last votes were NOT copied to team/votes" in (tmp_path / "app.log").read_text(encoding="utf-8")
    assert [row["prompt"] for row in votes.read_all([tmp_path / "votes"])] == ["kept here"]
