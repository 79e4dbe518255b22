"""Tells whether a text uses a mark or speaks about it, from what stands around the mark."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)
_QUOTES = frozenset("`\"'“”‘’„«»")
_SENTENCE_ENDS = frozenset(".!?:;…。！？：)*\n")


class Context:
    """Accumulates what stands before a mark: code, quotation marks, the middle of a sentence."""

    def __init__(self) -> None:
        self._last = ""
        self._ticks = 0
        self._fenced = False
        self._line = ""
        self.struck = False
        """There was an opening tag of struck-out text, so its closing tag is no stop token."""

    def pass_by(self, text: str) -> None:
        """More text, in which code does not count."""
        self._last = (self._last + text)[-2:]

    def add(self, text: str) -> None:
        """More text of the answer."""
        self.struck = self.struck or "<s>" in self._last + text
        self.pass_by(text)
        _, newline, line = text.rpartition("\n")
        self._ticks = line.count("`") + (0 if newline else self._ticks)
        begun = len(self._line)
        for found in _FENCE.finditer(self._line + text):
            if found.end() > begun:
                self._fenced = not self._fenced
        self._line = (line if newline else self._line + text)[:7]

    def quotes(self, after: str) -> bool:
        """The mark between this and `after` stands in quotation marks."""
        return self._last[-1:] in _QUOTES and after in _QUOTES

    def mentions(self, after: str) -> bool:
        """It stands in quotation marks, in code, or in the middle of a sentence."""
        before = self._last[-1:]
        if self._fenced or self._ticks % 2 or before in _QUOTES:
            return True
        inside = before in {" ", "\t"} and self._last[:1] not in _SENTENCE_ENDS
        return inside and (not after or after in " \t.,;:!?)")
