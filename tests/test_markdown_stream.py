"""What is shown while Markdown arrives, and at its end, whatever the cuts."""

from __future__ import annotations

import re

import pytest
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


ANSWER = """\
# A title with `code`

Some *text* and **bold words** with `code <b>` & <b>tags</b>; it costs $5 and $10, but $x^2 < y$ (see [a link](https://a.b)).
next line of it & more — “quoted”. A \\*star\\* and a_b_c, 2 * 3 * 4, https://c.d/e_f.

**Pros:**
- first **item** is here
- second `item`: it goes on
  - nested one
  - nested *two*
- [x] done
- [ ] todo

1. Install it:
   ```bash
   pip install x
   echo "}"
   ```
2. Run it, and `see`.

   Another paragraph.
3. Three

| Name | Value | More |
|:-----|------:|------|
| a `x` | 1 | text **b** |
| b | $x$ | |
| c | 3 |

> quote *one*
> more

```python
def f(x):
    '''Doc string
    for more.'''
    return {"a": x}

}
```

$$
\\frac{a}{b} = c
$$

So \\(a<b\\) and \\[ c \\] end. שלום עולם

- שלום
- עולם

![img](http://x/y.png).

    indented code
\tmore

Last ~~line~~ *unclosed and `more
"""


@pytest.mark.parametrize("step", [1, 2, 9, 40])
def test_what_is_shown_meanwhile_is_the_rendering_of_what_there_is(step: int) -> None:
    stream = MarkdownStream()
    for at in range(0, len(ANSWER), step):
        stream.feed(ANSWER[at : at + step])
        stream.refresh()
        if at > 2:
            assert words("".join(stream.blocks)) == words(render(ANSWER[: at + step]))


def words(html: str) -> str:
    """The HTML but for colours, space, the end of an empty table, and marks that may be a fence's end."""
    html = re.sub(r"</?span[^>]*>|<tbody>\n</tbody>|\s", "", html)
    return re.sub(r"`*(?=</code></pre></div>$)", "", html)


def test_what_is_complete_is_rendered_once_and_what_grows_changes_from_its_own_block_on() -> None:
    stream = MarkdownStream()
    stream.feed("# One\n\nTwo\n\nThree ")
    assert stream.refresh() == 0
    first, second, third = stream.blocks
    stream.feed("goes on")
    assert stream.refresh() == 2
    assert stream.refresh() == 3 == len(stream.blocks)
    assert stream.blocks[0] is first
    assert stream.blocks[1] is second
    assert stream.blocks[2] == third.replace("Three", "Three goes on")
    assert stream.finish() == 3


def test_a_link_is_resolved_at_the_end_and_the_blocks_before_it_stay() -> None:
    stream = MarkdownStream()
    stream.feed("One\n\nSee [two].\n\nThree\n\n[two]: https://a.b")
    stream.refresh()
    assert "<a" not in "".join(stream.blocks)
    first = stream.blocks[0]
    assert stream.finish() == 1
    assert stream.blocks[0] is first
    assert 'href="https://a.b"' in stream.blocks[1]


def test_long_code_is_shown_in_parts_and_becomes_one_block_that_can_be_copied() -> None:
    stream, code = MarkdownStream(), "".join(f"value_{n} = {n}  # and a word\n" for n in range(200))
    stream.feed("```python\n")
    for line in code.splitlines(keepends=True):
        stream.feed(line)
        before = list(stream.blocks)
        index = stream.refresh()
        assert index >= len(before) - 1
    assert len(stream.blocks) > 2
    assert all('class="code part' in block and "<button" not in block for block in stream.blocks)
    stream.feed("```\n")
    assert stream.refresh() == 0
    (block,) = stream.blocks
    assert "<button" in block
    assert block == render(f"```python\n{code}```")


def test_a_long_paragraph_is_read_as_markdown_from_time_to_time_and_shown_as_it_is_between() -> None:
    stream, sentence = MarkdownStream(), "Some **bold** words. "
    for n in range(1, 600):
        stream.feed(sentence)
        stream.refresh()
        assert n - 4 < "".join(stream.blocks).count("bold") <= n
    assert "**bold**" in "".join(stream.blocks)
    stream.finish()
    assert "".join(stream.blocks) == render(sentence * 599)


@pytest.mark.parametrize("head", ["", "- ", "| a | b |\n|---|---|\n| "])
def test_what_is_dear_to_parse_waits_for_more_and_is_not_lost(head: str) -> None:
    stream, text = MarkdownStream(), head + "`a` *b* " * 100 + "end"
    for at in range(0, len(text), 3):
        stream.feed(text[at : at + 3])
        stream.refresh()
    assert "".join(stream.blocks).count("<em>b</em>") > 90
    stream.feed("\n- **next** " if head == "- " else "\n| **next** ")
    stream.refresh()
    assert "".join(stream.blocks).count("<em>b</em>") == 100
    assert ">next<" in "".join(stream.blocks)


def test_a_line_end_may_be_cut_in_two() -> None:
    stream = MarkdownStream()
    for piece in ("a\r", "\nb\r", "\rc\r"):
        stream.feed(piece)
        stream.refresh()
    stream.finish()
    assert "".join(stream.blocks) == render("a\nb\n\nc\n")


def test_what_no_html_can_hold_is_replaced() -> None:
    assert "a\ufffdb\ufffdc" in render("a\0b\ud800c")
