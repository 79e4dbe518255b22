"""Markdown of models becomes HTML that can only be read: every kind of construct, and every limit."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from playground.ui import markdown
from playground.ui.markdown import MarkdownStream, formulas, limits, render


def shown(text: str) -> str:
    """The HTML without what every block and link has."""
    return re.sub(r' dir="(?:auto|ltr)"| target="_blank" rel="noopener noreferrer nofollow"|\n', "", render(text))


def visible(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", render(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain *em* **strong** ~~gone~~ `code`",
         "<p>plain <em>em</em> <strong>strong</strong> <s>gone</s> <code>code</code></p>"),
        ("one\ntwo", "<p>one<br>two</p>"),
        ("one  \ntwo\\\nthree", "<p>one<br>two<br>three</p>"),
        ("# A\n## B\ntext", "<h1>A</h1><h2>B</h2><p>text</p>"),
        ("> quoted\n> on", "<blockquote><p>quoted<br>on</p></blockquote>"),
        ("> a\n>> b", "<blockquote><p>a</p><blockquote><p>b</p></blockquote></blockquote>"),
        ("a\n\n---\n\nb", "<p>a</p><hr><p>b</p>"),
        ("7. seven\n8. eight", '<ol start="7"><li>seven</li><li>eight</li></ol>'),
        ("- a\n\n- b", "<ul><li><p>a</p></li><li><p>b</p></li></ul>"),
        ("- a\n  - b\n    - c", "<ul><li>a<ul><li>b<ul><li>c</li></ul></li></ul></li></ul>"),
        ("a\n- b", "<p>a</p><ul><li>b</li></ul>"),
        ("[a](https://b.c \"t\")", '<p><a href="https://b.c" title="t">a</a></p>'),
        ("[a](mailto:b@c.de) <https://b.c>",
         '<p><a href="mailto:b@c.de">a</a> <a href="https://b.c">https://b.c</a></p>'),
        ("[a][b] and [b]\n\n[b]: https://c.d", '<p><a href="https://c.d">a</a> and <a href="https://c.d">b</a></p>'),
        ("see https://b.c/d_e_f(g)?h=1, or (http://i.j).",
         '<p>see <a href="https://b.c/d_e_f(g)?h=1">https://b.c/d_e_f(g)?h=1</a>, or '
         '(<a href="http://i.j">http://i.j</a>).</p>'),
        ("b.c and www.b.c and x@y.z are text", "<p>b.c and www.b.c and x@y.z are text</p>"),
        ("[a](javascript:alert(1)) [b](/c) [d](data:text/html,x)",
         "<p>[a](javascript:alert(1)) [b](/c) [d](data:text/html,x)</p>"),
        ("![a *cat*](https://b.c/x.png)", '<p><span class="image">a cat</span></p>'),
        ("![](https://b.c/x.png)", '<p><span class="image">https://b.c/x.png</span></p>'),
        ("<b>bold</b> & <script>x</script>", "<p>&lt;b&gt;bold&lt;/b&gt; &amp; &lt;script&gt;x&lt;/script&gt;</p>"),
        ("&amp;lt; &#x3c;b&#62; &copy;", "<p>&amp;lt; &lt;b&gt; ©</p>"),
        ("\\*not\\* 2 * 3 * 4 a_b_c", "<p>*not* 2 * 3 * 4 a_b_c</p>"),
        ("", ""),
        (" \n\t\n\r\n", ""),
    ],
)  # fmt: skip
def test_each_construct_comes_out_right(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_boxes_are_ticked_where_they_were_ticked_and_cannot_be_clicked() -> None:
    ticked, empty = (
        f'<li class="task-list-item"><input class="task-list-item-checkbox" disabled=""{mark} type="checkbox"> '
        for mark in (' checked=""', "")
    )
    assert shown("- [x] a\n- [X] b\n- [ ] c\n- [y] d") == (
        f'<ul class="contains-task-list">{ticked}a</li>{ticked}b</li>{empty}c</li><li>[y] d</li></ul>'
    )


def test_a_table_has_its_own_container_and_says_how_cells_are_aligned() -> None:
    assert shown("| a | b | c |\n|:--|:-:|--:|\n| `x|` | 2 |\n| $x$ | *e* | 3 | 4 |") == (
        '<div class="table"><table><thead><tr><th class="left">a</th><th class="center">b</th><th class="right">c</th>'
        '</tr></thead><tbody><tr><td class="left">`x</td><td class="center">`</td><td class="right">2</td></tr>'
        '<tr><td class="left"><math display="inline"><mrow><mi>x</mi></mrow></math></td>'
        '<td class="center"><em>e</em></td><td class="right">3</td></tr></tbody></table></div>'
    )


# which way text runs


def test_paragraphs_headings_and_cells_find_their_own_direction() -> None:
    found = render("# a\n\nb\n\n| e |\n|---|\n| f |")
    for tag in ("h1", "p", "th", "td"):
        assert f'<{tag} dir="auto"' in found


@pytest.mark.parametrize(
    "text", ["- **שלום** world", "1. 12: שלום\n2. a", "> שלום", "| سلام | a |\n|---|---|\n| b | c |"]
)
def test_lists_quotes_and_tables_run_as_their_first_letter_does(text: str) -> None:
    assert re.search(r"<(ul|ol|blockquote|table)[^>]* dir=\"rtl\"|<(ul|ol|blockquote|table) dir=\"rtl\"", render(text))


def test_a_list_that_begins_with_latin_letters_runs_from_the_left_and_its_items_as_each_begins() -> None:
    assert re.findall('<(ul|li) dir="(...)', render("- abc שלום\n- 1 שלום")) == [
        ("ul", "ltr"),
        ("li", "ltr"),
        ("li", "rtl"),
    ]
    assert re.findall('<(ul|li) dir="(...)', render("- שלום\n\n- b")) == [("ul", "rtl"), ("li", "rtl"), ("li", "ltr")]


# formulas


@pytest.mark.parametrize(
    "text",
    ["It costs $5 and $10.", "from $20/month to US$30", "$ 5 $", "$5 (or 6$", "a $x $ b", "$5 each, not 6$", "$",
     "between $1,000 and 2,000$", "\\$x\\$", "`$x$`", "5$ and 6$", "$$", "a $ b", "US$5-$10", "$HOME, $PATH", "$1$2"],
)  # fmt: skip
def test_prices_and_lone_dollars_stay_text(text: str) -> None:
    assert "<math" not in render(text)
    assert visible(text).strip().replace("\\", "") != ""


@pytest.mark.parametrize(
    ("text", "display"),
    [("$x$", "inline"), ("a $x^2$, b", "inline"), ("($x$)", "inline"), ("$5$", "inline"), ("$2x + 1$", "inline"),
     ("\\(x\\)", "inline"), ("$$x$$", "block"), ("$$\nx\n$$", "block"), ("\\[x\\]", "block"), ("\\[\nx\n\\]", "block"),
     ("text\n$$\nx\n$$\ntext", "block"), ("- a\n\n  $$\n  x\n  $$", "block"), ("> \\[\n> x\n> \\]", "block"),
     ("so $$x$$ is", "block"), ("\\begin{align}\nx &= y\n\\end{align}", "block"), ("$$x$$.", "block")],
)  # fmt: skip
def test_formulas_become_mathml(text: str, display: str) -> None:
    assert render(text).count(f'<math display="{display}">') == 1
    assert "$" not in visible(text)
    assert "\\" not in visible(text)


def test_marks_within_a_formula_are_not_markdown_and_its_signs_are_escaped() -> None:
    found = shown("$a_1 * b_2 * c < d & e$ and *this*")
    assert found.count("<em>") == 1
    assert "<mo>&lt;</mo>" in found


@pytest.mark.parametrize(
    "tex", [r"\frac{a}{", r"\left( x", r"\begin{matrix} a", "x^", "a^b^c", r"\newcommand{\a}{\a\a}\a", "{" * 900,
            "x" * 2_001, r"\sqrt" * 300, r"\color", r"\def\a{b}\a"]
)  # fmt: skip
def test_broken_tex_is_shown_as_it_was_written(tex: str) -> None:
    assert render(f"$${tex}$$") == f'<div class="formula"><code class="tex">$${tex}$$</code></div>'


@given(st.text(alphabet="ab1 {}^_\\&$%#~()[]|<>'", max_size=40) | st.lists(st.sampled_from(
    [r"\frac", r"\sqrt", "{", "}", "^", "_", "x", r"\left", r"\right", "(", ")", r"\begin{cases}", r"\end{cases}", "&",
     r"\\", r"\text{", r"\color{red}", r"\over", r"\hspace{9em}", r"\not", "'", r"\limits", r"\sum", r"\mathbf{x}", "[",
     "]", r"\genfrac", r"\skew", r"\rule", r"\verb|", r"\href{javascript:x}", r"\sideset", r"\class{a}"])
).map("".join))  # fmt: skip
def test_no_formula_raises(tex: str) -> None:
    found = formulas.to_mathml(tex, True)
    assert found is None or found.startswith("<math")


def test_lengths_cannot_move_a_formula_over_other_text() -> None:
    assert "999" not in render(r"$a\hspace{-999em}b\raise{999em}{c}\rule{9999px}{999px}$")
    assert '<mspace width="1em">' in render(r"$a\quad b$")


# code


def source_of(found: str) -> str:
    """What a copy button copies: the text of the code."""
    (code,) = re.findall(r"<pre dir=\"ltr\"><code>(.*?)</code></pre>", found, re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", "", code))


@pytest.mark.parametrize(
    ("text", "label", "source"),
    [
        ("```python\ndef f():\n\treturn 1\n```", "Python", "def f():\n\treturn 1"),
        ("~~~js\nlet a = `b`\n~~~", "JavaScript", "let a = `b`"),
        ("```{.rust .numbers}\nfn a() {}\n```", "Rust", "fn a() {}"),
        ("```nosuch\n<b>&amp;\n```", "nosuch", "<b>&amp;"),
        ("```\n  a\n\n\n    b\n```", "", "  a\n\n\n    b"),
        ("````md\n```js\na\n```\n````", "Markdown", "```js\na\n```"),
        ("- a\n  ```sh\n  b\n    c\n  ```", "Bash", "b\n  c"),
        ("```c\nint a; // unclosed", "C", "int a; // unclosed"),
        ("    a\n\tb", "", "a\nb"),
        ("> ```diff\n> + a\n> ```", "Diff", "+ a"),
    ],
)  # fmt: skip
def test_code_says_its_language_and_can_be_copied_as_it_is(text: str, label: str, source: str) -> None:
    found = render(text)
    assert f'<span class="language">{label}</span>' in found
    assert found.count('<button class="copy-code"') == 1
    assert source_of(found) == source


LANGUAGES = ["python", "js", "html", "bash", "c", "json", "yaml", "diff", "md", "sql", "nosuch", ""]


@given(st.sampled_from(LANGUAGES), st.text(alphabet="ab \n\t<>&\"'(){}#/*=-+:;\\é\u00a0\ufeff\x0c", min_size=1))
def test_what_is_copied_is_the_code_in_any_language(language: str, code: str) -> None:
    assert source_of(render(f"words\n\n~~~{language}\n{code}\n~~~")) == code


def test_code_is_coloured_where_its_language_is_named_and_never_guessed() -> None:
    assert '<span class="k">def</span>' in render("```python\ndef f(): pass\n```")
    assert '<span class="k">' not in render("```\ndef f(): pass\n```")
    assert '<span class="k">' not in render("```python\n" + "def f(): pass\n" * 2_000 + "```")
    assert '<span class="k">' not in render("```python\ndef f(): pass; " + "x" * 500 + "\n```")


def test_long_code_is_one_block_in_groups_of_lines() -> None:
    code = "".join(f"line {n}\n" for n in range(5_000))
    found = render(f"```\n{code}```")
    assert source_of(found) + "\n" == code
    assert found.count('<span class="lines">') == 50


# limits


@pytest.mark.parametrize(
    "text",
    ["*a " * 30_000, ">" * 5_000, ">" * 5_000 + "a", "[" * 50_000, "\\(" * 14_000, "![" * 20_000, "- " * 20_000,
     " ".join("`" * n for n in range(1, 600)), "**a *b " * 5_000, "|" + "a|" * 300 + "\n|" + "-|" * 300 + "\n|" * 3_000,
     "word " * 20_000, "".join("  " * n + "- a\n" for n in range(60)), "> " * 40 + "a", "*" * 700 + "a" + "*" * 700,
     "&lt;" * 20_000, "1. " * 9_000, "[a](" * 9_000, "\\" * 70_000],
    ids=lambda text: f"{text[:6]!r}-{len(text)}",
)  # fmt: skip
def test_beyond_a_limit_all_is_shown_as_plain_text_with_a_word_about_it(text: str) -> None:
    found = render(text)
    assert found.startswith('<p class="why">Shown as plain text: ')
    pieces = re.findall(r'<pre class="plain" dir="auto">\n?(.*?)</pre>', found, re.DOTALL)
    assert html.unescape("".join(pieces)).rstrip("\n") == text.rstrip("\n")
    assert found.count("<") == 2 + 2 * len(pieces)


@pytest.mark.parametrize(
    "text",
    ["```\n" + "x" * 100_000, "- a b c\n" * 9_000, "- a\n\n" * 9_000, "a b c.\n\n" * 2_000,
     "| a |\n|---|\n" + "| b |\n" * 900,
     "**a** `b` " * 80, "1. a\n   - b\n     - c\n       1. d\n          - e\n", "> > > > a", "# a\n" * 3_000],
    ids=lambda text: f"{text[:6]!r}-{len(text)}",
)  # fmt: skip
def test_what_models_do_write_is_within_the_limits(text: str) -> None:
    assert "Shown as plain text" not in render(text)


def test_after_as_many_elements_as_a_browser_can_show_the_rest_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playground.ui.markdown.stream.TAGS", 20)
    found = render("*a*\n\n" * 50)
    assert found.count("<em>") == 6
    assert visible("*a*\n\n" * 50).count("*a*") == 44


@pytest.mark.parametrize("text", ["[a]: https://b.c", "# ", "-", "```", "~~~py\n~~~", "---", "![]()", "| |\n|---|"])
def test_an_answer_of_nothing_but_marks_is_shown_as_it_is(text: str) -> None:
    assert visible(text).endswith(f"it is nothing but marks.{text}")


# work


class Counted:
    """How many characters were parsed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chars = 0
        parse = MarkdownIt.parse

        def counting(md: MarkdownIt, src: str, env: object = None) -> object:
            self.chars += len(src)
            return parse(md, src, env)

        monkeypatch.setattr(MarkdownIt, "parse", counting)


