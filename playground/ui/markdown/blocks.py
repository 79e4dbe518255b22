"""Turns one section of Markdown into sanitized HTML, one string for each block at the top level.

Parsed by markdown-it-py without raw HTML, so that tags are text; the last wall is an allow-list of elements,
attributes and link schemes (nh3), which knows nothing of what the parser may have got wrong.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml, unescapeAll
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments.token import STANDARD_TYPES

from playground.ui.markdown import formulas, highlight
from playground.ui.markdown.limits import CELLS, DEPTH, INLINE_DEPTH, MARKS, PIECE_CHARS, SECTION_CHARS

_MARKUP = re.compile(r"[*_~`\[\]!<&$\\]")
_LINK = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_LEAVES = frozenset({"paragraph_open", "heading_open", "th_open", "td_open", "list_item_open"})
_LISTS = frozenset({"bullet_list_open", "ordered_list_open", "blockquote_open", "table_open"})

_MATH: dict[str, set[str]] = {
    "math": {"display"},
    "mrow": set(), "mi": {"mathvariant"}, "mn": {"mathvariant"}, "mtext": {"mathvariant"}, "ms": set(),
    "mo": {"mathvariant", "stretchy", "fence", "form", "separator", "largeop", "movablelimits", "minsize", "maxsize",
           "lspace", "rspace", "accent", "symmetric"},
    "mspace": {"width", "height", "depth"}, "mfrac": {"linethickness"}, "msqrt": set(), "mroot": set(),
    "msub": set(), "msup": set(), "msubsup": set(), "munder": {"accentunder"}, "mover": {"accent"},
    "munderover": {"accent", "accentunder"}, "mmultiscripts": set(), "mphantom": set(),
    "mpadded": {"width", "height", "depth", "lspace", "voffset"}, "mstyle": {"displaystyle", "scriptlevel"},
    "menclose": {"notation"}, "mtable": {"columnalign", "rowlines", "columnlines"}, "mtr": set(),
    "mtd": {"columnalign"},
}  # fmt: skip
ALLOWED: dict[str, set[str]] = {
    **{tag: set() for tag in ("br", "hr", "em", "strong", "s", "thead", "tbody", "tr")},
    **{tag: {"dir"} for tag in ("h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "table")},
    "p": {"dir", "class"}, "pre": {"dir", "class"},
    "a": {"href", "title"}, "code": {"class"}, "span": {"class"}, "div": {"class"}, "button": {"class", "aria-label"},
    "input": {"class", "checked", "aria-label"}, "ul": {"dir", "class"}, "ol": {"dir", "class", "start"},
    "li": {"dir", "class"}, "th": {"dir", "class"}, "td": {"dir", "class"},
    **_MATH,
}  # fmt: skip
"""Every element that can come out, with the attributes that it may have besides those of `FIXED`."""
FIXED: dict[str, dict[str, str]] = {
    "a": {"target": "_blank"},
    "button": {"type": "button"},
    "input": {"type": "checkbox", "disabled": ""},
}
"""Attributes that these elements have always, with these values."""
CLASSES: dict[str, set[str]] = {
    "span": {name for name in STANDARD_TYPES.values() if name} | {"language", "image"},
    "div": {"code", "code-head", "table", "formula"},
    "p": {"why"}, "pre": {"plain"}, "code": {"tex"}, "button": {"copy-code"},
    "input": {"task-list-item-checkbox"},
    "ul": {"contains-task-list"}, "ol": {"contains-task-list"}, "li": {"task-list-item"},
    "th": {"left", "center", "right"}, "td": {"left", "center", "right"},
}  # fmt: skip
_WALL = nh3.Cleaner(
    tags=set(ALLOWED),
    attributes={tag: names - {"class"} for tag, names in ALLOWED.items()},
    allowed_classes=CLASSES,
    set_tag_attribute_values=FIXED,
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
    generic_attribute_prefixes=set(),
)


class References(dict[str, Any]):
    """Definitions of links by label, which remembers the labels that were looked up in vain."""

    def __init__(self) -> None:
        super().__init__()
        self.missed: set[str] = set()

    def get(self, label: str, default: Any = None) -> Any:
        if label not in self:
            self.missed.add(label)
        return super().get(label, default)


class _TooMuch(Exception):
    """The section is beyond a limit; says which."""


class _Renderer(RendererHTML):
    """HTML of the tokens where the library's own is not what a pane needs."""

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        words = unescapeAll(tokens[idx].info).split(maxsplit=1)
        return highlight.to_html(tokens[idx].content.removesuffix("\n"), words[0] if words else "")

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return highlight.to_html(tokens[idx].content.removesuffix("\n"))

    def math_inline(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        tex, mark = tokens[idx].content, tokens[idx].markup
        closing = {"\\(": "\\)", "\\[": "\\]"}.get(mark, mark)
        return formulas.to_html(tex, mark + tex + closing, display=mark in ("$$", "\\["))

    def math_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        tail = f" {escape(token.info)}" if token.info else ""
        return f'<div class="formula">{formulas.to_html(token.content, token.content, display=True)}{tail}</div>'

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f'<div class="table">{self.renderToken(tokens, idx, options, env)}'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return "</table></div>"

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[idx]
        said = self.renderInlineAsText(token.children, options, env).strip() or str(token.attrs["src"])
        return f'<span class="image">{escapeHtml(said)}</span>'


def _limit_and_direct(state: StateCore) -> None:
    """Refuse what is beyond a limit before paragraphs are parsed, and say which way blocks are read.

    `dir="auto"` of a list or quote looks only at text outside elements that say `dir` themselves, so it is told here.
    """
    above: list[Token] = []
    for token in state.tokens:
        if token.nesting == 1 and token.level >= DEPTH:
            raise _TooMuch("lists or quotes nested too deep")
        if token.type in _LISTS:
            above.append(token)
        elif token.nesting == -1 and above and token.level == above[-1].level and token.type == _closing(above[-1]):
            above.pop().attrs.setdefault("dir", "auto")
        elif token.type in _LEAVES:
            token.attrs["dir"] = "auto"
            if "style" in token.attrs:
                token.attrs["class"] = str(token.attrs.pop("style")).rpartition(":")[2]
        elif token.type == "inline":
            if len(token.content) > MARKS and len(_MARKUP.findall(token.content)) > MARKS:
                raise _TooMuch("more marks than are read as Markdown")
            if above and not token.content.isascii() and (way := _direction(token.content)):
                for one in above:
                    one.attrs.setdefault("dir", way)


def _closing(token: Token) -> str:
    return token.type.removesuffix("open") + "close"


def _direction(text: str) -> str:
    """What the first letter with a direction says: `rtl`, `ltr`, or nothing."""
    for sign in text:
        kind = unicodedata.bidirectional(sign)
        if kind in ("R", "AL"):
            return "rtl"
        if kind == "L":
            return "ltr"
    return ""


def _check_inline_depth(state: StateCore) -> None:
    for token in state.tokens:
        if token.children and max(child.level for child in token.children) > INLINE_DEPTH:
            raise _TooMuch("emphasis nested too deep")


def _parser() -> MarkdownIt:
    md = MarkdownIt(
        "commonmark", {"html": False, "breaks": True, "xhtmlOut": False, "tasklists": True}, renderer_cls=_Renderer
    )
    md.enable(["table", "strikethrough"])
    formulas.install(md)
    md.core.ruler.after("block", "limits", _limit_and_direct)
    md.core.ruler.after("inline", "inline_limits", _check_inline_depth)
    md.validateLink = lambda url: bool(_LINK.match(url))  # type: ignore[method-assign]
    return md


_MD = _parser()


def render_section(text: str, references: References) -> list[str]:
    """The blocks of a section; links of definitions found in it are added to `references`."""
    if len(text) > SECTION_CHARS:
        return plain(text, "too long to be read as Markdown")
    if "|" in text and (max(line.count("|") for line in text.split("\n")) + 1) * text.count("\n") > CELLS:
        return plain(text, "a table with too many cells")
    env: dict[str, Any] = {"references": references}
    try:
        tokens = _MD.parse(text, env)
    except _TooMuch as limit:
        return plain(text, str(limit))
    return [_WALL.clean(_MD.renderer.render(group, _MD.options, env)) for group in _groups(tokens)]


def _groups(tokens: list[Token]) -> list[list[Token]]:
    """The tokens of each block at the top level."""
    groups: list[list[Token]] = []
    for token in tokens:
        if token.level == 0 and token.nesting >= 0 and token.type != "inline":
            groups.append([])
        groups[-1].append(token)
    return groups


def plain(text: str, why: str) -> list[str]:
    """Text as it is, in pieces, after a word why."""
    word = f'<p class="why">Shown as plain text: {escape(why)}.</p>'
    pieces = [text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS)]
    return [
        _WALL.clean(word),
        *(_WALL.clean(f'<pre class="plain" dir="auto">{escape(piece)}</pre>') for piece in pieces),
    ]


def has_text(block: str) -> bool:
    """Whether a reader sees any letter or sign in a block."""
    return bool(_TAG.sub("", block).replace("&nbsp;", " ").strip())
