"""Parts thinking from answer in text where a server left the marks of both (`markers.py` lists them). Does no I/O.

The cost of a character does not depend on how many came before it.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Literal

from playground.engines import markers
from playground.engines.mentions import Context
from playground.engines.pieces import Found, Piece, Recast, Stamp, Stamped, StampedText, Trimmed

MOST_REVISIONS = 16
"""Each one costs what the answer is long, so a text full of closing marks may not have one for each."""
LONGEST_HEADER = 200

_SLICE = 4096
"""Each mark costs what is held, so not much of a long text is held at once."""

_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)")
_ROLE = re.compile(r"<\|start\|>\s*(\w+)")
_RECIPIENT = re.compile(r"\bto=([\w.]+)")


State = Literal["start", "header", "turn", "thinking", "answer", "hidden"]
Step = Generator[Found, None, bool]
"""Takes something from the buffer; what it returns says whether another step can be made before more comes."""


class Splitter:
    """Parts text as it comes; a mark may be split over any number of chunks, and the result is the same.

    A mark that opens the text opens a thought. A closing mark without an opening one closes a thought that began with
    the text, unless it is quoted, in code, or in the middle of a sentence: an answer may speak *about* such marks.
    `opened` says that the text probably begins as thinking, because the chat template wrote the opening mark; what is
    then never closed was the answer. `inside`: the text is of a field that should hold nothing but thinking.

    What might become a mark is held back until that is decided, and keeps the stamps with which it came.
    """

    def __init__(self, model: str = "", *, opened: bool = False, inside: bool = False) -> None:
        self._marks = markers.patterns(model)
        self._inside, self._unsure = inside, opened
        self._first: State = "thinking" if opened or inside else "answer"
        self._state: State = "start"
        self._before: State = "start"  # the header that is being read
        self._held = StampedText()
        self._context = Context()
        self._thought = Trimmed()
        self._stops: list[Stamped] = []
        self._orphan = self._wrapped = ""
        self._skip = self._label = self._explicit = self._join = False
        self._revisions = 0
        self.part = 0
        self.thought = self.answered = False
        """Text of that kind came in this part."""
        self.hidden = False
        """There was a message to somebody else, such as the call of a tool."""
        self.cut: list[str] = []
        """Marks at the end that belong to nobody."""

    def feed(self, text: str, stamp: Stamp) -> list[Found]:
        """What is certain by now."""
        found: list[Found] = []
        for start in range(0, len(text), _SLICE):
            last = start + _SLICE >= len(text)
            self._held.add(text[start : start + _SLICE], stamp if last else Stamp(stamp.at_s))
            found += self._run(final=False)
        return found

    def end(self, cut_short: bool = False) -> list[Found]:
        """What was held back, when no more text comes. `cut_short`: there would have been more."""
        found = list(self._run(final=True))
        self.cut += [self._orphan] if self._orphan else []
        self.cut += [text for text, _ in self._stops if text.strip() and text != self._wrapped]
        self._orphan, self._stops = "", []
        if self._state == "thinking" and self._unsure and not cut_short:
            found += [*(Piece(each[0], True, each[1], self.part) for each in self._thought.release()), *self.parted()]
        return found

    def parted(self) -> list[Found]:
        """The server parts thinking itself: what comes from here on is the answer, until a mark opens a thought."""
        self._first = "answer"
        self._skip = self._skip or self._state == "start"
        if self._state == "thinking" and self._unsure:
            self._state, self._unsure = "answer", False
            return [Recast(self.part, reasoning=False)]
        if self._state == "thinking" and not self.thought:
            self._turn_over()
        return []

    @property
    def open(self) -> bool:
        """It stands in a thought that a mark opened."""
        return self._state == "thinking" and not self._unsure

    # --- steps -------------------------------------------------------------------------------------------------------

    def _run(self, final: bool) -> Iterator[Found]:
        more = True
        while more and self._held.text:
            match self._state:
                case "start":
                    more = self._start(final)
                case "header":
                    more = yield from self._header(final)
                case "turn":
                    more = yield from self._turn(final)
                case _:
                    more = yield from self._text(final)

    def _start(self, final: bool) -> bool:
        rest = self._held.text.lstrip()
        blank = len(self._held.text) - len(rest)
        mark = self._marks.mark.match(rest)
        if opening := self._marks.opening.match(rest):
            self._held.take(blank + opening.end())
            self._open(opening[0], unsure=bool(self._marks.unsure.match(rest)))
        elif lead := next((lead for lead in markers.LEADS if rest.startswith(lead)), ""):
            self._held.take(blank + len(lead))
            self._skip = True
        elif mark and mark.lastgroup in ("close", "head", "wrap"):
            self._held.take(blank)
            self._turn_over()
        elif not final and blank <= markers.LONGEST and self._marks.may_open(rest):
            return False
        else:
            self._held.take(blank if self._skip else 0)
            self._state, self._skip = self._first, False
            self._unsure = self._unsure and self._first == "thinking"
        return True

    def _turn(self, final: bool) -> Step:
        """Behind a mark: blank space and further marks belong to nobody, then a thought or the answer begins."""
        self._held.strip()
        text = self._held.text
        mark = self._marks.mark.match(text)
        wrap = next((wrap for wrap in markers.WRAPPED if text.startswith(wrap[0])), None)
        if not text:
            return False
        if mark and mark.lastgroup == "head":
            self._state, self._before = "header", "turn"
        elif mark and mark.lastgroup == "open":
            yield from self._settle()
            self._held.take(mark.end())
            self._open(mark[0])
        elif mark:
            self._held.take(mark.end())
        elif wrap and (self.part or self._orphan):
            self._held.take(len(wrap[0]))
            self._wrapped = wrap[1]
        elif not final and self._marks.tail(text) == len(text):
            return False
        else:
            yield from self._settle()
            self._state = "answer"
        return True

    def _header(self, final: bool) -> Step:
        end = self._held.text.find(markers.HEADER_END)
        if 0 <= end <= LONGEST_HEADER:
            header = self._held.text[:end]
            self._held.take(end + len(markers.HEADER_END))
            self._begin_message(header)
            return True
        if end < 0 and len(self._held.text) <= LONGEST_HEADER and not final:
            return False
        self._state = "answer" if self._before in ("start", "turn") else self._before
        yield from self._say(self._held.text.index(">") + 1)
        return True

    def _text(self, final: bool) -> Step:
        if self._skip and not self._skipped(final):
            return False
        mark = self._marks.mark.search(self._held.text)
        if not mark:
            tail = 0 if final else self._marks.tail(self._held.text)
            yield from self._say(self._held.before(len(self._held.text) - tail) if tail else len(self._held.text))
            return False
        yield from self._say(mark.start())
        if len(mark[0]) == len(self._held.text) and not final:
            return False  # what stands behind a mark tells whether it is one
        yield from self._meet(str(mark.lastgroup), mark[0])
        return True

    def _skipped(self, final: bool) -> bool:
        """Drop what stands between a mark and the text; False while there may be more of it."""
        self._held.strip()
        if self._label and (label := self._marks.label.match(self._held.text)):
            self._held.take(label.end())
            self._held.strip()
        elif self._label and not final and markers.LABEL.startswith(self._held.text):
            return False
        self._label = self._label and not self._held.text
        return bool(self._held.text)

    # --- marks -------------------------------------------------------------------------------------------------------

    def _meet(self, kind: str, mark: str) -> Iterator[Found]:
        """Take a mark that stands at the beginning of what is held for what it is."""
        thinking, answer = self._state == "thinking", self._state == "answer"
        after = self._held.text[len(mark) : len(mark) + 1]
        named = thinking and not self._inside  # a mark opened the thought, so the next one closes it
        about = self._context.quotes(after) if named else self._context.mentions(after)
        unwrap = kind == "unwrap" and mark == self._wrapped
        many = answer and kind == "close" and self._revisions >= MOST_REVISIONS
        if about or many or (kind == "unwrap" and not unwrap) or (mark == "</s>" and self._context.struck):
            yield from self._say(len(mark))
        elif kind == "head":
            self._before, self._state = self._state, "header"
        elif unwrap or (kind == "stop" and not (thinking and mark == "<|end|>")):
            self._stops.append((mark, self._held.take(len(mark))[0][1]))
        elif answer and kind == "open":
            yield from self._say(len(mark), mark=True)
        else:
            self._held.take(len(mark))
            self._orphan = mark if answer and kind == "close" else ""
            if kind != "open" and not (kind == "wrap" and answer):
                self._turn_over()

    def _begin_message(self, header: str) -> None:
        """Go on as the header of a message says: thinking, answer, or something for a tool."""
        found = [pattern.search(header) for pattern in (_RECIPIENT, _CHANNEL, _ROLE)]
        to, channel, role = (each[1] if each else "" for each in found)
        if to not in ("", "self", "user") or role not in ("", "assistant"):
            self._state, self.hidden, self._stops = "hidden", True, []
        elif to == "self" or channel in ("analysis", "thought", "think"):
            self._open(header)
        else:
            self._join = self.answered and self._explicit
            self._orphan = header if self.answered and not self._explicit else self._orphan
            self._state, self._explicit = self._before, True
            self._turn_over()

    def _open(self, mark: str, unsure: bool = False) -> None:
        self._state, self._unsure = "thinking", unsure and not self._inside
        self._skip, self._label = True, mark in markers.LABELLED
        self._stops, self._thought, self.thought = [], Trimmed(), False

    def _turn_over(self) -> None:
        """A thought has ended, or a new message begins."""
        if self._state == "thinking":
            self.part, self.answered = self.part + 1, False
        self._state, self._unsure, self._wrapped = "turn", False, ""
        self._stops, self._thought, self._skip = [], Trimmed(), False

    def _settle(self) -> Iterator[Found]:
        """If a closing mark came alone and the text goes on, what stood before it was a thought."""
        if self._orphan:
            yield Recast(self.part, reasoning=True)
            self.part, self._orphan, self.answered = self.part + 1, "", False
            self._revisions += 1

    # --- text --------------------------------------------------------------------------------------------------------

    def _say(self, length: int, mark: bool = False) -> Iterator[Found]:
        """The first characters of what is held, as text of what this part is."""
        taken = self._held.take(length)
        for text, stamp in [("".join(text for text, _ in taken), taken[0][1])] if mark else taken:
            self._skip = False
            if self._stops and not text.strip():
                self._stops.append((text, stamp))
            elif self._state != "hidden":
                stops, self._stops = self._stops, []
                for each in (*stops, (text, stamp)):
                    yield from self._piece(*each, mark)

    def _piece(self, text: str, stamp: Stamp, mark: bool = False) -> Iterator[Piece]:
        if self._state == "thinking":
            self._context.pass_by(text)
            self.thought = self.thought or bool(text.strip())
            yield from (Piece(each[0], True, each[1], self.part) for each in self._thought.add(text, stamp))
            return
        if self._join:
            self._join = False
            yield Piece("\n\n", False, Stamp(stamp.at_s), self.part)
        self._context.add(text)
        self.answered = True
        yield Piece(text, False, stamp, self.part, mark)
