"""Nothing that a model writes becomes more than text that is formatted: what Chromium builds of it is looked at."""

from __future__ import annotations

import pytest

from playground.ui.markdown import MarkdownStream, render
from playground.ui.markdown.wall import ALLOWED, CLASSES, FIXED
from tests import hostile
from tests.browser import MARKS, browser

pytestmark = MARKS
__all__ = ["browser"]


def shown_on_the_way(text: str) -> list[str]:
    """Every block that is shown while the text arrives, and at its end."""
    stream, seen = MarkdownStream(), set()
    for at in range(0, len(text), 11):
        stream.feed(text[at : at + 11])
        stream.refresh()
        seen.update(stream.blocks)
    stream.finish()
    return sorted(seen.union(stream.blocks))


CHECK = """([blocks, allowed, classes]) => {
  const found = [];
  const look = (root, source) => {
    const walk = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_COMMENT);
    while (walk.nextNode()) {
      const node = walk.currentNode, tag = node.localName;
      if (!tag || !Object.hasOwn(allowed, tag)) { found.push([node.nodeName, source]); continue; }
      const math = node.namespaceURI === "http://www.w3.org/1998/Math/MathML";
      if (math !== (tag === "math" || tag.startsWith("m"))) found.push([node.namespaceURI, tag, source]);
      for (const { name, value } of node.attributes) {
        if (!allowed[tag].includes(name)) found.push([tag, name, source]);
        const words = name === "class" ? value.split(" ") : [];
        if (words.some((word) => !(classes[tag] || []).includes(word))) found.push([tag, value, source]);
      }
      if (tag === "a") {
        const safe = !node.hasAttribute("href") || ["https:", "http:", "mailto:"].includes(node.protocol);
        if (!safe) found.push([node.href, source]);
        if (node.target !== "_blank" || node.rel !== "noopener noreferrer nofollow") found.push(["a", source]);
      }
      if (tag === "input" && (node.type !== "checkbox" || !node.disabled)) found.push(["input", source]);
    }
  };
  for (const block of blocks) {
    const place = document.body.appendChild(document.createElement("div"));
    place.innerHTML = block;
    look(place, block);
    const again = document.body.appendChild(document.createElement("div"));
    again.innerHTML = place.innerHTML;
    look(again, block);
    if (again.innerHTML !== place.innerHTML) found.push(["changes when parsed again", block]);
  }
  return found.slice(0, 5);
}"""


def test_what_chromium_builds_has_only_what_is_allowed_runs_nothing_and_asks_nobody(browser: object) -> None:
    blocks = sorted({block for text in hostile.texts(400) for block in shown_on_the_way(text)})
    assert len(blocks) > 2_000
    tab = browser.new_page()
    asked: list[str] = []
    tab.route("**/*", lambda route: (asked.append(route.request.url), route.abort()))
    tab.set_content("<script>window.runs = 0; function ran() { window.runs += 1 }</script><body>")
    allowed = {
        tag: sorted({*names, *FIXED.get(tag, {}), *({"rel"} if tag == "a" else set())})
        for tag, names in ALLOWED.items()
    }
    for at in range(0, len(blocks), 2_000):
        found = tab.evaluate(
            CHECK, [blocks[at : at + 2_000], allowed, {tag: sorted(names) for tag, names in CLASSES.items()}]
        )
        assert found == []
    with tab.expect_event("requestfailed", lambda request: request.url.endswith("/last")):
        tab.evaluate("document.body.appendChild(new Image()).src = 'http://here.test/last'")  # asked after all others
    assert asked == ["http://here.test/last"]
    assert tab.evaluate("window.runs") == 0
    tab.close()


def test_the_listener_and_the_check_would_notice(browser: object) -> None:
    tab = browser.new_page()
    asked: list[str] = []
    tab.route("**/*", lambda route: (asked.append(route.request.url), route.abort()))
    tab.set_content("<script>window.runs = 0; function ran() { window.runs += 1 }</script><body>")
    bad = [
        f"<img src='{hostile.ELSEWHERE}/i' onerror='ran()'>",
        "<p style='color:red'>a</p>",
        "<a href='javascript:ran()'>b</a>",
    ]
    found = tab.evaluate(CHECK, [bad, {"p": [], "a": ["href"]}, {}])
    assert [one[0] for one in found] == ["IMG", "IMG", "p", "p", "javascript:ran()"]
    tab.wait_for_function("window.runs > 0")
    assert asked[0] == f"{hostile.ELSEWHERE}/i"
    tab.close()


@pytest.mark.parametrize(
    "text",
    [
        "\\`<video src=http://elsewhere.test/v autoplay>`",
        "    ```\n<div style='position:fixed;inset:0'>\n    ```",
        "`a\n\n<audio src=x>`",
        "```\na\n~~~\n```\n<video src=x>",
        "$`<video src=x>`$",
        "~~~ `\n~~~\n<form action=x>",
        "> ```\n<img src=x>",
        "- ```\n<img src=x>",
    ],
)
def test_no_code_span_that_is_none_lets_a_tag_through(text: str) -> None:
    assert not any(f"<{tag}" in render(text) for tag in ("video", "audio", "form", "img", "div style"))