PARAGRAPH = "Some *words* of a paragraph, and `code`, that goes on for a while as paragraphs do. "
GROWING = {
    "paragraphs": PARAGRAPH * 4 + "\n\n",
    "one list": "- **An item**: " + PARAGRAPH + "\n",
    "one table": "| some words | and *more* | 3 |\n",
    "one paragraph": PARAGRAPH,
    "one line of words": "words and words ",
    "a quote": "> " + PARAGRAPH + "\n",
    "a fence": "x = [1, 2, 3]  # and so on\n",
}


@pytest.mark.parametrize("kind", GROWING)
def test_the_work_for_a_stream_grows_no_faster_than_the_stream(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    head = {"one table": "| a | b | c |\n|---|---|---|\n", "a fence": "```python\n"}.get(kind, "")
    parsed = Counted(monkeypatch)
    per_char = []
    for chars in (6_000, 50_000):
        text = head + GROWING[kind] * (chars // len(GROWING[kind]))
        stream, parsed.chars = MarkdownStream(), 0
        for at in range(0, len(text), 9):
            stream.feed(text[at : at + 9])
            stream.refresh()
        stream.finish()
        per_char.append(parsed.chars / len(text))
    assert per_char[0] < 50
    assert per_char[1] < max(1.2 * per_char[0], 4)


def test_words_that_go_on_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = Counted(monkeypatch)
    stream = MarkdownStream()
    stream.feed("- **An item** that begins")
    stream.refresh()
    before = parsed.chars
    words = "and goes on, with words: (so) it is! Über “Straße” – 5 €, 中文。"
    for word in words.split():
        stream.feed(f" {word}")
        stream.refresh()
    assert parsed.chars == before
    assert stream.blocks == [render(f"- **An item** that begins {words}")]


def test_limits_are_those_that_are_documented() -> None:
    assert limits.LIVE_CHARS < limits.LIST_CHARS < limits.SECTION_CHARS


# how it looks

SHEET = re.sub(
    r"/\*.*?\*/", "", (Path(markdown.__file__).parent.parent / "markdown.css").read_text("utf-8"), flags=re.S
)


def test_the_sheet_survives_gradio_which_cuts_selectors_at_every_comma() -> None:
    selectors = re.findall(r"([^{}]+)\{", SHEET)
    assert [one for one in selectors if re.search(r"\([^)]*,", one) and "@" not in one] == []
    assert not re.search(r"border-(?:inline-)?(?:top|bottom|left|right|start|end): [^;]*var\(", SHEET)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [r"^\.markdown", r"^\.dark \.markdown"])
def test_every_colour_of_code_can_be_read(scheme: str) -> None:
    """A contrast of 4.5, as WCAG 2.2 wants of text (1.4.3)."""
    (rule,) = (
        body for name, body in re.findall(r"([^{}]+)\{([^{}]+)\}", SHEET) if re.search(scheme + "$", name.strip())
    )
    colours = dict(re.findall(r"--(code|c-\w+): (#\w{6})", rule))
    assert len(colours) == 7
    ground = luminance(colours.pop("code"))
    for colour in colours.values():
        light, dark = sorted((luminance(colour), ground), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5
