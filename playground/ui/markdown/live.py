"""Keeps the section that is being written up to date at little cost.

Three things make an update cheap. Words that go on with a text are put where the text ends, without parsing. A list or
table is rendered item by item, row by row, each once. Long code is coloured anew, and what is long besides is parsed
anew, only when it has grown by half; the rest is shown as it is meanwhile. So the work for n characters is O(n),
and an update costs the length of one paragraph or item, whatever came before.

What is shown here lasts until the section ends: `render_section` has the last word.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape

from markdown_it.token import Token

from playground.ui.markdown import highlight
from playground.ui.markdown.blocks import References, TooMuch, group_blocks, parse, plain, plain_piece, to_html
from playground.ui.markdown.limits import (
    CELLS,
    GROWTH,
    HIGHLIGHTED_CHARS,
    LIVE_CHARS,
    LIVE_TOKENS,
    PART_CHARS,
    PIECE_CHARS,
    SECTION_CHARS,
    TOKENS_PER_CHAR,
)
from playground.ui.markdown.split import FENCE
from playground.ui.markdown.wall import sanitize

_END = "\u2063"
"""Stands at the end of a text while it is parsed, to see where the end comes out. Neither a space nor punctuation."""
_SPECIAL = re.compile(r"[^\S ]|[\x00-\x1f\x7f-\xa0*_~`$\\<>&|#\[\]);\u2063]")
"""What could mean more than itself in the midst of a line, or is written otherwise in HTML."""
_CLOSES = {")": "]", ";": "&", ">": "<", "]": "["}
"""What these could end they do end only where that stands open."""
_OPENS = frozenset("*_~`$[<&")
_STICKY = frozenset("*_~`$\\<&[]#!/")
"""What comes after one of these may change what it means."""
_LETTER = re.compile(r"[^\W\d_]")
_FIRST_ITEM = re.compile(r"\n*(?:(?P<bullet>[-+*])|\d{1,9}(?P<number>[.)]))[ \t]+\S")
_MARKER_TO_BE = re.compile(r"\n(?:[-+*]|\d{1,9}[.)]?)[ \t]*\Z")
_FIRST_ROWS = re.compile(r"\n*[^\n]+\n(?P<delimiters>[ \t]*[|:-][ \t|:-]*)\n")


class _Ended(Exception):
    """What was written so far is no longer one list or one table."""


class LiveSection:
    """The section that is being written: `append` text, then `refresh`. What did not change stays the same object."""

    def __init__(self, text: str, references: References) -> None:
        self._references = references
        self._text = [text]  # all of it, for when it turns out to be of another kind
        self._shown: _Unit | _Series | _Fence = _Whole(references)
        self._shown.append(text)
        self._in_series = True

    def append(self, text: str) -> None:
        self._text.append(text)
        self._shown.append(text)

    def refresh(self, *, is_fence: bool) -> list[str]:
        """The blocks as they are now; `is_fence` says whether the section is a fence."""
        if is_fence and not isinstance(self._shown, _Fence):
            self._shown = _Fence("".join(self._text))
        try:
            self._shown.refresh()
        except _Ended:
            self._in_series = False
            self._shown = _Whole(self._references)
            self._shown.append("".join(self._text))
            self._shown.refresh()
        if self._in_series and isinstance(self._shown, _Whole):
            self._begin_series(self._shown.take_kind())
        return self._shown.blocks

    def _begin_series(self, kind: str) -> None:
        if kind not in ("bullet_list_open", "ordered_list_open", "table_open"):
            return
        text = "".join(self._text)
        series = _Table.begin(text, self._references) if kind == "table_open" else _List.begin(text, self._references)
        if series is None:
            return
        try:
            series.refresh()
        except (_Ended, TooMuch):
            self._in_series = False
        else:
            self._shown = series


class _Unit:
    """Text that is parsed as one and grows at its end."""

    def __init__(self, references: References) -> None:
        self.text = ""
        self.blocks: list[str] = []
        self._references = references
        self._new: list[str] = []
        self._end: tuple[str, str] | None = None  # the last block before and after the place where its text ends
        self._spaces = ""  # at the end of the text, to be shown when more follows
        self._open: set[str] = set()  # marks that were read as text
        self._in_code = False
        self._tokens = 0  # in the whole

    def append(self, text: str) -> None:
        self._new.append(text)

    @property
    def source(self) -> str:
        """All text, with what is not shown yet."""
        return "".join([self.text, *self._new])

    def refresh(self) -> None:
        new = "".join(self._new)
        if not new:
            return
        if self._end and self._is_text(new):
            self._extend(*self._end, new)
        elif len(new) < (self._tokens - LIVE_TOKENS) // TOKENS_PER_CHAR:
            return  # dear to parse: wait for more
        else:
            self._read(self.text + new)
        self.text += new
        self._new.clear()

    def _render(self, text: str) -> tuple[list[str], list[Token]]:
        raise NotImplementedError

    def _read(self, text: str) -> None:
        """Parse, and find where more text would go."""
        self._end = None
        body = text.rstrip(" ")
        if body and body[-1] not in _STICKY and _LETTER.search(body, body.rfind("\n") + 1):
            blocks, tokens = self._render(body + _END)
            self._tokens = _count(tokens)
            ends = sum(block.count(_END) for block in blocks)
            if not ends:  # the end is not shown, as of a cell too many
                self.blocks = blocks
                return
            if ends == 1 and _END in blocks[-1] and self._note_end(tokens):
                before, _, after = blocks[-1].partition(_END)
                self._end, self._spaces = (before, after), text[len(body) :]
                self.blocks = [*blocks[:-1], before + after]
                return
        self.blocks, tokens = self._render(text)
        self._tokens = _count(tokens)

    def _note_end(self, tokens: list[Token]) -> bool:
        """Whether the text ends as text, and what stands open there."""
        last = next((t for t in reversed(tokens) if _END in t.content), None)
        if last is None:
            return False
        self._in_code = last.type in ("fence", "code_block")
        if self._in_code or not last.children:
            return self._in_code
        texts = [child.content for child in last.children if child.type == "text"]
        self._open = set("".join(texts)).intersection("*_~`$[]<&")
        *before, end = last.children
        may_go_on = bool(before) and before[-1].type == "link_close" and " " not in end.content  # with a URL
        return end.type == "text" and not may_go_on

    def _is_text(self, new: str) -> bool:
        """Whether what comes next can be nothing but text, and closes nothing."""
        if self._in_code:
            return not any(sign in new for sign in ("\n", "`", "~", _END))
        if "//" in self.text[-1:] + new:
            return False  # a link begins
        marks = set(_SPECIAL.findall(new))
        for mark in marks:
            if mark in _OPENS:
                count = new.count(mark)
                if mark in self._open or count > 2 or mark * count not in new:
                    return False
            elif mark not in _CLOSES or _CLOSES[mark] in self._open:
                return False
        self._open |= marks & _OPENS
        return True

    def _extend(self, before: str, after: str, new: str) -> None:
        text = self._spaces + new
        body = text.rstrip(" ")
        self._spaces = text[len(body) :]
        before += escape(body, quote=False)
        self._end = before, after
        self.blocks = [*self.blocks[:-1], before + after]


class _Whole(_Unit):
    """A section of any kind. A long one is parsed anew when it grew by half; the rest is plain text meanwhile."""

    def __init__(self, references: References) -> None:
        super().__init__(references)
        self._kind = ""  # of token that begins the only block, where there is only one
        self._parsed: list[str] = []
        self._rest: list[str] = []  # text after what was parsed last
        self._rest_chars = 0
        self._pieces: list[str] = []
        self._piece = ""

    def refresh(self) -> None:
        if len(self.text) + sum(map(len, self._new)) <= LIVE_CHARS:
            super().refresh()
        elif self._new:
            self._grow("".join(self._new))
            self._new.clear()

    def _grow(self, new: str) -> None:
        if not self._rest:
            self._end, self._parsed = None, self.blocks
        self._rest.append(new)
        self._rest_chars += len(new)
        if self._rest_chars > len(self.text) // GROWTH and len(self.text) + self._rest_chars <= SECTION_CHARS:
            self.text += "".join(self._rest)
            self._rest, self._rest_chars, self._pieces, self._piece = [], 0, [], ""
            self.blocks, _ = self._render(self.text)
            return
        text = self._piece + new
        whole = len(text) - len(text) % PART_CHARS
        self._pieces += [_plain(text[at : at + PART_CHARS]) for at in range(0, whole, PART_CHARS)]
        self._piece = text[whole:]
        self.blocks = [*self._parsed, *self._pieces, _plain(self._piece)]

    def take_kind(self) -> str:
        """The kind of token that begins the only block, where there is only one and it was just parsed."""
        kind, self._kind = self._kind, ""
        return kind

    def _render(self, text: str) -> tuple[list[str], list[Token]]:
        self._kind = ""
        try:
            groups = group_blocks(_parse(text, self._references))
        except TooMuch as limit:
            return plain(text, str(limit)), []
        self._kind = groups[0][0].type if len(groups) == 1 else ""
        return [to_html(group) for group in groups], [token for group in groups for token in group]


class _Series:
    """A list or a table: items or rows that are complete are rendered once, and only the last may grow.

    Long ones are shown in parts. `refresh` raises `_Ended` where something else follows within the section.
    """

    def __init__(self, references: References, boundary: re.Pattern[str], closing: str, text: str) -> None:
        self.blocks: list[str] = []
        self._references = references
        self._boundary = boundary  # what ends an item; its match begins with the line end
        self._closing = closing
        self._parts: list[str] = []  # blocks to which nothing is added any more
        self._opening = ""  # of the part that grows
        self._items: list[str] = []  # text of each complete item of that part
        self._done: list[str] = []  # HTML of each
        self._done_chars = 0
        self._new = [text]
        self._last = self._item()
        self._held = ""  # what may begin an item once there is more of it

    def append(self, text: str) -> None:
        self._new.append(text)

    def refresh(self) -> None:
        if not self._new:
            return
        source = self._last.source
        text = "".join([source, self._held, *self._new])
        self._new.clear()
        start = 0
        for found in self._boundary.finditer(text, max(source.rfind("\n"), 0)):
            self._complete(text[start : found.start() + 1])
            start = found.start() + 1
        if start:
            self._last = self._item()
        undecided = _MARKER_TO_BE.search(text, max(text.rfind("\n"), start))
        end = undecided.start() + 1 if undecided else len(text)
        self._held = text[end:]
        self._last.append(text[start + len(self._last.source) : end])
        self._last.refresh()
        if not self._opening:
            self._opening = self._last.opening
        last = self._last.blocks[0] if self._last.blocks else ""
        self.blocks = [*self._parts, "".join([self._opening, *self._done, last, self._closing])]

    def _item(self) -> _Item:
        raise NotImplementedError

    def _complete(self, text: str) -> None:
        """Render an item for the last time."""
        item = self._item()
        item.append(text)
        item.refresh()
        if self._done_chars > PART_CHARS:
            self._parts.append("".join([self._opening, *self._done, self._closing]))
            self._opening, self._items, self._done, self._done_chars = "", [], [], 0
        self._opening = self._opening or item.opening
        self._items.append(text)
        self._done += item.blocks
        self._done_chars += len(text)


class _Item(_Unit):
    """One item of a list or one row of a table; `opening` is what stands before the first of them."""

    opening = ""


class _List(_Series):
    def __init__(self, references: References, boundary: re.Pattern[str], closing: str, text: str) -> None:
        self.is_loose = False  # whether items are paragraphs; one is enough for all to be
        super().__init__(references, boundary, closing, text)

    @classmethod
    def begin(cls, text: str, references: References) -> _List | None:
        """A list of at least two items, that begins where the section begins."""
        first = _FIRST_ITEM.match(text)
        if not first:
            return None
        marker = re.escape(first["bullet"]) if first["bullet"] else r"\d{1,9}" + re.escape(first["number"])
        boundary = re.compile(rf"\n(?={marker}[ \t]+\S)")
        text = text.lstrip("\n")
        closing = "</ul>\n" if first["bullet"] else "</ol>\n"
        return cls(references, boundary, closing, text) if boundary.search(text) else None

    def _item(self) -> _Item:
        return _ListItem(self._references, self)

    def _complete(self, text: str) -> None:
        super()._complete(text)
        if text.endswith("\n\n") or re.search(r"\n[ \t]+\n\Z", text):
            self.loosen()

    def loosen(self) -> None:
        """Make all items paragraphs, those rendered before too."""
        if self.is_loose:
            return
        self.is_loose = True
        items, self._items, self._done, self._done_chars = self._items, [], [], 0
        for text in items:
            self._complete(text)


class _ListItem(_Item):
    def __init__(self, references: References, of: _List) -> None:
        super().__init__(references)
        self._of = of

    def _render(self, text: str) -> tuple[list[str], list[Token]]:
        tokens = _parse(text, self._references)
        items = sum(token.type == "list_item_open" and token.level == 1 for token in tokens)
        if items != 1 or len(group_blocks(tokens)) != 1:
            raise _Ended
        paragraphs = [token for token in tokens if token.level == 2 and token.type.startswith("paragraph")]
        if any(not token.hidden for token in paragraphs):
            self._of.loosen()
        for token in paragraphs:
            token.hidden = not self._of.is_loose
        opening, _, rest = to_html(tokens).partition("\n")
        self.opening = opening + "\n"
        return [rest[: rest.rindex("</")]], tokens


class _Table(_Series):
    def __init__(self, references: References, head: str, prefix: str, text: str) -> None:
        self._head, self._prefix = head, prefix
        self._cells = 0
        super().__init__(references, re.compile(r"\n"), "</tbody>\n</table></div>", text)

    @classmethod
    def begin(cls, text: str, references: References) -> _Table | None:
        """A table whose first two lines are complete."""
        first = _FIRST_ROWS.match(text)
        if not first:
            return None
        tokens = _parse(text[: first.end()], references)
        columns = sum(token.type == "th_open" for token in tokens)
        head = to_html(tokens).removesuffix("</table></div>") + "<tbody>\n"
        prefix = "|" + " |" * columns + "\n" + first["delimiters"] + "\n"
        return cls(references, head, prefix, text[first.end() :])

    def _complete(self, text: str) -> None:
        self._cells += self._prefix.count("|")
        if self._cells > CELLS:
            raise _Ended
        super()._complete(text)

    def _item(self) -> _Item:
        return _Row(self._references, self._head, self._prefix)


class _Row(_Item):
    def __init__(self, references: References, head: str, prefix: str) -> None:
        super().__init__(references)
        self.opening = head
        self._prefix = prefix

    def _render(self, text: str) -> tuple[list[str], list[Token]]:
        tokens = _parse(self._prefix + text, self._references)
        if len(group_blocks(tokens)) != 1 or sum(token.type == "tr_open" for token in tokens) > 2:
            raise _Ended
        html = to_html(tokens)
        return [html.partition("<tbody>\n")[2].partition("</tbody>")[0]], tokens


class _Fence:
    """A fence that is not closed. Long code is shown in parts, of which only the last may grow."""

    def __init__(self, text: str) -> None:
        opening, _, rest = text.lstrip("\n").partition("\n")
        found = FENCE.match(opening)
        self.blocks: list[str] = []
        self._indent, self._mark = (found["indent"], found["mark"][0]) if found else ("", "`")
        self._language = highlight.language(opening.lstrip(" ").lstrip("`~"))
        self._new = [rest]
        self._partial = ""  # the line that is being written
        self._lines: list[str] = []
        self._chars = 0
        self._coloured_chars = 0
        self._parts: list[str] = []
        self._start = 0  # the first line of the part that grows
        self._html: list[str] = []  # the lines of that part
        self._part_chars = 0

    def append(self, text: str) -> None:
        self._new.append(text)

    def refresh(self) -> None:
        if self.blocks and not self._new:
            return
        new = "".join(self._new)
        self._new.clear()
        *complete, self._partial = (self._partial + new).split("\n")
        for line in complete:
            self._add(line)
        while len(self._partial) > PIECE_CHARS:
            self._add(self._partial[:PIECE_CHARS])
            self._partial = self._partial[PIECE_CHARS:]
        self._colour()
        partial = "" if self._may_close(self._partial) else self._partial
        body = "\n".join([*self._html, escape(partial, quote=False)])
        before, after = _frame(self._language, "last" if self._parts else "whole")
        self.blocks = [*self._parts, before + body + after]

    def _may_close(self, line: str) -> bool:
        return set(line.strip(" \t")) == {self._mark} and line.find(self._mark) < 4

    def _add(self, line: str) -> None:
        if self._part_chars > PART_CHARS:
            self._colour()
            before, after = _frame(self._language, "next" if self._parts else "first")
            self._parts.append(before + "\n".join(self._html) + after)
            self._start += len(self._html)
            self._html, self._part_chars = [], 0
        line = line[len(line[: len(self._indent)]) - len(line[: len(self._indent)].lstrip(" ")) :]
        self._lines.append(line)
        self._html.append(escape(line, quote=False))
        self._chars += len(line) + 1
        self._part_chars += len(line) + 1

    def _colour(self) -> None:
        """Colour the lines that are complete, if they are half as many again as last time."""
        lexer = highlight.lexer_for(self._language)
        new = self._chars - self._coloured_chars
        if lexer is None or self._chars > HIGHLIGHTED_CHARS or new < max(PART_CHARS, self._chars) // GROWTH:
            return
        self._coloured_chars = self._chars
        html = highlight.colour("\n".join(self._lines), lexer)
        lines = sanitize(html).split("\n") if html else []
        if len(lines) == len(self._lines):
            self._html = lines[self._start :]


@lru_cache(maxsize=256)
def _frame(language: str, part: str) -> tuple[str, str]:
    before, after = highlight.frame(language, part)
    before, _, after = sanitize(before + _END + after).partition(_END)
    return before, after


def _count(tokens: list[Token]) -> int:
    return sum(1 + len(token.children or ()) for token in tokens)


def _plain(text: str) -> str:
    before, after = _plain_frame()
    return before + escape(text, quote=False) + after


@lru_cache(maxsize=1)
def _plain_frame() -> tuple[str, str]:
    before, _, after = plain_piece(_END).partition(_END)
    return before, after


def _parse(text: str, references: References) -> list[Token]:
    """The tokens of a text; code that is not closed is not coloured, for it would be at every word."""
    tokens = parse(text, References(references))
    last = next((token for token in reversed(tokens) if token.nesting >= 0), None)
    if last is not None and last.type == "fence" and last.map:
        lines = last.content.count("\n") + (not last.content.endswith("\n") and last.content != "")
        if last.map[1] - last.map[0] < lines + 2:
            last.meta["open"] = True
    return tokens
