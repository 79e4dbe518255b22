"""What does the Standings tab cost with 1,000,000 votes? Run with `python -m benchmarks.standings_page`, with Chromium.

Five times a fresh app, in a real browser: from the click on the tab to the table; what the app's process holds before,
at most and after; and how long, meanwhile, another visitor waits for the page's `/config`.

Results: benchmarks/votes.md.
"""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks import common
from benchmarks.votes import ROWS, write
from tests import site
from tests.browser import CHROMIUM, SWITCHES, playwright

ROUNDS = 5


def beside(url: str, app: psutil.Process, done: threading.Event, waits_s: list[float], held: list[int]) -> None:
    """Another visitor, ten times a second, until it is done."""
    with httpx.Client(trust_env=False) as client:
        while not done.wait(0.1):
            began_s = time.perf_counter()
            client.get(f"{url}config", timeout=60).raise_for_status()
            waits_s.append(time.perf_counter() - began_s)
            held.append(app.memory_info().rss)


def look(browser: Any, url: str) -> dict[str, Any]:
    """Open the tab for the first time."""
    app = site.process_at(url)
    tab = browser.new_page()
    tab.goto(url)
    tab.get_by_label("Prompt", exact=True).wait_for(timeout=60_000)
    tab.wait_for_timeout(2_000)
    before, done, waits_s, held = app.memory_info().rss, threading.Event(), list[float](), list[int]()
    visitor = threading.Thread(target=beside, args=(url, app, done, waits_s, held))
    visitor.start()
    began_s = time.perf_counter()
    tab.get_by_role("tab", name="Standings").click()
    tab.get_by_role("table", name="Standings").wait_for(timeout=300_000)
    took_s = time.perf_counter() - began_s
    done.set()
    visitor.join()
    tab.wait_for_timeout(2_000)
    after = app.memory_info().rss
    tab.close()
    return {"took_s": took_s, "before_mb": before / 1e6, "most_mb": max(held) / 1e6, "after_mb": after / 1e6,
            "config_ms": [1000 * wait for wait in waits_s]}  # fmt: skip


def main() -> None:
    """All rounds; print a table and the JSON line."""
    with tempfile.TemporaryDirectory() as folder:
        found = rounds(Path(folder))
    waits = [wait for each in found for wait in each.pop("config_ms")]
    results = {name: common.spread([each[name] for each in found]) for name in found[0]}
    results["config_ms"] = common.spread(waits)
    common.table(("figure", "measured"), ((name, common.shown(value)) for name, value in results.items()))
    common.finish("standings_page", results)


def rounds(folder: Path) -> list[dict[str, Any]]:
    """The votes file, and five first looks at it."""
    path = folder / "votes.csv"
    write(path, ROWS)
    rows = "".join(site.model(folder, key, [{"match": "", "events": site.words("A recording.")}]) for key in "ab")
    flags = ("--left", "a", "--right", "b", "--votes", str(path))
    found = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        for _ in range(ROUNDS):
            with site.app(folder, rows, *flags) as url:
                found.append(look(browser, url))
        browser.close()
    return found


if __name__ == "__main__":
    main()
