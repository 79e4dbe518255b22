"""Renders Markdown while it is being written: what is complete once, what may still change anew."""

from __future__ import annotations

import re

from playground.ui.markdown.blocks import References, has_text, plain, render_section
from playground.ui.markdown.split import Splitter

_LINE_ENDS = re.compile("\r\n?|\0|[\ud800-\udfff]")


def render(text: str) -> str:
    """Renders whole Markdown to sanitized HTML."""
    stream = MarkdownStream()
    stream.feed(text)
    stream.finish()
    return "".join(stream.blocks)


class MarkdownStream:
    """Renders Markdown that arrives bit by bit into `blocks` of sanitized HTML.

    What is complete is rendered once and its strings stay the same objects; what may still change is rendered anew.
    """

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self._splitter = Splitter()
        self._references = References()
        self._waiting: list[str] = []  # closed sections not yet rendered
        self._sections: list[tuple[str, int, frozenset[str]]] = []  # text, how many blocks, labels looked up in vain
        self._settled = 0  # blocks of closed sections
        self._held = ""  # a CR that may be half of a line end
        self._raw: list[str] = []
        self._changed = False

    def feed(self, text: str) -> None:
        """Append text; nothing is rendered."""
        if not text:
            return
        text, self._held = self._held + text, ""
        if text.endswith("\r"):
            text, self._held = text[:-1], "\r"
        text = _LINE_ENDS.sub(_tidy, text)
        self._raw.append(text)
        self._waiting += self._splitter.feed(text)
        self._changed = True

    def refresh(self) -> int:
        """Render what is new. Returns the index of the first block that changed, `len(blocks)` if none did."""
        if not self._changed:
            return len(self.blocks)
        self._changed = False
        new = self._settle()
        known = References()
        known.update(self._references)
        live = self._splitter.open
        return self._put(self._settled - len(new), [*new, *(render_section(live, known) if live.strip() else [])])

    def finish(self) -> int:
        """Render what is left, and what a definition at the end makes a link. Returns as `refresh` does."""
        if self._held:
            self.feed("\n")
        self._waiting += self._splitter.finish()
        new = self._settle()
        blocks = [*self.blocks[: self._settled - len(new)], *new]
        blocks = self._resolve(blocks)
        text = "".join(self._raw)
        if text.strip() and not any(has_text(block) for block in blocks):
            blocks = plain(text, "it is nothing but marks")
        return self._put(0, blocks)

    def _settle(self) -> list[str]:
        new: list[str] = []
        for section in self._waiting:
            self._references.missed = set()
            blocks = render_section(section, self._references)
            self._sections.append((section, len(blocks), frozenset(self._references.missed)))
            new += blocks
        self._waiting = []
        self._settled += len(new)
        return new

    def _resolve(self, blocks: list[str]) -> list[str]:
        """The blocks anew where a label that was looked up in vain was defined later."""
        resolved: list[str] = []
        at = 0
        for section, count, missed in self._sections:
            again = any(label in self._references for label in missed)
            resolved += render_section(section, self._references) if again else blocks[at : at + count]
            at += count
        return resolved

    def _put(self, start: int, blocks: list[str]) -> int:
        """Replace the blocks from `start`; those that are equal stay the same objects up to the first that differs."""
        old = self.blocks[start:]
        same = 0
        while same < min(len(old), len(blocks)) and old[same] == blocks[same]:
            same += 1
        if same == len(blocks) < len(old):
            blocks = [*blocks, ""]  # what was there last is gone: the change must have an index
        self.blocks[start + same :] = blocks[same:]
        return start + same


def _tidy(found: re.Match[str]) -> str:
    return "\n" if found[0][0] == "\r" else "\ufffd"
