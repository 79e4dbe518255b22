"""Turns one section of Markdown into sanitized HTML, one string for each block at the top level.

Parsed by markdown-it-py without raw HTML, so that tags are text; what comes out passes the wall (`wall.py`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml, unescapeAll
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from playground.ui.markdown import formulas, highlight
from playground.ui.markdown.limits import CELLS, DEPTH, INLINE_DEPTH, MARKS, PIECE_CHARS, SECTION_CHARS
from playground.ui.markdown.split import FENCE
from playground.ui.markdown.wall import sanitize

_MARKUP = re.compile(r"[*_~`\[\]!<&$\\]")
_LINK = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)
_URL = re.compile(r"(?<![\w/])https?://[A-Za-z0-9\[][-A-Za-z0-9._~!$&'()*+,;=:@/?#%\[\]]*")
_NOT_LAST = ".,:;!?'*_~"
_NOT_WRITTEN = re.compile(r'<div class="code-head">.*?</div>|<[^>]*>')
_LEAVES = frozenset({"paragraph_open", "heading_open", "th_open", "td_open"})
_CONTAINERS = frozenset({"bullet_list_open", "ordered_list_open", "list_item_open", "blockquote_open", "table_open"})


class References(dict[str, Any]):
    """Definitions of links by label, besides those `above`; remembers the labels that were looked up in vain."""

    def __init__(self, above: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.missed: set[str] = set()
        self._above = above or {}

    def __contains__(self, label: object) -> bool:
        return super().__contains__(label) or label in self._above

    def get(self, label: str, default: Any = None) -> Any:
        if label not in self:
            self.missed.add(label)
        return super().get(label) or self._above.get(label, default)


class TooMuch(Exception):
    """A section is beyond a limit; says which."""


class _Renderer(RendererHTML):
    """HTML of the tokens where the library's own is not what a pane needs."""

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        code, word = token.content.removesuffix("\n"), highlight.language(unescapeAll(token.info))
        return highlight.to_html(code, word, coloured="open" not in token.meta)

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return highlight.to_html(tokens[idx].content.removesuffix("\n"))

    def math_inline(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        tex, mark = tokens[idx].content, tokens[idx].markup
        closing = {"\\(": "\\)", "\\[": "\\]"}.get(mark, mark)
        display = mark in ("$$", "\\[")
        found = formulas.to_html(tex, mark + tex + closing, display=display)
        return f'<span class="formula">{found}</span>' if display else found

    def math_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        tail = f" {escape(token.info)}" if token.info else ""
        return f'<div class="formula">{formulas.to_html(token.content, token.meta["source"], display=True)}{tail}</div>'

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f'<div class="table">{self.renderToken(tokens, idx, options, env)}'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return "</table></div>"

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        said = self.renderInlineAsText(token.children, options, env).strip() or str(token.attrs["src"])
        return f'<span class="image">{escapeHtml(said)}</span>'


def _limit_and_direct(state: StateCore) -> None:
    """Refuse what is beyond a limit before paragraphs are parsed, and say which way blocks run.

    Paragraphs, headings and cells find that out (`dir="auto"`). What holds them is told: `auto` would not look into
    them, and makes Chromium look through a whole table for each cell.
    """
    undirected: list[Token] = []
    for token in state.tokens:
        if token.nesting == 1:
            if token.level >= DEPTH:
                raise TooMuch("lists or quotes nested too deep")
            if token.type in _LEAVES:
                token.attrs["dir"] = "auto"
            elif token.type in _CONTAINERS:
                undirected.append(token)
            if "style" in token.attrs:
                token.attrs["class"] = str(token.attrs.pop("style")).rpartition(":")[2]
        elif token.nesting == -1:
            while undirected and undirected[-1].level >= token.level:
                undirected.pop()
        elif token.type == "inline":
            if len(token.content) > MARKS and len(_MARKUP.findall(token.content)) > MARKS:
                raise TooMuch("more marks than are read as Markdown")
            if undirected and (way := _direction(token.content)):
                for container in undirected:
                    container.attrs["dir"] = way
                undirected.clear()


def _direction(text: str) -> str:
    """What the first letter with a direction says: `rtl`, `ltr`, or nothing."""
    if text[:1].isascii() and text[:1].isalpha():
        return "ltr"
    kinds = map(unicodedata.bidirectional, text)
    return next(("ltr" if kind == "L" else "rtl" for kind in kinds if kind in ("L", "R", "AL")), "")


def _check_inline_depth(state: StateCore) -> None:
    for token in state.tokens:
        children = token.children
        if children and len(children) > INLINE_DEPTH and max(child.level for child in children) > INLINE_DEPTH:
            raise TooMuch("emphasis nested too deep")


def _link_bare_urls(state: StateCore) -> None:
    """Make links of `https://...` in text, as GitHub does; not of `www.` or names, which often are none."""
    for token in state.tokens:
        if token.children and "://" in token.content:
            token.children = list(_with_links(token.children, state.md))


def _with_links(children: list[Token], md: MarkdownIt) -> Iterator[Token]:
    in_link = 0
    for child in children:
        in_link += child.nesting if child.type.startswith("link_") else 0
        if child.type != "text" or in_link or "://" not in child.content:
            yield child
            continue
        end = 0
        for found in _URL.finditer(child.content):
            url = found[0].rstrip(_NOT_LAST)
            if url.endswith(")") and url.count(")") > url.count("("):
                url = url[:-1].rstrip(_NOT_LAST)
            yield _text(child.content[end : found.start()], child)
            opening = Token("link_open", "a", 1, attrs={"href": md.normalizeLink(url)}, info="auto")
            yield from (opening, _text(url, child), Token("link_close", "a", -1, info="auto"))
            end = found.start() + len(url)
        yield _text(child.content[end:], child)


def _text(content: str, like: Token) -> Token:
    return Token("text", "", 0, content=content, level=like.level)


def _parser() -> MarkdownIt:
    md = MarkdownIt(
        "commonmark", {"html": False, "breaks": True, "xhtmlOut": False, "tasklists": True}, renderer_cls=_Renderer
    )
    md.enable(["table", "strikethrough"])
    formulas.install(md)
    md.core.ruler.after("block", "limits", _limit_and_direct)
    md.core.ruler.after("inline", "inline_limits", _check_inline_depth)
    md.core.ruler.push("bare_links", _link_bare_urls)
    md.validateLink = lambda url: bool(_LINK.match(url))  # type: ignore[method-assign]
    return md


_MD = _parser()


def render_section(text: str, references: References) -> list[str]:
    """The blocks of a section; definitions of links found in it are added to `references`."""
    try:
        tokens = parse(text, references)
    except TooMuch as limit:
        return plain(text, str(limit))
    return [to_html(group) for group in group_blocks(tokens)]


def parse(text: str, references: References) -> list[Token]:
    """The tokens of a section; raises `TooMuch` beyond a limit."""
    if len(text) > SECTION_CHARS and not FENCE.match(text.lstrip("\n")):
        raise TooMuch("too long to be read as Markdown")
    if "|" in text and (max(line.count("|") for line in text.split("\n")) + 1) * text.count("\n") > CELLS:
        raise TooMuch("a table with too many cells")
    return _MD.parse(text, {"references": references})


def to_html(tokens: Sequence[Token]) -> str:
    """Sanitized HTML of a block's tokens."""
    return sanitize(str(_MD.renderer.render(tokens, _MD.options, {})))


def group_blocks(tokens: list[Token]) -> list[list[Token]]:
    """The tokens of each block at the top level."""
    groups: list[list[Token]] = []
    for token in tokens:
        if token.level == 0 and token.nesting >= 0 and token.type != "inline":
            groups.append([])
        groups[-1].append(token)
    return groups


def plain(text: str, why: str) -> list[str]:
    """Text as it is, in pieces, after a word why."""
    word = sanitize(f'<p class="why">Shown as plain text: {escape(why)}.</p>')
    return [word, *(plain_piece(text[at : at + PIECE_CHARS]) for at in range(0, len(text), PIECE_CHARS))]


def plain_piece(text: str) -> str:
    """A piece of text as it is."""
    return sanitize(f'<pre class="plain" dir="auto">\n{escape(text, quote=False)}</pre>')


def has_text(block: str) -> bool:
    """Whether a reader sees any letter or sign of what was written."""
    return bool(_NOT_WRITTEN.sub("", block).replace("&nbsp;", " ").strip())
