"""Knows how to part thinking from answer where a server leaves `<think>` tags in the text. Does no I/O."""

from __future__ import annotations

OPEN, CLOSE = "<think>", "</think>"

Piece = tuple[str, bool]
"""Non-empty text, and whether it is reasoning."""


class ThinkSplitter:
    """Parts text as it comes; a tag may be split over any number of chunks.

    Only a tag that opens the text counts, so an answer that talks *about* `<think>` stays whole. Some chat templates
    write the opening tag themselves, so that only the closing one comes: `opened` says that the text starts as
    thinking. Blank space after a tag belongs to nobody. What might become a tag is held back until that is decided.
    """

    def __init__(self, opened: bool = False) -> None:
        self._opened = opened
        self._held = ""
        self._state = "start"
        self._blank = False

    def feed(self, text: str) -> list[Piece]:
        """The pieces that are certain by now."""
        self._held += text
        pieces: list[Piece] = []
        if self._state == "start":
            self._start()
        if self._state == "thinking":
            pieces += self._think()
        if self._state == "answer":
            pieces += self._say(self._held, reasoning=False)
            self._held = ""
        return pieces

    def end(self) -> list[Piece]:
        """What was held back, when no more text comes (here)."""
        thinking = self._state == "thinking" or (self._state == "start" and self._opened)
        held, self._held, self._state = self._held, "", "answer"
        return self._say(held, reasoning=thinking)

    def _start(self) -> None:
        seen = self._held.lstrip()
        if seen.startswith(OPEN):
            self._turn("thinking", seen[len(OPEN) :])
        elif not OPEN.startswith(seen):
            self._state = "thinking" if self._opened else "answer"

    def _think(self) -> list[Piece]:
        thought, closed, answer = self._held.partition(CLOSE)
        if closed:
            pieces = self._say(thought, reasoning=True)
            self._turn("answer", answer)
            return pieces
        keep = next((n for n in range(len(CLOSE) - 1, 0, -1) if thought.endswith(CLOSE[:n])), 0)
        self._held = thought[len(thought) - keep :]
        return self._say(thought[: len(thought) - keep], reasoning=True)

    def _turn(self, state: str, rest: str) -> None:
        self._state, self._held, self._blank = state, rest, True

    def _say(self, text: str, reasoning: bool) -> list[Piece]:
        if self._blank:
            text = text.lstrip()
            self._blank = not text
        return [(text, reasoning)] if text else []
