"""Reads formulas out of Markdown (`$`, `$$`, `\\(`, `\\[`) and writes them as MathML, or as code where TeX is broken.

A dollar opens a formula only where no space follows it; the next one closes it, and if a space precedes or a digit
follows that, neither is of a formula (Pandoc's rule). Prices that are left begin with a number and go on with words.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape, unescape
from types import ModuleType
from xml.etree import ElementTree as Tree

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

from playground.ui.markdown.limits import FORMULA_CHARS, FORMULA_DEPTH

_CLOSERS = {
    "$$": re.compile(r"(?<!\\)\$\$"),
    "$": re.compile(r"(?<!\\)\$"),
    r"\[": re.compile(r"\\\]"),
    r"\(": re.compile(r"\\\)"),
}
_TEX_SIGN = re.compile(r"[\\^_{}=<>+*]")
_WORD = re.compile(r"[^\W\d_]{2}")
_ENVIRONMENT = re.compile(r"\\(?P<which>begin|end)\{(?P<name>[a-z]+)\*?\}(?P<columns>(?<=at\})\{\d+\})?")
_INSTEAD = {
    **dict.fromkeys(("align", "aligned", "alignat", "alignedat", "eqnarray", "flalign", "split"), "align*"),
    **dict.fromkeys(("gather", "gathered", "multline"), "matrix"),
    "dcases": "cases",
    "rcases": "cases",
}
"""Environments that the converter does not know, or numbers: numbers would begin anew in each formula."""
_UNSHOWN = re.compile(r"\\(?:label\{[^{}]*\}|nonumber(?![a-zA-Z])|notag(?![a-zA-Z]))")
_BLOCK_OPENS = re.compile(r"\$\$|\\\[|\\begin\{(?P<name>(?:equation|align|alignat|gather|multline|eqnarray)\*?)\}")
_ENDS_PARAGRAPH = re.compile(r"\n[ \t]*(?:\n|#{1,6}[ \t\n]|`{3}|~{3})")
_MACROS = re.compile(
    r"\\(?:newcommand|renewcommand|def|gdef|edef|xdef|let|newenvironment|DeclareMathOperator)(?![a-zA-Z])"
)
_LENGTH = re.compile(r"[+-]?(?:\d{0,2}\.\d+|\d)(?:em|ex|px|pt|mu)?|\d{1,3}%")
_LENGTHS = frozenset({"width", "height", "depth", "lspace", "rspace", "voffset", "minsize", "maxsize", "linethickness"})


def install(md: MarkdownIt) -> None:
    """Teach a parser formulas."""
    md.inline.ruler.before("escape", "math_inline", _read_inline)
    md.block.ruler.before("fence", "math_block", _read_block, {"alt": ["paragraph", "reference", "blockquote", "list"]})


def _read_inline(state: StateInline, silent: bool) -> bool:
    mark = next((mark for mark in _CLOSERS if state.src.startswith(mark, state.pos)), None)
    if mark is None:
        return False
    start = state.pos + len(mark)
    if mark == "$" and (start >= state.posMax or state.src[start].isspace()):
        return False
    end = _find_closer(state, mark, start)
    if end is None:
        return False
    tex = state.src[start:end]
    if not tex.strip() or (mark == "$" and _is_text(tex, state.src[end + 1 : end + 2])):
        return False
    if not silent:
        token = state.push("math_inline", "math", 0)
        token.content = tex
        token.markup = mark
    state.pos = end + len(mark)
    return True


def _is_text(between: str, after: str) -> bool:
    """Whether two dollars are of prices."""
    if between[-1].isspace() or after.isdigit():
        return True
    if not between[0].isdigit() or _TEX_SIGN.search(between):
        return False
    return bool(_WORD.search(between)) or between.count("(") != between.count(")")


def _find_closer(state: StateInline, mark: str, start: int) -> int | None:
    """Where the formula ends. Where there is no end after one place there is none after a later one, so each kind of
    mark is looked for in vain only once."""
    vain: dict[tuple[int, str], tuple[str, int]] = state.env.setdefault("no_formula_ends", {})
    known = vain.get((len(state.src), mark))
    if known and known[0] is state.src and known[1] == state.posMax:
        return None
    found = _CLOSERS[mark].search(state.src, start, state.posMax)
    if found is None:
        vain[len(state.src), mark] = (state.src, state.posMax)
        return None
    return found.start()


def _read_block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    begin = state.bMarks[start_line] + state.tShift[start_line]
    opens = _BLOCK_OPENS.match(state.src, begin, state.eMarks[start_line])
    if opens is None or state.is_code_block(start_line):
        return False
    closer = f"\\end{{{opens['name']}}}" if opens["name"] else {"$$": "$$", "\\[": "\\]"}[opens[0]]
    limit = state.bMarks[min(end_line, state.lineMax)]
    end = state.src.find(closer, opens.end(), limit)
    if end < 0 or _ENDS_PARAGRAPH.search(state.src, opens.end(), end):
        return False
    line = next(line for line in range(start_line, end_line) if end <= state.eMarks[line])
    inner = [one for one in range(start_line + 1, line + 1) if state.sCount[one] < state.blkIndent]
    if inner or state.src[end + len(closer) : state.eMarks[line]].strip(" \t.,;"):
        return False
    if silent:
        return True
    whole = state.getLines(start_line, line + 1, state.blkIndent, False).strip()
    token = state.push("math_block", "math", 0)
    token.content = whole if opens["name"] else whole[len(opens[0]) : whole.rindex(closer)]
    token.markup = opens[0]
    token.info = whole[whole.rindex(closer) + len(closer) :].strip()
    token.meta["source"] = whole[: whole.rindex(closer) + len(closer)]
    token.map = [start_line, line + 1]
    state.line = line + 1
    return True


def to_html(tex: str, source: str, *, display: bool) -> str:
    """A formula as MathML; as code with its marks where it cannot be converted."""
    mathml = to_mathml(tex.strip(), display)
    return f'<code class="tex">{escape(source, quote=False)}</code>' if mathml is None else mathml


@lru_cache(maxsize=2_000)
def to_mathml(tex: str, display: bool) -> str | None:
    """MathML of a formula; None where it is too long, too deep or broken, or defines macros."""
    if len(tex) > FORMULA_CHARS or _MACROS.search(tex):
        return None
    tex = _ENVIRONMENT.sub(_replace_environment, _UNSHOWN.sub("", tex))
    from latex2mathml import converter, exceptions  # reads a table of symbols: only where somebody writes formulas

    try:
        math = converter.convert_to_element(tex, display="block" if display else "inline")
    except _failures(exceptions):
        return None
    if _depth(math) > FORMULA_DEPTH:
        return None
    for element in math.iter():
        _tidy(element)
    return Tree.tostring(math, encoding="unicode")


def _replace_environment(found: re.Match[str]) -> str:
    name = _INSTEAD.get(found["name"])
    return f"\\{found['which']}{{{name}}}" if name else found[0]


def _failures(exceptions: ModuleType) -> tuple[type[Exception], ...]:
    """What the converter raises for broken TeX: kinds of its own without a common base, and what a slip raises."""
    own = (kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, Exception))
    return (*own, ArithmeticError, AttributeError, LookupError, RuntimeError, StopIteration, TypeError, ValueError)


def _tidy(element: Tree.Element) -> None:
    """Read the references that the converter writes, and drop lengths that could move text over other text."""
    element.text = unescape(element.text) if element.text else element.text
    for name in _LENGTHS & element.attrib.keys():
        if not _LENGTH.fullmatch(element.attrib[name]):
            del element.attrib[name]


def _depth(element: Tree.Element) -> int:
    deepest, below = 0, [(element, 1)]
    while below:
        one, depth = below.pop()
        deepest = max(deepest, depth)
        below.extend((child, depth + 1) for child in one)
    return deepest
