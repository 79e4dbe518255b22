"""Puts the text of one answer together from the fields in which it comes. Does no I/O, and knows no JSON.

Servers part thinking from answer or leave it to the reader, and some do both, or half of it. Each field has a splitter
of its own; what they find is one record.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from playground.engines.pieces import Found, Piece, Recast, Record, Stamp, scalar
from playground.engines.thinking import Splitter
from playground.masking import KeyFilter
from playground.types import Delta, Revised

Text = Delta | Revised


class Transcript:
    """The text of one answer as it grows. `model` is the name by which marks of its family are known; `opened` says
    that its text probably begins as thinking. `secret` is a key that must not come out of it, whoever says it."""

    def __init__(self, model: str = "", *, opened: bool = False, secret: str | None = None) -> None:
        self._content, self._field = Splitter(model, opened=opened), Splitter(model, inside=True)
        self._inlets = {reasoning: _Inlet(secret) for reasoning in (True, False)}
        self._record = Record()
        self._at_s = 0.0
        self._fielded = False
        self._repeats = True
        self._thoughts: deque[str] = deque()
        """What came as thinking and may come once more in marks, without blank space."""

    def say(self, text: str, at_s: float, tokens: int | None = None) -> list[Text]:
        """Text of a field that holds the answer, and perhaps thinking in marks. `tokens`: there are so many with it."""
        found = self._content.feed(self._inlets[False].feed(text), Stamp(at_s, tokens))
        return self._take(self._new(found))

    def think(self, text: str, at_s: float, tokens: int | None = None) -> list[Text]:
        """Text of a field that holds thinking, and perhaps marks and the answer all the same."""
        text = self._inlets[True].feed(text)
        parted = self._content.parted() if text.strip() else []
        self._fielded = self._fielded or bool(text.strip())
        if self._repeats:
            self._thoughts.extend("".join(text.split()))
        return self._take([*parted, *map(_of_field, self._field.feed(text, Stamp(at_s, tokens)))])

    def end(self, cut_short: bool = False) -> list[Text]:
        """What was held back. `cut_short`: more would have come, so a thought that was never closed is one."""
        thought = self._field.feed(self._inlets[True].end(), Stamp(self._at_s)) + self._field.end()
        said = self._content.feed(self._inlets[False].end(), Stamp(self._at_s))
        stray = self._fielded and self._content.open and not self._record.has_answer
        said += self._content.end(cut_short)
        if stray:  # a server that parts thinking itself leaves no mark that opens a thought
            said.append(Recast(self._content.part, reasoning=False))
        return self._take([*map(_of_field, thought), *self._new(said)])

    def all_is_answer(self) -> list[Text]:
        """What came as thinking is the answer."""
        return [self._record.all_is_answer()]

    def text(self, reasoning: bool) -> str:
        """All thinking, or all of the answer."""
        return self._record.text(reasoning)

    @property
    def fielded(self) -> bool:
        """Thinking came in a field of its own."""
        return self._fielded

    @property
    def hidden(self) -> bool:
        """There was a message to somebody else, such as the call of a tool."""
        return self._content.hidden

    @property
    def cut(self) -> list[str]:
        """Marks at the end that belong to nobody."""
        return self._content.cut

    def _take(self, found: Iterable[Found]) -> list[Text]:
        """Write down what was found. Stamps never go back, also where one field held its text longer than another."""
        texts: list[Text] = []
        for each in found:
            if isinstance(each, Recast):
                texts.append(self._record.recast(each))
                continue
            self._at_s = max(self._at_s, each.stamp.at_s)
            each = each._replace(stamp=Stamp(self._at_s, each.stamp.tokens))
            self._record.add(each)
            texts.append(Delta(each.text, self._at_s, each.reasoning, each.stamp.tokens))
        return texts

    def _new(self, found: Iterable[Found]) -> Iterator[Found]:
        """Without thinking in marks that came in its own field already."""
        for each in found:
            if isinstance(each, Piece) and each.reasoning and self._fielded and self._repeats:
                if text := self._not_repeated(each.text):
                    yield each._replace(text=text)
            else:
                yield each

    def _not_repeated(self, text: str) -> str:
        for n, char in enumerate(text):
            if char.isspace():
                continue
            if not self._thoughts or self._thoughts[0] != char:
                self._repeats = False
                self._thoughts.clear()
                return text[n:]
            self._thoughts.popleft()
        return ""


class _Inlet:
    """Text of one field as it comes, with halves of characters joined and the secret masked."""

    def __init__(self, secret: str | None) -> None:
        self._filter = KeyFilter(secret)
        self._half = ""

    def feed(self, text: str) -> str:
        text, self._half = self._half + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return self._filter.feed(scalar(text))

    def end(self) -> str:
        return self._filter.end() + scalar(self._half)


def _of_field(found: Found) -> Found:
    """Parts of both fields have numbers of their own."""
    return found._replace(part=-1 - found.part)
