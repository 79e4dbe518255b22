"""What a model writes can be read and does nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.ui.inert import inert


@pytest.mark.parametrize(
    "text",
    ["a < b and b > c", "x <- 3", "2 <3", "plain **bold** text", "```html\n<b>bold</b>\n```", "use `<b>` for bold",
     "~~~\n<img src=x>\n~~~", "- item\n    ```\n    <i>\n    ```", "```\n<b> while it streams", "[a link](https://example.org)"],
)  # fmt: skip
def test_ordinary_text_code_and_links_stay_as_they_are(text: str) -> None:
    assert inert(text) == text


@pytest.mark.parametrize("tag", ["<b>", "</div>", "<img src=https://example.org/x>", "<!-- x -->", "<form action=x>"])
def test_what_opens_a_tag_is_written_as_an_entity(tag: str) -> None:
    assert inert(f"so {tag} it is") == f"so &lt;{tag[1:]} it is"
    assert "<" not in inert(f"`unclosed {tag}")
    assert "<" not in inert(f"`code`{tag}`code`").replace("`code`", "")
    assert "<" not in inert(f"`not\n\ncode {tag}`")


def test_an_image_of_another_site_becomes_a_link() -> None:
    assert inert("![alt](https://example.org/x.png)") == "&#33;[alt](https://example.org/x.png)"


def test_less_than_in_a_formula_stays_less_than() -> None:
    assert inert(r"\(a<b\)") == r"\(a\lt b\)"
    assert inert("$$x<y$$") == r"$$x\lt y$$"


@given(st.text(alphabet="<>b/`~$\\()[]! \nx"))
def test_outside_code_nothing_opens_a_tag(text: str) -> None:
    if "`" not in text and "~" not in text:
        shown = inert(text)
        assert not any(f"<{sign}" in shown for sign in ("b", "/", "!", "x"))
