"""The menus that choose models, in a real browser: the order of many rows, named pairs, what a server offers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground import parts
from playground.settings import Settings
from tests import site
from tests.badserver import DONE, STOP, BadServer, Request, event, sse, text
from tests.browser import LONG_S, MARKS, answer, ask, browser, finished, visit
from tests.hubserver import Hub, serving
from tests.patience import eventually

__all__ = ["browser", "visit"]
pytestmark = MARKS
HEADERS = {"Content-Type": "application/json"}


def offering(*models: str):
    """A server with these models, which says its name."""
    listed = json.dumps({"data": [{"id": model} for model in models]}).encode()

    def script(request: Request):
        if request.line.startswith("GET"):
            return [("status", 200, HEADERS, listed)]
        name = request.json["model"]
        return [sse(), ("send", event(text(f"This is {name}.")) + STOP + DONE)]

    return script


def server_row(key: str, server: BadServer) -> str:
    return f'[[model]]\nkey = "{key}"\ntitle = "Server {key}"\nengine = "openai"\nbase_url = "{server.url}/v1"\n'


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("pairs")
    rows = site.model(folder, "alpha", [{"events": site.words("Alpha speaks.")}], title="Alpha 1B")
    rows += site.model(folder, "beta", [{"events": site.words("Beta speaks.")}], title="Beta 2B")
    with (
        BadServer(offering("only-one")) as one,
        BadServer(offering("first", "second")) as two,
        BadServer(offering()) as no,
    ):
        rows += server_row("one", one) + server_row("two", two) + server_row("none", no)
        with site.app(folder, rows) as url:
            yield url


def pick(tab, label: str, title: str) -> None:
    tab.get_by_label(label, exact=True).click()
    tab.get_by_role("option", name=title, exact=True).click()


def value(tab, side: str) -> str:
    return tab.get_by_label(f"{side} model", exact=True).input_value()


def becomes(tab, side: str, title: str) -> None:
    tab.wait_for_function(
        "([label, title]) => document.querySelector(`input[aria-label='${label}']`)?.value === title",
        arg=[f"{side} model", title],
        timeout=LONG_S,
    )


def reopened(tab) -> str:
    """The model on the left when the page is opened anew."""
    tab.reload()
    tab.get_by_label("Left model", exact=True).wait_for(timeout=LONG_S)
    return value(tab, "Left")


def test_many_rows_stand_in_order_and_are_found_by_typing(page, visit):
    tab = visit(page)
    tab.get_by_label("Left model", exact=True).click()
    titles = tab.locator(".pick.left").get_by_role("option").all_inner_texts()
    titles = [title.strip().removeprefix("✓").strip() for title in titles]
    assert titles[:2] == ["Alpha 1B", "Beta 2B"]  # the person's own
    assert titles.index("SmolLM2 135M · 4-bit") < titles.index("Qwen3.5 9B · bf16")
    assert len(titles) > 60
    tab.keyboard.press("Control+A")
    tab.keyboard.type("122B")
    found = tab.locator(".pick.left").get_by_role("option")
    found.filter(has_text="Alpha").wait_for(state="detached", timeout=LONG_S)
    assert found.count() == 3
    assert all("122B" in title for title in found.all_inner_texts())


def test_a_named_pair_fills_both_pickers_and_says_what_it_compares(page, visit):
    tab = visit(page)
    pick(tab, "Named pairs", "4-bit against 16-bit")
    becomes(tab, "Left", "SmolLM2 135M · 4-bit")
    assert value(tab, "Right") == "SmolLM2 135M · bf16"
    assert "the same model in both precisions" in tab.locator(".block.why").inner_text()


def test_a_pair_that_cannot_be_had_here_says_what_is_missing(page, visit):
    tab = visit(page)
    pick(tab, "Named pairs", "Thinking on against off")
    becomes(tab, "Left", "Qwen3.5 9B · hosted, Hugging Face")
    assert "needs a key in HF_TOKEN" in tab.locator(".block.why").inner_text()


def test_the_only_model_of_a_server_is_taken_and_answers(page, visit):
    tab = visit(page)
    pick(tab, "Left model", "Server one")
    becomes(tab, "Left", "Server one · only-one")
    ask(tab, "Who are you?")
    finished(tab)
    assert "This is only-one." in answer(tab, "left").inner_text()


def test_of_several_models_one_is_chosen_in_the_list(page, visit):
    tab = visit(page)
    pick(tab, "Right model", "Server two")
    problem = tab.locator(".problem")
    problem.get_by_text("Server two offers 2 models").wait_for(timeout=LONG_S)
    pick(tab, "Right model", "Server two · second")
    becomes(tab, "Right", "Server two · second")
    ask(tab, "Who are you?")
    finished(tab)
    assert "This is second." in answer(tab, "right").inner_text()


def test_a_server_without_models_says_so_and_the_other_side_answers(page, visit):
    tab = visit(page)
    pick(tab, "Right model", "Server none")
    tab.locator(".problem").get_by_text("offers no model").wait_for(timeout=LONG_S)
    ask(tab, "Who are you?")
    finished(tab)
    assert "Alpha speaks." in answer(tab, "left").inner_text()
    assert "offers no model. Load one there" in answer(tab, "right").inner_text()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_the_menu_fits_beside_its_sentence(page, visit, width: int, scheme: str):
    tab = visit(page, width=width, scheme=scheme)
    box = tab.locator(".pairs-menu").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width


def test_a_page_that_is_opened_after_the_hub_has_answered_begins_with_its_pair(tmp_path: Path, visit):
    environ = {"HF_HUB_CACHE": str(tmp_path / "hub"), "PLAYGROUND_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    with serving(Hub({})) as quick:
        told = Settings(cache=tmp_path, environ={**environ, "HF_ENDPOINT": quick.url})
        house = parts.assemble(told)
        house.hub_known()
        expected = [house.catalog.row(key).title for key in (house.pair.left, house.pair.right)]
    program = site.ROOT / "tests" / "late_hub_child.py"
    with (
        serving(Hub({}, awake=threading.Event())) as late,
        site.app(tmp_path, "", env={**environ, "HF_ENDPOINT": late.url}, program=program) as url,
    ):
        tab = visit(url)
        becomes(tab, "Left", "SmolLM2 135M · 4-bit")
        assert value(tab, "Right") == "SmolLM2 135M · bf16"
        late.awake.set()
        eventually(lambda: reopened(tab) == expected[0])  # the answer is on its way to the app
        becomes(tab, "Right", expected[1])
        assert expected[0] != "SmolLM2 135M · 4-bit"
        assert "the best pair for" in tab.locator(".block.why").inner_text()
