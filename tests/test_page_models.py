"""The models tab in a real browser, with real models: load, unload, cancel, a death, and what a hidden pair allows."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests import site
from tests.browser import LONG_S, MARKS, ask, browser, finished, playwright, visit
from tests.hubserver import Hub, serving
from tests.weights_fixture import smollm2_cache

__all__ = ["browser", "smollm2_cache", "visit"]
pytestmark = [*MARKS, pytest.mark.weights]
Q4, BF16 = "SmolLM2 135M · 4-bit", "SmolLM2 135M · bf16"
LARGE = os.urandom(40_000_000)
WORKERS = ("llama_child.py", "transformers.cli.transformers")


def rows(folder: Path) -> str:
    said = [{"match": "", "events": site.words("Four.")}]
    return (
        site.model(folder, "one", said, "One") + site.model(folder, "two", said, "Two")
        + '[[model]]\nkey = "far"\ntitle = "Far away"\nengine = "llama.cpp"\nsource = "org/name/m-Q4_K_M.gguf"\n'
    )  # fmt: skip


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """It sends 25 of 40 MB, then nothing more until it is told to."""
    stand_in = Hub({"m-Q4_K_M.gguf": LARGE}, cut_after=25_000_000, cuts=1, stall=threading.Event())
    with serving(stand_in) as served:
        yield served


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def url(home: Path, hub: Hub, smollm2_cache: Path) -> Iterator[str]:
    """Opens with two recordings, so that nothing is loaded before anybody says so."""
    env = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(home / "hub"), "HF_HUB_OFFLINE": "0"}
    pair = ("--left", "one", "--right", "two", "--blind-models", "smollm2-135m-q4,one")
    with site.app(home, rows(home), *pair, "--cache", str(smollm2_cache), "--threads", "1", env=env) as address:
        yield address


def opened(tab: object) -> object:
    tab.get_by_role("tab", name="Models").click()
    tab.locator(".shelf .entry").first.wait_for(timeout=LONG_S)
    return tab


def row(tab: object, key: str) -> object:
    return tab.locator(f'.shelf .entry[data-model="{key}"]')


def press(tab: object, name: str) -> None:
    tab.get_by_role("button", name=name, exact=True).click()


def workers(url: str) -> list[psutil.Process]:
    """The model servers of the app, without their guards."""
    found = []
    for child in site.process_at(url).children(recursive=True):
        line = " ".join(child.cmdline())
        if "guard_child.py" not in line and any(mark in line for mark in WORKERS):
            found.append(child)
    return found


def held_bytes(url: str) -> int:
    """Resident memory of the app and all below it, as the operating system counts it."""
    app = site.process_at(url)
    return sum(each.memory_info().rss for each in [app, *app.children(recursive=True)])


def says(tab: object, key: str, words: str) -> None:
    playwright.expect(row(tab, key)).to_contain_text(re.compile(words), timeout=2 * LONG_S)


def test_every_model_is_listed_with_its_group_fit_and_what_can_be_done(visit: Callable[..., object], url: str) -> None:
    tab = opened(visit(url))
    here = tab.get_by_role("table", name="On this machine")
    playwright.expect(here).to_contain_text(Q4)
    says(tab, "qwen3.5-122b-a10b-bf16", "to fetch.*does not fit.*needs")
    says(tab, "qwen3.5-9b-hub", "needs HF_TOKEN")
    playwright.expect(tab.get_by_role("img", name=re.compile("this app .*, other programs .*, free "))).to_be_visible()
    tab.locator("#fit-qwen3\\.5-122b-a10b-bf16").hover()
    playwright.expect(row(tab, "qwen3.5-122b-a10b-bf16").get_by_role("tooltip")).to_contain_text("free in")
    find = tab.get_by_label("Filter models")
    find.fill("smollm2 transformers")
    playwright.expect(tab.locator(".shelf .entry")).to_have_count(1)
    find.fill("nothing has this")
    playwright.expect(tab.get_by_text("No model has that in its name.")).to_be_visible()
    find.fill("")
    playwright.expect(row(tab, "qwen3.5-9b-hub")).to_be_visible()


def test_a_model_is_loaded_with_progress_and_unloading_gives_its_memory_back(
    visit: Callable[..., object], url: str
) -> None:
    tab = opened(visit(url))
    before = held_bytes(url)
    tab.get_by_role("button", name=f"Load {BF16}", exact=True).press("Enter")
    says(tab, "smollm2-135m", "starting|config|weights|processor")
    playwright.expect(tab.get_by_role("button", name=f"Cancel {BF16}")).to_be_focused()  # the list was drawn anew
    says(tab, "smollm2-135m", r"ready.*\d (MB|GB)\s*in memory.*not asked yet")
    playwright.expect(tab.get_by_role("img", name=re.compile(f"{BF16} [\\d.]+ (MB|GB)"))).to_be_visible()
    loaded, (worker,) = held_bytes(url), workers(url)
    own = worker.memory_info().rss
    assert own > 500e6  # torch and the weights
    press(tab, f"Unload {BF16}")
    playwright.expect(tab.get_by_role("table", name="On this machine")).to_contain_text(BF16, timeout=LONG_S)
    assert not worker.is_running()
    assert workers(url) == []
    assert held_bytes(url) < loaded - 0.9 * own
    assert held_bytes(url) < before + 100e6


def test_a_worker_that_was_killed_shows_so_and_can_be_loaded_again(visit: Callable[..., object], url: str) -> None:
    tab = opened(visit(url))
    press(tab, f"Load {Q4}")
    says(tab, "smollm2-135m-q4", "ready")
    (victim,) = workers(url)
    victim.kill()
    says(tab, "smollm2-135m-q4", "failed.*killed by signal 9, by another program or a person")
    press(tab, f"Load again {Q4}")
    says(tab, "smollm2-135m-q4", "ready")
    assert [each.pid for each in workers(url)] != [victim.pid]
    press(tab, f"Unload {Q4}")
    playwright.expect(tab.get_by_role("button", name=f"Load {Q4}", exact=True)).to_be_visible(timeout=LONG_S)


def test_a_download_is_told_in_bytes_cancelled_and_goes_on_where_it_was(
    visit: Callable[..., object], url: str, home: Path, hub: Hub
) -> None:
    tab = opened(visit(url))
    press(tab, "Fetch Far away")
    says(tab, "far", "fetching 6[0-2] %.*25 MB of 40 MB")
    press(tab, "Cancel Far away")
    playwright.expect(tab.get_by_role("button", name="Fetch Far away")).to_be_visible(timeout=LONG_S)
    kept = sum(path.stat().st_size for path in (home / "hub").rglob("*.part"))
    assert kept >= 20_000_000
    assert hub.stall
    hub.stall.set()
    hub.sent = 0
    press(tab, "Fetch Far away")
    says(tab, "far", "failed")  # the stand-in's bytes are no model; they came whole
    assert hub.sent <= len(LARGE) - kept + 1_000_000
    assert [path.stat().st_size for path in (home / "hub").rglob("*.gguf")] == [len(LARGE)]


def test_while_a_pair_is_hidden_the_tab_is_closed_and_opens_with_the_vote(
    visit: Callable[..., object], url: str
) -> None:
    tab = visit(url)
    tab.get_by_label("Blind", exact=True).check()
    ask(tab, "What is two and two?")
    tab.get_by_role("tab", name="Models").click()
    playwright.expect(tab.get_by_text("Closed until your vote.")).to_be_visible(timeout=LONG_S)
    assert tab.locator(".shelf .entry").count() == 0
    tab.get_by_role("tab", name="Compare").click()
    finished(tab)
    tab.get_by_role("tab", name="Models").click()
    playwright.expect(tab.get_by_text("Closed until your vote.")).to_be_visible(timeout=LONG_S)
    tab.get_by_role("tab", name="Compare").click()
    tab.get_by_role("button", name="Tie").click()
    playwright.expect(tab.get_by_text("Thank you.")).to_be_visible(timeout=LONG_S)
    says(opened(tab), "smollm2-135m-q4", "ready.*asked")


def test_where_every_pair_is_hidden_there_is_no_such_tab(visit: Callable[..., object], tmp_path: Path) -> None:
    with site.app(tmp_path, rows(tmp_path), "--blind", "--blind-models", "one,two") as url:
        tab = visit(url)
        playwright.expect(tab.get_by_role("tab", name="Standings")).to_be_visible()
        assert tab.get_by_role("tab", name="Models").count() == 0


def test_nothing_is_asked_of_the_server_while_the_tab_is_closed(visit: Callable[..., object], url: str) -> None:
    tab = opened(visit(url))
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.get_by_role("tab", name="Prompts").click()
    for _ in range(5):  # a tick of the slow timer on its way may still come, and then ends both
        asked.clear()
        tab.wait_for_timeout(12_000)  # longer than the timer's turn
        if not any("queue/join" in address for address in asked):
            return
    pytest.fail("a tab that is closed went on asking, every 10 s")


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (760, "light"), (1280, "dark")])
def test_no_width_or_scheme_makes_the_tab_scroll_sideways(
    visit: Callable[..., object], url: str, width: int, scheme: str
) -> None:
    tab = opened(visit(url, width, 844, scheme))
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    verdict = tab.locator("#fit-smollm2-135m-q4")
    verdict.focus()
    box = row(tab, "smollm2-135m-q4").get_by_role("tooltip").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    told = row(tab, "smollm2-135m-q4").locator(".tip b").first
    ink, paper = (
        sum(map(int, re.findall(r"\d+", told.evaluate(f"each => getComputedStyle({of}).{what}"))[:3]))
        for of, what in (("each", "color"), ("each.closest('.tip')", "backgroundColor"))
    )
    assert abs(ink - paper) > 500  # of 765: it can be read
