"""Shows code: its language, a button that copies it, and Pygments' colours where the language is named and known."""

from __future__ import annotations

import io
from functools import lru_cache
from html import escape

from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from playground.ui.markdown.limits import HIGHLIGHTED_CHARS

_FORMATTER = HtmlFormatter(nowrap=True)


@lru_cache(maxsize=256)
def lexer_for(word: str) -> Lexer | None:
    """The lexer for the word after a fence; None where it names no language that Pygments knows."""
    try:
        return get_lexer_by_name(word.lower(), stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def to_html(code: str, language: str = "", *, coloured: bool = True) -> str:
    """A block of code. The text of the `code` element is the code, without the line end after its last line."""
    lexer = lexer_for(language) if language else None
    name = lexer.name if lexer else language[:40]
    body = colour(code, lexer) if lexer and coloured and len(code) <= HIGHLIGHTED_CHARS else None
    if body is None:
        body = escape(code, quote=False)
    return (
        f'<div class="code"><div class="code-head"><span class="language">{escape(name)}</span>'
        '<button type="button" class="copy-code" aria-label="Copy code">Copy</button></div>'
        f'<pre dir="ltr"><code>{body}</code></pre></div>'
    )


@lru_cache(maxsize=64)
def colour(code: str, lexer: Lexer) -> str | None:
    """Code as HTML with a class for each kind of token; None where the lexer did not give back what it was given."""
    tokens = list(lexer.get_tokens(code))
    if "".join(text for _, text in tokens) != code:
        return None
    html = io.StringIO()
    _FORMATTER.format(iter(tokens), html)
    return html.getvalue().removesuffix("\n")
