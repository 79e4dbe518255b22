"""Measures what the page takes from the models whose speed it shows: run with `python -m benchmarks.page_cost`.

A real Chromium on the same machine looks at the page. `rates` compares tokens/s on the page with those of `ask` on the
command line, same models and prompt, one at a time: once with one thread each, once with what each road does by itself.
`cores` gives the CPU time of the browser's and the app's processes over wall time: with nothing going on, and while two
recorded models stream 30 words a second.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import common
from playground import votes
from tests import site
from tests.browser import CHROMIUM, SWITCHES

PROMPT = "Write a long story about the sea."
TOKENS = 160
PAIR = ("smollm2-135m-q4", "smollm2-135m")
SECONDS = 12
WAIT_MS = 300_000
ROADS = {"one thread": {"PLAYGROUND_THREADS": "1"}, "defaults": {}}
SLOW_APP = Path(__file__).with_name("slow_page_child.py")


@contextmanager
def chromium() -> Iterator[tuple[Browser, psutil.Process]]:
    """A browser, and its root process."""
    with sync_playwright() as driver:
        before = {child.pid for child in psutil.Process().children(recursive=True)}
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        found = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
        (root,) = [child for child in found if "--type=" not in " ".join(child.cmdline()) and "chrom" in child.name()][
            :1
        ]
        yield browser, root
        browser.close()


def listener(url: str) -> psutil.Process:
    """The process that listens there."""
    port = int(url.rsplit(":", 1)[1].strip("/"))
    (pid,) = {c.pid for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr.port == port}
    return psutil.Process(pid)


def cpu_s(root: psutil.Process, *, tree: bool = True) -> float:
    """CPU seconds so far of a process, and of all below it."""
    total = 0.0
    for process in [root, *(root.children(recursive=True) if tree else [])]:
        times = process.cpu_times()
        total += times.user + times.system
    return total


def open_page(browser: Browser, url: str) -> Page:
    """The page, ready to be asked."""
    tab = browser.new_page(viewport={"width": 1280, "height": 800})
    tab.goto(url)
    tab.get_by_label("Prompt", exact=True).wait_for(timeout=WAIT_MS)
    return tab


def ask(tab: Page, text: str) -> None:
    """Send that prompt."""
    tab.get_by_label("Prompt", exact=True).fill(text)
    tab.get_by_role("button", name="Send", exact=True).click()


def setting(tab: Page, name: str, value: str) -> None:
    """Fill one field of the settings."""
    tab.get_by_role("button", name="Settings", exact=True).click()
    field = tab.get_by_label(name, exact=True)
    field.click()
    field.fill(value)
    tab.get_by_role("button", name="Settings", exact=True).click()


# --- tokens per second, on the page and without one -----------------------------------------------------------------


def by_command(env: dict[str, str]) -> list[float]:
    """Tokens/s of both sides by `ask`."""
    command = [sys.executable, "-m", "playground", "ask", PROMPT, "--left", PAIR[0], "--right", PAIR[1], "--json"]
    command += ["--max-tokens", str(TOKENS), "--temperature", "0", "--pacing", "in-turn"]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return [found[side]["timing"]["decode_tokens_per_s"] for side in ("left", "right")]


def by_page(browser: Browser, env: dict[str, str]) -> list[float]:
    """Tokens/s of both sides of the second answer (the first is cold), as stored with a vote: the page shows the same,
    rounded."""
    with (
        tempfile.TemporaryDirectory() as folder,
        site.app(Path(folder), "", "--left", PAIR[0], "--right", PAIR[1], env={**env, "HF_HUB_OFFLINE": "1"}) as url,
    ):
        tab = open_page(browser, url)
        setting(tab, "Max tokens", str(TOKENS))
        setting(tab, "Temperature", "0")
        for text in ("Hello.", PROMPT):
            ask(tab, text)
            tab.locator("body[data-race=running]").wait_for(timeout=WAIT_MS)
            tab.locator("body[data-race=ended]").wait_for(timeout=WAIT_MS)
        tab.locator("button.vote-tie").click()
        tab.get_by_text("Thank you.").wait_for(timeout=WAIT_MS)
        tab.close()
        (vote,) = votes.read(Path(folder) / "votes" / "votes.csv")
    return [float(vote[f"decode_tokens_per_s_{side}"]) for side in ("a", "b")]


def rates(browser: Browser, rounds: int) -> dict[str, Any]:
    """Rates by road, and page over command by round."""
    found: dict[str, Any] = {}
    for name, env in ROADS.items():
        pairs = []
        for number in range(rounds):
            roads = [lambda env=env: by_command(env), lambda env=env: by_page(browser, env)]
            order = (0, 1) if number % 2 == 0 else (1, 0)  # whoever comes first alternates
            said = {index: roads[index]() for index in order}
            pairs.append((said[0], said[1]))
            print(f"{name}, round {number + 1}: ask {said[0]}, page {said[1]}", flush=True)
        for index, engine in enumerate(("llama.cpp", "transformers")):
            found[f"{name}, {engine}"] = {
                "ask": [pair[0][index] for pair in pairs],
                "page": [pair[1][index] for pair in pairs],
                "ratio": [pair[1][index] / pair[0][index] for pair in pairs],
            }
    return found


# --- cores ----------------------------------------------------------------------------------------------------------


def over(seconds: float, browser: psutil.Process, app: psutil.Process) -> tuple[float, float]:
    """Cores that the browser and the app take over so many seconds."""
    before, began = (cpu_s(browser), cpu_s(app)), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    return (cpu_s(browser) - before[0]) / took, (cpu_s(app) - before[1]) / took


def cores(browser: Browser, root: psutil.Process, rounds: int, per_s: float | None) -> dict[str, list[float]]:
    """Cores of browser and app: idle, and while both sides stream; at most `per_s` updates a second."""
    story = " ".join(f"word{n} and" for n in range(20 * 30))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        answers: list[dict[str, Any]] = [{"match": "", "events": site.words(story, every_s=1 / 30)}]
        rows = site.model(folder, "one", answers) + site.model(folder, "two", answers)
        env = {"BENCHMARK_UPDATES_PER_S": str(per_s)} if per_s else {}
        program = {"program": SLOW_APP} if per_s else {}
        found: dict[str, list[float]] = {"idle": [], "idle app": [], "streaming": [], "streaming app": []}
        with site.app(folder, rows, "--left", "one", "--right", "two", env=env, **program) as url:
            app = listener(url)
            for _ in range(rounds):
                tab = open_page(browser, url)
                time.sleep(4)
                idle = over(SECONDS, root, app)
                ask(tab, "Go on.")
                tab.get_by_text("word30 ").first.wait_for(timeout=WAIT_MS)
                busy = over(SECONDS, root, app)
                tab.locator("body[data-race=ended]").wait_for(timeout=WAIT_MS)  # or it runs on while the next is idle
                tab.close()
                for key, value in zip(found, (*idle, *busy), strict=True):
                    found[key].append(value)
                print({key: round(values[-1], 3) for key, values in found.items()}, flush=True)
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Print the tables and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["rates", "cores"])
    args = parser.parse_args(argv)
    found: dict[str, Any] = {}
    with chromium() as (browser, root):
        if args.only != "rates":
            found["15 updates/s"] = cores(browser, root, args.rounds, None)
            found["4 updates/s"] = cores(browser, root, args.rounds, 4.0)
        if args.only != "cores":
            found["rates"] = rates(browser, args.rounds)
    for name, figures in found.items():
        values = {key: value["ratio"] if isinstance(value, dict) else value for key, value in figures.items()}
        rows = [[f"{name}: {key}", common.shown(common.spread(value), digits=3)] for key, value in values.items()]
        common.table(["figure", "median"], rows)
    common.finish("page_cost", found)


if __name__ == "__main__":
    main()
