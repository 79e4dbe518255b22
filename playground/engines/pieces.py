"""Holds the pieces of an answer: text with the stamps it came with, and what was said of it since."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from playground.types import Revised


class Stamp(NamedTuple):
    """When text came, and how many tokens there are with it, where its server counts as it goes."""

    at_s: float = 0.0
    tokens: int | None = None


Stamped = tuple[str, Stamp]
"""Text, and when it came."""


class Piece(NamedTuple):
    """Text with its stamp. `part` counts the thoughts that ended before it; `mark`: it may be an opening mark."""

    text: str
    reasoning: bool
    stamp: Stamp = Stamp()
    part: int = 0
    mark: bool = False


class Recast(NamedTuple):
    """The pieces of that part, or those behind its last mark, were thinking; or were answer: other than it seemed."""

    part: int
    reasoning: bool


Found = Piece | Recast


SHORT = 200
"""A piece of so many characters can be held back whole."""


class StampedText:
    """Text that grows at its end and is taken from its beginning."""

    def __init__(self) -> None:
        self.text = ""
        self._starts: list[tuple[int, Stamp]] = []

    def add(self, text: str, stamp: Stamp) -> None:
        """More text at the end."""
        if text:
            self._starts.append((len(self.text), stamp))
            self.text += text

    def take(self, length: int) -> list[Stamped]:
        """That many characters off the beginning, in the pieces in which they came. A count is of a whole piece."""
        taken, rest = [], []
        for (start, stamp), (end, _) in pairwise([*self._starts, (len(self.text), Stamp())]):
            if start < length:
                taken.append((self.text[start : min(end, length)], stamp if end <= length else Stamp(stamp.at_s)))
            if end > length:
                rest.append((max(start - length, 0), stamp))
        self.text, self._starts = self.text[length:], rest
        return taken

    def before(self, length: int) -> int:
        """Where the piece begins in which so many characters end; a long piece is cut there instead."""
        start = max((start for start, _ in self._starts if start <= length), default=0)
        return start if length - start <= SHORT else length

    def strip(self) -> None:
        """Drop blank space at the beginning."""
        self.take(len(self.text) - len(self.text.lstrip()))


MOST_BLANKS = 16
"""Blank space at the end of a thought belongs to nobody, as long as there is no more of it than this."""


class Trimmed:
    """Holds back blank space at the end of a text that comes in pieces, in case the text ends there."""

    def __init__(self) -> None:
        self._blanks: list[Stamped] = []
        self._flood = False
        self._last = Stamp(-1.0)

    def add(self, text: str, stamp: Stamp) -> list[Stamped]:
        """What is certain by now."""
        bare = text.rstrip()
        found: list[Stamped] = []
        if bare:
            found = self._joined(bare, stamp if bare == text else Stamp(stamp.at_s))
            self._flood, self._last = False, stamp
        if bare != text:
            self._blanks.append((text[len(bare) :], stamp))
        self._flood = self._flood or sum(len(blank) for blank, _ in self._blanks) > MOST_BLANKS
        return found + self.release() if self._flood else found

    def release(self) -> list[Stamped]:
        """What was held back."""
        return self._joined("", self._last)

    def _joined(self, text: str, stamp: Stamp) -> list[Stamped]:
        """What was held back, then this text. Blank space that ended a piece is joined to what follows, so that there
        are as many pieces as came."""
        blanks, self._blanks, joined = self._blanks, [], ""
        found = []
        for blank, came in blanks:
            joined += blank
            if came is not self._last:
                found.append((joined, came))
                joined = ""
        return [*found, (joined + text, stamp)] if joined + text else found


class Record:
    """All pieces of one answer, in order. Adding one costs what it is long; revising them what they all are."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []

    def add(self, piece: Piece) -> None:
        """One more."""
        self._pieces.append(piece)

    def text(self, reasoning: bool) -> str:
        """All thinking, or all of the answer."""
        return "".join(piece.text for piece in self._pieces if piece.reasoning is reasoning)

    @property
    def has_answer(self) -> bool:
        """Some of it is answer."""
        return any(not piece.reasoning for piece in self._pieces)

    def all_is_answer(self) -> Revised:
        """Call every piece answer."""
        self._pieces = [piece._replace(reasoning=False) for piece in self._pieces]
        return self.revised()

    def recast(self, recast: Recast) -> Revised:
        """Call the pieces of a part by the other name; gives what all of it is now. A mark among them is dropped."""
        pieces = self._pieces
        meant = [
            n for n, piece in enumerate(pieces) if piece.part == recast.part and piece.reasoning != recast.reasoning
        ]
        marks = [n for n in meant if pieces[n].mark]
        if recast.reasoning and marks:
            meant = [n for n in meant if n > marks[-1]]
        for n in meant:
            pieces[n] = pieces[n]._replace(reasoning=recast.reasoning, mark=False)
        if recast.reasoning:
            self._trim(meant)
            if marks:
                del pieces[marks[-1]]
        return self.revised()

    def _trim(self, numbers: list[int]) -> None:
        """Blank space at both ends of a thought belongs to nobody."""
        for place, strip in ((numbers, str.lstrip), (numbers[::-1], str.rstrip)):
            for n in place:
                self._pieces[n] = self._pieces[n]._replace(text=strip(self._pieces[n].text))
                if self._pieces[n].text:
                    break

    def revised(self) -> Revised:
        """What all of it is now."""
        shown = (piece for piece in self._pieces if not piece.reasoning and piece.text.strip())
        first = next((piece.stamp.at_s for piece in shown), None)
        return Revised(self.text(False), self.text(True), first)


def scalar(text: str) -> str:
    """The text with surrogates joined where they are halves of one character, and otherwise replaced by U+FFFD: no
    encoding can carry them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
