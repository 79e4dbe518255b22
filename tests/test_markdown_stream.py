"""What is shown while Markdown arrives, and at its end, whatever the cuts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from playground.ui.markdown import MarkdownStream, render
from playground.ui.markdown.blocks import References, has_text, render_section

LINES = [
    "", " ", "a", "a b", "- a", "- ", "-", "* b", "+ c", "1. a", "2. b", "10. c", "1)", "  x", "    code", "\tcode",
    "   y", "> q", ">", "> - q", "- > q", "> ```", "```", "```py", "~~~", "  ```", "   ```", "    ```", "- ```",
    "1. ```js", " ```", "# h", "#", " # h", "---", "***", "===", "- - -", "| a | b |", "|---|---|", "| 1 |", "$$",
    "$$x$$", "\\[", "\\]", "  $$", "[a]: http://b", "[a]", "**x", "x**", "`c", "c`", "-\ta", "  - n", "    - m",
    "     - d", "-      a", "  1. z", "```` ", "      p",
]  # fmt: skip
DOCUMENTS = st.lists(st.sampled_from(LINES), max_size=9).map("\n".join)
TEXTS = DOCUMENTS | st.text(alphabet="ab1 \n-*`#>.[]:()$\\|~_\r\t!<&;/")


@given(TEXTS, st.lists(st.integers(0, 80), max_size=6))
def test_the_end_is_one_rendering_of_the_whole_and_only_what_changed_is_another_object(text, cuts) -> None:
    stream, at = MarkdownStream(), 0
    for cut in [*sorted(cuts), len(text)]:
        stream.feed(text[at:cut])
        at = max(at, cut)
        before = list(stream.blocks)
        _changed_from(stream.refresh(), before, stream.blocks)
    before = list(stream.blocks)
    _changed_from(stream.finish(), before, stream.blocks)
    assert "".join(stream.blocks) == render(text)


def _changed_from(index: int, before: list[str], after: list[str]) -> None:
    assert all(one is two for one, two in zip(before[:index], after, strict=False))
    assert index < len(after) or before == after


@given(DOCUMENTS)
def test_sections_mean_the_same_as_in_the_whole(text) -> None:
    whole = "".join(render_section(text + "\n", References()))
    if has_text(whole):
        assert render(text).replace("\n", "") == whole.replace("\n", "")


@given(TEXTS)
def test_a_text_that_is_not_blank_is_never_an_empty_pane(text) -> None:
    assert has_text(render(text)) == bool(text.strip())
