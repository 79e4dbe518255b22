"""The page with two real models, as different as their engines, driven in a real browser."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from playground import votes
from tests import site
from tests.browser import LONG_S, MARKS, answer, ask, browser, finished, playwright, setting, visit
from tests.patience import LIMIT_S, eventually
from tests.weights_fixture import smollm2_cache

__all__ = ["browser", "smollm2_cache", "visit"]
pytestmark = [*MARKS, pytest.mark.weights]
LONG = "List the first 1000 prime numbers."
"""Without chance (temperature 0) both models go on with this for thousands of tokens."""
READING_MS = 3_000
"""After so long a vote is believed, however much there was to read."""
MOST_BYTES = 400e6
"""What the app's own process may hold, whatever models run."""
WORKERS = ("llama_child.py", "transformers.cli.transformers")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def url(home: Path, smollm2_cache: Path) -> Iterator[str]:
    """`python app.py` with its own models, of which these two. The last test ends it."""
    pair = ("--left", "smollm2-135m-q4", "--right", "smollm2-135m")
    with site.app(home, "", *pair, "--cache", str(smollm2_cache), "--threads", "1") as address:
        yield address


def workers(url: str) -> list[psutil.Process]:
    """The model servers of the app, without their guards."""
    found = []
    for child in site.process_at(url).children(recursive=True):
        line = " ".join(child.cmdline())
        if "guard_child.py" not in line and any(mark in line for mark in WORKERS):
            found.append(child)
    return found


def cpu_s(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def ready(tab: object) -> None:
    """Both pickers say so."""
    for side in ("left", "right"):
        playwright.expect(tab.locator(f".pick.{side}")).to_contain_text("ready", timeout=2 * LONG_S)


def brief(tab: object) -> None:
    """Short answers, the same each time."""
    setting(tab, "Max tokens", "32")
    setting(tab, "Temperature", "0")


def said(tab: object, side: str) -> object:
    return answer(tab, side).locator(".answer-body > .markdown").last


def begun(tab: object, side: str) -> None:
    """Text of that side has come, told within a frame: looking now and then may miss all of a quick answer."""
    newest = f"document.querySelector('.answer.{side} .answer-body > .markdown')"
    tab.wait_for_function(f"/\\w/.test({newest}?.innerText ?? '')", timeout=2 * LONG_S)


def first_words(tab: object) -> None:
    """Text of one side has come."""
    prose = tab.locator(".answer .markdown").filter(has_text=re.compile(r"\w\w"))
    playwright.expect(prose.first).to_be_visible(timeout=2 * LONG_S)


def test_the_page_opens_with_the_pair_says_why_and_in_the_end_both_are_ready(
    visit: Callable[..., object], url: str
) -> None:
    tab = visit(url)
    playwright.expect(tab.get_by_label("Left model", exact=True)).to_have_value("SmolLM2 135M · 4-bit")
    playwright.expect(tab.get_by_label("Right model", exact=True)).to_have_value("SmolLM2 135M · bf16")
    playwright.expect(tab.get_by_text("These two: chosen by --left and --right")).to_be_visible()
    ready(tab)


def test_both_real_models_answer_with_their_memory_and_the_vote_is_stored_with_all_figures(
    visit: Callable[..., object], url: str, home: Path
) -> None:
    tab = visit(url)
    brief(tab)
    ask(tab, "What is the sea?")
    finished(tab)
    for side in ("left", "right"):
        playwright.expect(said(tab, side)).to_contain_text(re.compile(r"\w{3}"))
    peak = tab.locator(".tape .line").filter(has_text="peak memory")
    assert len(re.findall(r"\d (?:MB|GB)", peak.inner_text().replace("\n", " "))) == 2
    tab.wait_for_timeout(READING_MS)
    tab.get_by_role("button", name="Left is better").click()
    playwright.expect(tab.get_by_text("Thank you.")).to_be_visible(timeout=LONG_S)
    (row,) = (row for row in votes.read(home / "votes" / "votes.csv") if row["prompt"] == "What is the sea?")
    assert (row["model_a"], row["model_b"], row["winner"]) == ("smollm2-135m-q4", "smollm2-135m", "model_a")
    assert (row["pacing"], row["counted"], row["not_counted_reason"]) == ("in_turn", "true", "")
    for name in ("ttft_s", "total_s", "decode_tokens_per_s", "answer_tokens", "weights_bytes", "peak_bytes", "threads"):
        assert float(row[f"{name}_a"]) > 0, name
        assert float(row[f"{name}_b"]) > 0, name


def test_closing_the_tab_in_mid_answer_stops_the_work(visit: Callable[..., object], url: str) -> None:
    tab = visit(url)
    setting(tab, "Max tokens", "6000")
    setting(tab, "Temperature", "0")
    ask(tab, LONG)
    first_words(tab)
    before = cpu_s(workers(url))
    eventually(lambda: cpu_s(workers(url)) - before > 0.2)
    tab.close()
    for _ in range(60):  # fewer seconds than the answers would take
        before = cpu_s(workers(url))
        time.sleep(1)
        if cpu_s(workers(url)) - before < 0.2:
            return
    pytest.fail("the models went on computing for a tab that is gone")


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_a_worker_killed_in_mid_answer_says_so_in_its_pane_the_other_finishes_and_asking_again_works(
    visit: Callable[..., object], url: str
) -> None:
    tab = visit(url)
    tab.get_by_label("Together", exact=True).check()
    setting(tab, "Max tokens", "40")
    setting(tab, "Temperature", "0")
    setting(tab, "Left max tokens", "6000", of="Only left")
    ready(tab)
    (victim,) = (worker for worker in workers(url) if "llama_child.py" in " ".join(worker.cmdline()))
    ask(tab, LONG)
    begun(tab, "left")
    victim.kill()
    alert = answer(tab, "left").get_by_role("alert")
    playwright.expect(alert).to_contain_text("was killed by signal 9", timeout=LONG_S)
    playwright.expect(alert).to_contain_text("Ask again to start it anew")
    finished(tab)
    playwright.expect(answer(tab, "right").get_by_role("alert")).to_have_count(0)
    tab.get_by_role("button", name="Retry left").click()
    playwright.expect(alert).to_have_count(0, timeout=LONG_S)
    begun(tab, "left")
    tab.get_by_role("button", name="Stop left").click()
    finished(tab)
    ready(tab)


def test_the_apps_own_process_stays_small_while_both_models_run_and_maps_no_torch(url: str) -> None:
    app = site.process_at(url)
    assert len(workers(url)) == 2
    assert "libtorch" not in " ".join(region.path for region in app.memory_maps())
    assert app.memory_info().rss < MOST_BYTES


def test_after_sigterm_no_process_is_left(url: str) -> None:
    """The last test: it ends the app."""
    app = site.process_at(url)
    family = app.children(recursive=True)
    assert len(family) >= 4  # two guards, two servers
    app.terminate()
    _, alive = psutil.wait_procs([app, *family], timeout=LIMIT_S)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
