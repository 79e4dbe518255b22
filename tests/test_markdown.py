"""Markdown of models becomes HTML that can only be read: each kind of construct, and what must never come out."""

from __future__ import annotations

import re

import pytest

from playground.ui.markdown import render


def shown(text: str) -> str:
    """The HTML without what every block has."""
    return re.sub(r' dir="auto"|\n', "", render(text))


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain *em* **strong** ~~gone~~ `code`",
         "<p>plain <em>em</em> <strong>strong</strong> <s>gone</s> <code>code</code></p>"),
        ("one\ntwo", "<p>one<br>two</p>"),
        ("# A\n## B", "<h1>A</h1><h2>B</h2>"),
        ("> quoted\n> on", "<blockquote><p>quoted<br>on</p></blockquote>"),
        ("a\n\n---\n\nb", "<p>a</p><hr><p>b</p>"),
        ("7. seven\n8. eight", '<ol start="7"><li>seven</li><li>eight</li></ol>'),
        ("- a\n\n- b", "<ul><li><p>a</p></li><li><p>b</p></li></ul>"),
        ("- a\n  - b\n    - c", "<ul><li>a<ul><li>b<ul><li>c</li></ul></li></ul></li></ul>"),
        ("<b>bold</b> & <script>x</script>", "<p>&lt;b&gt;bold&lt;/b&gt; &amp; &lt;script&gt;x&lt;/script&gt;</p>"),
        ("![a cat](https://example.org/x.png)", '<p><span class="image">a cat</span></p>'),
        ("", ""),
        (" \n\t\n", ""),
    ],
)  # fmt: skip
def test_each_construct_comes_out_right(text: str, html: str) -> None:
    assert shown(text) == html
