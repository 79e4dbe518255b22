"""The page while answers stream: how it is updated, what a reload and a broken line do, what it costs when idle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from playground import passwords
from playground.types import SIDES
from playground.ui.markdown import render
from playground.ui.page import SECURITY_POLICY
from tests import site
from tests.browser import LONG_S, MARKS, REACTION_MS, answer, ask, browser, finished, playwright, visit
from tests.prefixed import prefixed
from tests.tap import tapped

__all__ = ["browser", "visit"]
pytestmark = MARKS

MARKDOWN = (
    "# A title\n\nSome *words*, a price of $5 or $6, and $x^2$.\n\n- [x] done\n- [ ] open\n  1. nested\n\n"
    "| a | b |\n|---|---|\n| 1 | **2** |\n\n```python\ndef f(x):\n\treturn x  # two tabs:\t\t\n```\n\n> said\n\n"
    "שלום עולם\n\nSee [the end].\n\n[the end]: https://example.org/\n"
)
STORY = " ".join(f"word{n}" for n in range(60))
ENDLESS = " ".join(f"word{n}" for n in range(4000))


def rows(folder: Path) -> str:
    pieces = [MARKDOWN[at : at + 4] for at in range(0, len(MARKDOWN), 4)]
    answers = [
        {"match": "slowly", "events": [[0.1 * n, "text", piece] for n, piece in enumerate(pieces)]},
        {"match": "Markdown", "events": [[0.01 * n, "text", piece] for n, piece in enumerate(pieces)]},
        {"match": "run on", "events": site.words(ENDLESS, every_s=0.05)},
        {"match": "", "events": site.words(STORY, every_s=0.02)},
    ]
    slower = [*answers[:3], {"match": "", "events": site.words(STORY, every_s=0.04)}]
    return site.model(folder, "quick", answers, "Quick 1B") + site.model(folder, "slow", slower, "Slow 13B")


COUNT_FRAMES = """
  window.framesAsked = 0;
  const ask = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (callback) => { window.framesAsked += 1; return ask(callback); };
