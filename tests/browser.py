"""A real browser for tests of the page, and what a person does in it. Not a test itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.patience import LIMIT_S

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
playwright = pytest.importorskip("playwright.sync_api", reason="pip install -r requirements-dev.txt")
MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
    # playwright's driver leaves its own event loop and pipes to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
"""The `pytestmark` of every module that drives the page."""
SHOTS = Path(__file__).parent / "screenshots"
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--no-first-run"]  # fmt: skip
LONG_S = int(1000 * LIMIT_S)
"""In milliseconds; what a test waits for takes as long as the machine needs."""
REACTION_MS = 500
"""A vote sooner after the answers is kept and not counted: no person is as fast."""


playwright.expect.set_options(timeout=LONG_S)


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=SWITCHES, timeout=LONG_S)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: object, request: pytest.FixtureRequest) -> Iterator[Callable[..., object]]:
    """Opens tabs; at the end of the test each is photographed, must have logged no error, and is closed."""
    tabs = []

    def open_tab(address: str, width: int = 1280, height: int = 940, scheme: str = "light") -> object:
        tab = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        tab.set_default_timeout(LONG_S)
        errors: list[str] = []
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tabs.append((tab, errors))
        tab.goto(address)
        tab.get_by_label("Prompt", exact=True).wait_for(timeout=LONG_S)
        return tab

    yield open_tab
    SHOTS.mkdir(exist_ok=True)
    for number, (tab, errors) in enumerate(tabs):
        if not tab.is_closed():
            tab.screenshot(path=SHOTS / f"{request.node.name}-{number}.png", full_page=True)
            tab.close()
        assert errors == []


def ask(tab: object, text: str) -> None:
    tab.get_by_label("Prompt", exact=True).fill(text)
    tab.get_by_role("button", name="Send", exact=True).click()


def answer(tab: object, side: str) -> object:
    return tab.locator(f".answer.{side}")


def finished(tab: object) -> None:
    """Both sides have ended: Send is back."""
    tab.get_by_role("button", name="Retry left").wait_for(timeout=LONG_S)


def choose(tab: object, side: str, title: str) -> None:
    """Pick a model by its title."""
    picker = tab.get_by_label(f"{side.capitalize()} model", exact=True)
    picker.click()
    picker.fill(title)
    tab.locator(f".pick.{side}").get_by_role("option", name=title, exact=True).click()


def setting(tab: object, name: str, value: str, of: str = "Both sides") -> None:
    """Fill a field of the settings, and leave them closed."""
    toggle = tab.get_by_role("button", name="Settings", exact=True)
    toggle.click()
    tab.get_by_role("tab", name=of).click()
    field = tab.get_by_label(name, exact=True)
    field.click()  # as a person does; it waits for a frame, in which Gradio sets the fields of a tab just opened
    field.fill(value)
    toggle.click()
    playwright.expect(field).to_have_value(value)
