"""The page as its owner sees it and as a visitor does, in a real browser: what is offered, what is closed and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import site
from tests.badserver import DONE, STOP, BadServer, event, sse, text
from tests.browser import LONG_S, MARKS, answer, ask, browser, choose, finished, playwright, visit
from tests.test_owner import TOKEN, rows

__all__ = ["browser", "visit"]
pytestmark = MARKS


@pytest.fixture(scope="module")
def paid() -> Iterator[BadServer]:
    with BadServer([sse(), ("send", event(text("Paid words")) + STOP + DONE)]) as server:
        yield server


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, paid: BadServer) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page_owner")
    env = {"PAID_KEY": "key-of-the-owner", "PLAYGROUND_OWNER_TOKEN": TOKEN}
    flags = ("--left", "one", "--right", "two", "--offer", "offered", "--budget", "requests=2,tokens=20000")
    with site.app(folder, rows(folder, paid), *flags, "--cache", str(folder / "cache"), env=env) as address:
        yield address


def offered(tab: object, side: str = "left") -> list[str]:
    """What that picker lists."""
    picker = tab.get_by_label(f"{side.capitalize()} model", exact=True)
    picker.click()
    picker.fill("")
    titles = tab.locator(f".pick.{side}").get_by_role("option").all_inner_texts()
    picker.press("Escape")
    return [title.replace("✓", "").strip() for title in titles]


def opened(tab: object) -> object:
    tab.get_by_role("tab", name="Models").click()
    tab.locator(".shelf .entry").first.wait_for(timeout=LONG_S)
    return tab


def test_a_visitor_sees_what_is_offered_and_why_the_rest_is_not_and_what_is_left(
    visit: Callable[..., object], url: str
) -> None:
    tab = visit(url)
    playwright.expect(tab.get_by_text("You are a visitor of this page")).to_contain_text("2 of 2 answers")
    titles = offered(tab)
    assert {"One", "Two", "Offered"} <= set(titles)
    assert not {"Paid", "Far away"} & set(titles)
    assert not tab.get_by_label("Named pairs").is_visible()
    choose(tab, "left", "Offered")
    ask(tab, "Hello?")
    finished(tab)
    assert "Paid words" in answer(tab, "left").inner_text()
    playwright.expect(tab.get_by_text("You are a visitor of this page")).to_contain_text("1 of 2 answers")
    ask(tab, "And now?")
    playwright.expect(tab.get_by_text("You are a visitor of this page")).to_contain_text("0 of 2 answers")
    finished(tab)
    ask(tab, "And once more?")
    used_up = "today's budget of this page for you has 0 answers left"
    playwright.expect(tab.locator(".block.problem").first).to_contain_text(used_up)
    opened(tab)
    playwright.expect(tab.get_by_text("only the page’s owner loads, unloads and downloads models")).to_be_visible()
    far = tab.locator('.shelf .entry[data-model="far"]')
    closed = far.get_by_text("not offered")
    assert "Far away is not offered to visitors" in closed.get_attribute("title")
    button = far.get_by_role("button")
    assert button.is_disabled()
    assert "Ask the owner" in button.get_attribute("title")
    assert tab.locator('.shelf .entry[data-model="one"]').get_by_text("not offered").count() == 0


def test_the_owner_gets_in_by_an_address_that_does_not_stay_and_may_do_everything(
    visit: Callable[..., object], url: str
) -> None:
    tab = visit(f"{url}?owner={TOKEN}")
    assert tab.url == url
    assert TOKEN not in tab.evaluate("document.cookie + JSON.stringify(history.state) + document.referrer")
    playwright.expect(tab.get_by_text("You are the owner of this page.")).to_be_visible()
    assert {"Paid", "Far away"} <= set(offered(tab))
    opened(tab)
    button = tab.get_by_role("button", name="Fetch Far away")
    playwright.expect(button).to_be_enabled()
    assert tab.get_by_text("not offered").count() == 0
    tab.reload()
    playwright.expect(tab.get_by_text("You are the owner of this page.")).to_be_visible()


def test_on_ones_own_machine_the_page_says_nothing_of_owners(visit: Callable[..., object], tmp_path: Path) -> None:
    said = [{"match": "", "events": site.words("Four.")}]
    models = site.model(tmp_path, "one", said, "One") + site.model(tmp_path, "two", said, "Two")
    with site.app(tmp_path, models, "--left", "one", "--right", "two") as address:
        tab = visit(address)
        ask(tab, "Hello?")
        finished(tab)
        assert tab.get_by_text(re.compile("visitor|owner")).count() == 0
        playwright.expect(opened(tab).get_by_role("button", name=re.compile("^(Load|Fetch) ")).first).to_be_enabled()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (768, "dark"), (390, "light"), (390, "dark")])
def test_no_width_or_scheme_makes_a_visitors_page_scroll_sideways(
    visit: Callable[..., object], url: str, width: int, scheme: str
) -> None:
    tab = visit(url, width, 844, scheme)
    playwright.expect(tab.get_by_text("You are a visitor of this page")).to_be_visible()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    opened(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