"""
FLAGS = ("--left", "quick", "--right", "slow")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("live")
    with site.app(home, rows(home), *FLAGS) as address:
        yield address


def word(tab: object, side: str, number: int) -> None:
    """That word of the answer has come."""
    playwright.expect(answer(tab, side)).to_contain_text(f"word{number} ", timeout=LONG_S)


def vote(tab: object, name: str) -> None:
    tab.wait_for_timeout(REACTION_MS)
    tab.get_by_role("button", name=name).click()
    playwright.expect(tab.get_by_text("Thank you.")).to_be_visible(timeout=LONG_S)


def shows(tab: object, side: str, html: str) -> bool:
    """The blocks of that answer are what a browser builds from this, whatever the order of attributes."""
    return tab.evaluate(
        """([side, html]) => {
          const [shown, whole] = [document.createElement("div"), document.createElement("div")];
          for (const block of document.querySelectorAll(`.answer.${side} .answer-body > .markdown > div`))
            shown.append(...block.cloneNode(true).childNodes);
          whole.innerHTML = html;
          shown.normalize();  // a long text is several nodes
          return shown.isEqualNode(whole);
        }""",
        [side, html],
    )


def test_what_is_shown_at_the_end_is_one_render_of_the_whole(visit: Callable[..., object], url: str) -> None:
    tab = visit(url)
    ask(tab, "Markdown, please.")
    finished(tab)
    assert [shows(tab, side, render(MARKDOWN)) for side in SIDES] == [True, True]


GROWTHS = {
    "a word": ["<p>one</p>", "<p>one two</p>", "<p>one two three &amp; <em>four</em></p>"],
    "a long text": ["<p>" + "word " * n + "</p>" for n in (1, 50, 120, 300, 301, 20)],
    "a mark that closes": ["<p>a **b</p>", "<p>a <strong>b</strong></p>", "<p>a <strong>b</strong> c</p>", "<p>a</p>"],
    "a list": [
        "<ul><li>" + "long " * 60 + "</li></ul>",
        "<ul><li>" + "long " * 90 + "</li><li>b</li></ul><p>c</p>",
        "<ul><li>" + "long " * 90 + "</li><li>b</li><li>d <b>e</b> f</li></ul>",
    ],
    "another kind": ["<p>| a | b |</p>", "<table><tr><th>a</th><th>b</th></tr></table>", "", "text", "<hr>text"],
    "attributes": ['<ol start="2"><li>a</li></ol>', '<ol start="3"><li>a</li></ol>', '<p class="b">a</p>', "<p>a</p>"],
}


@pytest.mark.parametrize("texts", GROWTHS.values(), ids=GROWTHS.keys())
def test_a_block_that_changes_is_what_a_new_one_would_be(
    visit: Callable[..., object], url: str, texts: list[str]
) -> None:
    tab = visit(url)
    shown = tab.evaluate(
        """(texts) => texts.map((html) => {
          const [place, whole, template] = ["div", "div", "template"].map((name) => document.createElement(name));
          place.id = "morphed";
          document.querySelector("#morphed") ?? document.body.append(place);
          whole.innerHTML = template.innerHTML = html;
          const morphed = document.querySelector("#morphed");
          window.live.morph(morphed, template.content);
          const once = morphed.cloneNode(true);
          once.normalize();
          return [once.innerHTML, whole.innerHTML];
        })""",
        texts,
    )
    assert [morphed for morphed, _ in shown] == [whole for _, whole in shown] != []


def test_an_answer_and_its_code_are_copied_as_they_were_written(visit: Callable[..., object], url: str) -> None:
    tab = visit(url)
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ask(tab, "Markdown, please.")
    finished(tab)
    tab.get_by_role("button", name="Copy left answer").click()
    playwright.expect(tab.get_by_text("Copied")).to_be_visible()
    assert tab.evaluate("navigator.clipboard.readText()") == MARKDOWN
    answer(tab, "right").get_by_role("button", name="Copy code").click()
    playwright.expect(tab.get_by_text("Copied")).to_have_count(2)
    assert tab.evaluate("navigator.clipboard.readText()") == "def f(x):\n\treturn x  # two tabs:\t\t"


def test_gradio_hears_of_a_comparison_when_it_begins_and_when_it_has_ended(
    visit: Callable[..., object], url: str
) -> None:
    tab = visit(url)
    ask(tab, "A story.")
    word(tab, "left", 3)
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    word(tab, "right", 40)
    assert asked == []
    finished(tab)
    assert any("queue/join" in address for address in asked)


def test_a_page_on_which_nothing_happens_asks_for_no_frame_and_holds_no_connection(
    visit: Callable[..., object], url: str
) -> None:
    tab = visit(url)
    ask(tab, "A story.")
    finished(tab)
    tab.add_init_script(COUNT_FRAMES)
    tab.reload()
    tab.get_by_label("Prompt", exact=True).wait_for(timeout=LONG_S)
    word(tab, "right", 59)
    tab.wait_for_load_state("networkidle")  # for half a second no connection is open, so no heartbeat either
    for _ in range(60):  # what moves when a page is opened comes to rest; a clock that runs asks for ever
        before = tab.evaluate("window.framesAsked")
        tab.wait_for_timeout(1_000)
        if tab.evaluate("window.framesAsked") == before:
            return
    pytest.fail("60 times a second a frame was asked for, for a minute")


def test_a_screen_reader_hears_once_that_a_side_has_answered_and_not_every_word(
    visit: Callable[..., object], url: str
) -> None:
    tab = visit(url)
    ask(tab, "A story.")
    word(tab, "left", 1)
    tab.evaluate(
        """() => {
          window.heard = [];
          for (const place of document.querySelectorAll(".result [aria-live], .result [role=status]"))
            new MutationObserver(() => window.heard.push(place.textContent))
              .observe(place, { childList: true, subtree: true, characterData: true });
        }"""
    )
    finished(tab)
    assert tab.evaluate("window.heard") == [
        "Left answered.", "Left answered. Right answered. Both answered: which is better?",
    ]  # fmt: skip


def test_a_page_that_is_loaded_again_in_mid_answer_goes_on_with_it(visit: Callable[..., object], url: str) -> None:
    tab = visit(url)
    ask(tab, "Please run on.")
    word(tab, "right", 10)
    tab.reload()
    playwright.expect(tab.get_by_label("Asked")).to_contain_text("Please run on.", timeout=LONG_S)
    word(tab, "left", 1)
    word(tab, "right", 60)
    tab.get_by_role("button", name="Stop", exact=True).click()
    finished(tab)
    tab.reload()
    finished(tab)
    word(tab, "left", 60)
    vote(tab, "Left is better")
    tab.reload()
    playwright.expect(tab.get_by_text("Thank you.")).to_be_visible(timeout=LONG_S)
    playwright.expect(tab.get_by_role("button", name="Tie")).to_be_disabled()


def test_after_a_reload_the_pickers_name_those_who_answered(visit: Callable[..., object], url: str) -> None:
    tab = visit(url)
    tab.get_by_role("button", name="Swap models").click()
    playwright.expect(tab.get_by_label("Left model", exact=True)).to_have_value("Slow 13B")
    ask(tab, "A story.")
    finished(tab)
    tab.reload()
    finished(tab)
    playwright.expect(tab.get_by_label("Left model", exact=True)).to_have_value("Slow 13B")
    playwright.expect(answer(tab, "left")).to_contain_text("Slow 13B")


def test_a_copy_of_a_tab_begins_anew_and_leaves_the_first_alone(visit: Callable[..., object], url: str) -> None:
    tab = visit(url)
    ask(tab, "A story.")
    finished(tab)
    with tab.expect_popup() as opened:
        tab.evaluate("void window.open(location.href)")
    copy = opened.value
    copy.get_by_text("Same question, two models.").wait_for(timeout=LONG_S)
    assert copy.evaluate("sessionStorage.length") == 0, "a browser copies what a tab has stored: it was given up"
    copy.close()
    vote(tab, "Right is better")


def test_a_line_that_breaks_in_the_middle_of_an_answer_is_taken_up_again(
    visit: Callable[..., object], url: str
) -> None:
    with tapped(url) as (through, tap):
        tab = visit(through)
        ask(tab, "Markdown, slowly please.")
        for said in ("A title", "nested", "def f"):
            playwright.expect(answer(tab, "left").locator(".answer-body > .markdown")).to_contain_text(said)
            assert tap.cut(b"text/event-stream") > 0, "a stream is open"
        finished(tab)
        assert [shows(tab, side, render(MARKDOWN)) for side in SIDES] == [True, True]
        tab.close()


def test_it_works_under_a_path_of_another_server(visit: Callable[..., object], tmp_path: Path) -> None:
    with (
        site.app(tmp_path, rows(tmp_path), *FLAGS, env={"GRADIO_ROOT_PATH": "/compare/models"}) as inside,
        prefixed(inside, "/compare/models") as outside,
    ):
        tab = visit(outside)
        ask(tab, "A story.")
        finished(tab)
        word(tab, "right", 58)
        vote(tab, "Tie")
        tab.close()


def test_it_works_behind_a_password(browser: object, tmp_path: Path) -> None:
    passwords.store(tmp_path / "users.txt", "ada", "a long word")
    with site.app(tmp_path, rows(tmp_path), *FLAGS, "--auth-file", str(tmp_path / "users.txt")) as address:
        tab = browser.new_page()
        tab.goto(address)
        tab.get_by_label("username").fill("ada")
        tab.get_by_label("password").fill("a long word")
        tab.get_by_role("button", name="Login").click()
        tab.get_by_label("Prompt", exact=True).wait_for(timeout=LONG_S)
        ask(tab, "A story.")
        finished(tab)
        word(tab, "right", 58)
        tab.close()


def test_whatever_gets_into_the_page_no_other_host_is_asked(visit: Callable[..., object], url: str) -> None:
    tab = visit(url)
    refused = tab.evaluate(
        """async () => {
          const found = [];
          document.addEventListener("securitypolicyviolation", (event) => found.push(event.effectiveDirective));
          const other = "http://127.0.0.2:9/x";
          const place = document.body.appendChild(document.createElement("div"));
          place.innerHTML = `<img src="${other}"><video src="${other}"></video><iframe src="${other}"></iframe>`
            + `<object data="${other}"></object><link rel="stylesheet" href="${other}">`;
          await fetch(other).catch(() => {});
          await new Promise((wait) => setTimeout(wait, 500));
          place.remove();
          return [...new Set(found)].sort();
        }"""
    )
    assert refused == ["connect-src", "frame-src", "img-src", "media-src", "object-src", "style-src-elem"]
    reply = tab.request.get(url)
    assert reply.headers["content-security-policy"] == SECURITY_POLICY


def test_the_page_says_when_the_app_is_gone(visit: Callable[..., object], tmp_path: Path) -> None:
    with site.app(tmp_path, rows(tmp_path), *FLAGS) as address:
        tab = visit(address)
        ask(tab, "Please run on.")
        word(tab, "left", 5)
        tab.evaluate("window.setTimeout = ((wait) => (work) => wait(work, 1))(window.setTimeout)")  # no long waits
    playwright.expect(tab.locator("body.live-lost")).to_have_count(1, timeout=LONG_S)
    said = tab.evaluate("getComputedStyle(document.querySelector('.result'), '::before').content")
    assert "connection to the app was lost" in said
    tab.close()


def test_a_comparison_that_the_app_no_longer_has_is_given_up(visit: Callable[..., object], url: str) -> None:
    tab, asked = visit(url), []

    def refuse(route: object) -> None:
        asked.append(route.request.url)
        route.fulfill(status=404)

    tab.route("**/live/*", refuse)
    ask(tab, "Hello.")
    playwright.expect(tab.locator("body.live-void")).to_have_count(1, timeout=LONG_S)
    said = tab.evaluate("getComputedStyle(document.querySelector('.result'), '::before').content")
    assert "no longer has this comparison" in said
    tab.wait_for_timeout(2_500)  # longer than between two tries
    assert len(asked) == 2  # the stream, and the question what is wrong with it
    tab.unroute("**/live/*")
    tab.reload()
    ask(tab, "Hello.")
    finished(tab)
