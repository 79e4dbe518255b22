"""Shows code: its language, a button that copies it, and Pygments' colours where the language is named and known."""

from __future__ import annotations

import io
import re
from functools import lru_cache
from html import escape

from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from playground.ui.markdown.limits import HIGHLIGHTED_CHARS, HIGHLIGHTED_LINE_CHARS, LAID_OUT_LINES

_FORMATTER = HtmlFormatter(nowrap=True)
_LANGUAGE = re.compile(r"[{.\s]*([\w+#.-]{0,30})")
_SLOW = re.compile(rf"[^\n]{{{HIGHLIGHTED_LINE_CHARS}}}|\s{{{HIGHLIGHTED_LINE_CHARS}}}")
_PARTS = {"whole": "code", "first": "code part first", "next": "code part", "last": "code part last"}


def language(info: str) -> str:
    """The language that is named after a fence: `python` in "python title=x", in "{.python}" and in "python{1,3}"."""
    found = _LANGUAGE.match(info)
    return found[1] if found else ""


@lru_cache(maxsize=256)
def lexer_for(word: str) -> Lexer | None:
    """The lexer for a language's name; None where Pygments knows none."""
    try:
        return get_lexer_by_name(word.lower(), stripnl=False, ensurenl=False) if word else None
    except ClassNotFound:
        return None


def to_html(code: str, word: str = "", *, coloured: bool = True) -> str:
    """A block of code in the language of that name. The text of its `code` element is the code, no more and no less."""
    lexer = lexer_for(word) if coloured else None
    body = _coloured(code, lexer) if lexer else None
    before, after = frame(word)
    return before + (_in_groups(escape(code, quote=False)) if body is None else body) + after


def frame(word: str, part: str = "whole") -> tuple[str, str]:
    """What stands before and after code. Long code is shown in parts while it is written, which have no button."""
    lexer = lexer_for(word)
    head = f'<div class="code-head"><span class="language">{escape(lexer.name if lexer else word)}</span>'
    if part == "whole":
        head += '<button type="button" class="copy-code" aria-label="Copy code">Copy</button>'
    head = f"{head}</div>" if part in ("whole", "first") else ""
    return f'<div class="{_PARTS[part]}">{head}<pre dir="ltr"><code>', "</code></pre></div>"


def colour(code: str, lexer: Lexer) -> str | None:
    """Code as HTML with a class for each kind of token; None where that may take long or would change the code."""
    if len(code) > HIGHLIGHTED_CHARS or _SLOW.search(code):
        return None
    code += "\n"  # some lexers need the line end
    tokens = list(lexer.get_tokens(code))
    if "".join(text for _, text in tokens) != code:
        return None
    html = io.StringIO()
    _FORMATTER.format(iter(tokens), html)
    return html.getvalue().removesuffix("\n")


_coloured = lru_cache(maxsize=64)(colour)


def _in_groups(code: str) -> str:
    """Long code in groups of lines, which a browser lays out when they come into view."""
    lines = code.split("\n")
    if len(lines) <= LAID_OUT_LINES:
        return code
    groups = ("\n".join(lines[at : at + LAID_OUT_LINES]) for at in range(0, len(lines), LAID_OUT_LINES))
    return "\n</span>".join(f'<span class="lines">{group}' for group in groups) + "</span>"
