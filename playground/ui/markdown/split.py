"""Cuts Markdown into sections that can be parsed one by one and mean the same as in the whole.

A cut is made where CommonMark is sure to begin a new block at the top level whatever came before: after a blank line,
before a line that is not indented and does not go on with a list; before and after a heading with `#`; before and after
a fence. Never inside a fence. Where a line could be read in two ways, no cut is made: a section may be longer than it
need be, never shorter. Knows no HTML, and looks at each line once.
"""

from __future__ import annotations

import re

from playground.ui.markdown.limits import LIST_CHARS

FENCE = re.compile(r"(?P<indent> {0,3})(?P<mark>`{3,}(?=[^`\n]*$)|~{3,})", re.MULTILINE)
"""What opens a fence, at the start of a line."""
_CLOSES = re.compile(r"[ \t]*(`{3,}|~{3,})[ \t]*$")
_HEADING = re.compile(r"#{1,6}(?:[ \t]|$)")
_MARKER = re.compile(r"(?P<indent> {0,3})(?P<mark>[-+*]|\d{1,9}[.)])(?P<space>[ \t]+|$)")
_MARKER_TO_BE = re.compile(r"(?:[-+*]|\d{1,9}[.)]?)$")
_NESTED_FENCE = re.compile(r" {0,3}(?:(?:[-+*]|\d{1,9}[.)])[ \t]+)+(?P<mark>`{3,}(?=[^`]*$)|~{3,})")
_HEAD_CHARS = 12
"""As many characters tell a list marker (nine digits, a dot, a space) from a word."""


class Splitter:
    """Reads text bit by bit and gives back sections as soon as nothing can be added to them.

    `open` is the text of the section that may still grow, up to the last character fed; it is never cut short.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._chars = 0
        self._partial: list[str] = []
        self._head = ""
        self._start_section()

    def _start_section(self) -> None:
        self._lines = []
        self._chars = 0
        self._fence = ""  # what opened the fence at the top level that this section is
        self._inner = ""  # what opened a fence that may be at the top level or inside a list item
        self._content_indent = 0  # of the list item that the section may be in, 0 outside lists
        self._blank = False  # the last line was blank
        self._unsure = False  # whether a fence is open cannot be known: no more cuts

    @property
    def in_fence(self) -> bool:
        """Whether the open section is a fence."""
        return bool(self._fence)

    @property
    def open(self) -> str:
        return "".join(self._lines) + "".join(self._partial)

    def feed(self, text: str) -> list[str]:
        """Add text; lines end with LF. Returns the sections that ended."""
        done: list[str] = []
        *complete, rest = text.split("\n")
        if complete:
            complete[0] = "".join(self._partial) + complete[0]
            self._partial, self._head = [], ""
        for line in complete:
            self._read_line(line, done)
        if rest:
            self._partial.append(rest)
            self._cut_before_partial(done)
        return done

    def finish(self) -> list[str]:
        """The sections that are left, once there is no more text."""
        done: list[str] = []
        if self._partial:
            line, self._partial, self._head = "".join(self._partial), [], ""
            self._read_line(line, done)
        self._end_section(done)
        return done

    def _end_section(self, done: list[str]) -> None:
        if any(line.strip(" \t\n") for line in self._lines):
            done.append("".join(self._lines))
        self._start_section()

    def _cut_before_partial(self, done: list[str]) -> None:
        """A line that goes on as a word is known not to belong to the section before, before its end is read."""
        if not self._may_end or len(self._head) == _HEAD_CHARS:
            return
        self._head = "".join(self._partial)[:_HEAD_CHARS]
        word = self._head[0] not in " \t"
        marker = self._content_indent and (_MARKER_TO_BE.match(self._head) or _MARKER.match(self._head))
        if word and not marker:
            self._end_section(done)

    @property
    def _may_end(self) -> bool:
        return self._blank and not (self._fence or self._inner or self._unsure)

    def _read_line(self, line: str, done: list[str]) -> None:
        if self._fence:
            self._append(line)
            if _closes(line, self._fence) and _indent(line) < 4:
                self._end_section(done)
        elif not line.strip(" \t"):
            self._append(line)
            self._blank = True
        elif self._may_cut_before(line):
            self._end_section(done)
            self._open_line(line, done)
        else:
            self._open_line(line, done)

    def _append(self, line: str) -> None:
        self._lines.append(line + "\n")
        self._chars += len(line) + 1

    def _may_cut_before(self, line: str) -> bool:
        if not self._lines or self._inner or self._unsure:
            return False
        fence = FENCE.match(line)
        if fence and not self._inside_item(len(fence["indent"])):
            return True
        if line[0] in " \t":
            return False
        if _HEADING.match(line):
            return True
        in_list = self._content_indent and _MARKER.match(line)
        return self._chars > LIST_CHARS if in_list else self._blank

    def _inside_item(self, indent: int) -> bool:
        return 0 < self._content_indent <= indent

    def _open_line(self, line: str, done: list[str]) -> None:
        """Note what the line means for those after it."""
        self._blank = False
        self._append(line)
        indent = _indent(line)
        if self._inner:
            self._follow_inner_fence(line, indent)
        elif fence := FENCE.match(line):
            if self._inside_item(len(fence["indent"])):
                self._inner = fence["mark"]
            elif len(self._lines) == 1:
                self._fence = fence["mark"]
            else:
                self._unsure = True
        elif not self._content_indent and _HEADING.match(line):
            if len(self._lines) == 1:
                self._end_section(done)
        elif marker := _MARKER.match(line):
            if not self._content_indent or indent < self._content_indent:
                space = len(marker[0].expandtabs(4)) - marker.end("mark")
                self._content_indent = marker.end("mark") + (space if 1 <= space <= 4 else 1)
            if fence := _NESTED_FENCE.match(line):
                self._inner = fence["mark"]

    def _follow_inner_fence(self, line: str, indent: int) -> None:
        """Go on inside a fence that is at the top level or inside an item, until both readings say that it ended."""
        if _CLOSES.match(line) and _closes(line, self._inner):
            if self._content_indent <= indent < 4 or (self._content_indent >= 4 and indent >= self._content_indent):
                self._inner = ""
            else:
                self._unsure = True
        elif indent < self._content_indent and line.strip():
            self._unsure = True


def _closes(line: str, fence: str) -> bool:
    found = _CLOSES.match(line)
    return bool(found and found[1][0] == fence[0] and len(found[1]) >= len(fence))


def _indent(line: str) -> int:
    body = line.lstrip(" \t")
    return len(line[: len(line) - len(body)].expandtabs(4))
