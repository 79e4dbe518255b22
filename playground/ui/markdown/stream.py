"""Renders Markdown while it is being written: what is complete once, what may still change anew."""

from __future__ import annotations

import re
from typing import NamedTuple

from playground.ui.markdown.blocks import References, has_text, plain, render_section
from playground.ui.markdown.limits import TAGS
from playground.ui.markdown.live import LiveSection
from playground.ui.markdown.split import Splitter

_UNREADABLE = re.compile("\r\n?|\0|[\ud800-\udfff]")
"""Line ends other than LF, which become LF, and what no HTML can hold."""


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
        self._live = LiveSection("", self._references)
        self._waiting: list[str] = []  # sections that are complete, not yet rendered
        self._settled: list[_Section] = []
        self._settled_blocks = 0
        self._tags = 0
        self._unseen: list[str] | None = []  # all text, until some of it can be seen
        self._held = ""  # a CR that may be half of a line end
        self._is_new = False

    def feed(self, text: str) -> None:
        """Append text; nothing is rendered."""
        text, self._held = self._held + text, ""
        if text.endswith("\r"):
            text, self._held = text[:-1], "\r"
        if not text:
            return
        text = _UNREADABLE.sub(_replace, text)
        self._is_new = True
        if self._unseen is not None:
            self._unseen.append(text)
        complete = self._splitter.feed(text)
        if complete:
            self._waiting += complete
            self._live = LiveSection(self._splitter.open, self._references)
        else:
            self._live.append(text)

    def refresh(self) -> int:
        """Render what is new. Returns the index of the first block that changed, `len(blocks)` if none did."""
        if not self._is_new:
            return len(self.blocks)
        self._is_new = False
        start = self._settled_blocks
        settled = self._settle()
        return self._put(start, [*settled, *self._live.refresh(is_fence=self._splitter.in_fence)])

    def finish(self) -> int:
        """Render what is left, and anew what a later definition made a link. Returns as `refresh` does."""
        if self._held:
            self.feed("\n")
        self._waiting += self._splitter.finish()
        start = self._settled_blocks
        blocks = self._resolve([*self.blocks[:start], *self._settle()])
        if self._unseen is not None and "".join(self._unseen).strip():
            blocks = plain("".join(self._unseen), "it is nothing but marks")
        return self._put(0, blocks)

    def _settle(self) -> list[str]:
        """Render the sections that are complete."""
        settled: list[str] = []
        for text in self._waiting:
            self._references.missed = set()
            blocks = self._render(text)
            missed = frozenset(self._references.missed)
            self._tags += sum(block.count("<") for block in blocks)
            self._settled.append(_Section(text if missed else "", len(blocks), missed))
            settled += blocks
            if self._unseen is not None and any(has_text(block) for block in blocks):
                self._unseen = None
        self._waiting = []
        self._settled_blocks += len(settled)
        return settled

    def _render(self, text: str) -> list[str]:
        if self._tags > TAGS:
            return plain(text, "the answer before it is more than a browser can show")
        return render_section(text, self._references)

    def _resolve(self, blocks: list[str]) -> list[str]:
        """The same blocks, those anew where a label was looked up in vain and defined later."""
        resolved: list[str] = []
        at = 0
        for section in self._settled:
            if any(label in self._references for label in section.missed):
                resolved += render_section(section.text, self._references)
            else:
                resolved += blocks[at : at + section.blocks]
            at += section.blocks
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


class _Section(NamedTuple):
    """A section that was rendered: its text if a definition may change it, its blocks, labels looked up in vain."""

    text: str
    blocks: int
    missed: frozenset[str]


def _replace(found: re.Match[str]) -> str:
    return "\n" if found[0][0] == "\r" else "\ufffd"
