"""Knows what one browser tab is doing: its conversation, its race, its vote. Knows no component.

A tab is known by Gradio's session hash; two tabs of one person are two visits and do not disturb each other.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from playground import asking, images, votes
from playground.compare import Race, halted
from playground.errors import PromptError, VoteError
from playground.parts import Parts, Question
from playground.types import SIDES, Comparison, Message, ModelSpec, Pacing, Prompt, Sampling, Side, Vote, Winner
from playground.votes import Receipt


def _no_history() -> dict[Side, tuple[Message, ...]]:
    return {"left": (), "right": ()}


@dataclass(frozen=True, slots=True)
class Ask:
    """What a person asked for when they pressed Send. `system` and `sampling` are by side."""

    prompt: Prompt
    models: Mapping[Side, str]
    pacing: Pacing
    system: Mapping[Side, str]
    sampling: Mapping[Side, Sampling]


@dataclass(frozen=True, slots=True)
class Cast:
    """A vote that is on disk, with what became of it."""

    vote: Vote
    specs: Mapping[Side, ModelSpec]
    receipt: Receipt


@dataclass
class Visit:
    """One tab. Its race runs in the handler that started it; other handlers only stop or read it.

    `voter` is what its votes are signed with. `clock` never jumps, in seconds.
    """

    parts: Parts
    voter: str = ""
    clock: Callable[[], float] = time.monotonic
    ask: Ask | None = None
    message: Message | None = None
    comparison: Comparison | None = None
    cast: Cast | None = None
    histories: dict[Side, tuple[Message, ...]] = field(default_factory=_no_history)
    turn: int = 0
    _race: Race | None = None
    _waiting: Race | None = None
    _ended_s: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def winner(self) -> Winner | None:
        """How the comparison that is shown was voted on, if it was."""
        return self.cast.vote.winner if self.cast else None

    def start(self, ask: Ask) -> None:
        """Make a race for a new prompt, which waits for `follow`. Raises PlaygroundError; then nothing has changed."""
        message = Message("user", ask.prompt.text, tuple(images.prepare(path) for path in ask.prompt.images))
        with self._lock:
            self._refuse_while_running()
            same_models = self.ask is not None and self.ask.models == ask.models
            histories = self._with_last_turn() if same_models else _no_history()
            race = self._race_of(ask, message, histories, SIDES)
            self.turn = self.turn + 1 if same_models else 1
            self.ask, self.message, self.histories, self.cast = ask, message, histories, None
            self._take(race)

    def retry(self, side: Side) -> None:
        """Make a race of one side with the same prompt; the other side's answer stays. Raises PlaygroundError."""
        with self._lock:
            self._refuse_while_running()
            if not (self.ask and self.message and self.comparison):
                raise PromptError("There is nothing to retry yet. Ask something first.")
            if self.cast:
                raise PromptError("You have voted on this comparison, so it stays as it is. Ask again instead.")
            race = self._race_of(self.ask, self.message, self.histories, (side,), self.comparison)
            self._take(race)

    def _take(self, race: Race) -> None:
        self._race = self._waiting = race
        self.comparison, self._ended_s = race.now, None

    def follow(self, every_s: Callable[[], float]) -> Iterator[Comparison]:
        """Run the race that waits, if one does: its snapshots, kept here too. The race ends with this iterator."""
        with self._lock:
            race, self._waiting = self._waiting, None
        if race is None:
            return
        try:
            for now in race.snapshots(every_s):
                self._see(now)
                yield now
        finally:
            race.stop()
            self._see(halted(self.comparison or race.now))

    def _see(self, now: Comparison) -> None:
        self.comparison = now
        if now.final and self._ended_s is None:
            self._ended_s = self.clock()

    def stop(self, side: Side | None = None) -> None:
        """Stop one side or both; does nothing when nothing runs."""
        if self._race:
            self._race.stop(side)

    def vote(self, winner: Winner, reason: str = "") -> Receipt:
        """Store the vote on the comparison that is shown. Raises VoteError, and then nothing was stored."""
        with self._lock:
            if not (self.ask and self.message and self.comparison):
                raise VoteError("There is nothing to vote on yet. Ask something first.")
            specs = {side: self.parts.catalog.row(self.comparison.side(side).model) for side in SIDES}
            vote = self._vote(winner, reason, self.ask, self.message, self.comparison, specs)
            receipt = self.parts.book.append(vote, specs)
            self.cast = Cast(vote, specs, receipt)
            return receipt

    def _vote(
        self,
        winner: Winner,
        reason: str,
        ask: Ask,
        message: Message,
        comparison: Comparison,
        specs: Mapping[Side, ModelSpec],
    ) -> Vote:
        return votes.new(
            winner,
            comparison,
            prompt=ask.prompt.text,
            prompt_id=ask.prompt.id,
            system=ask.system["left"] if len(set(ask.system.values())) == 1 else "\n---\n".join(ask.system.values()),
            image_sha256=tuple(image.sha256 for image in message.images),
            turn=self.turn,
            sampling={side: asking.merge(ask.sampling[side], specs[side].sampling) for side in SIDES},
            voter=self.voter,
            decision_s=None if self._ended_s is None else self.clock() - self._ended_s,
            reason=reason,
        )

    def forget(self) -> None:
        """Start a new conversation."""
        with self._lock:
            self._refuse_while_running()
            self.ask = self.message = self.comparison = self.cast = self._race = self._waiting = None
            self.histories, self.turn = _no_history(), 0

    def _refuse_while_running(self) -> None:
        if self.comparison and not self.comparison.final:
            raise PromptError("Both answers are not finished yet. Wait for them, or press Stop.")

    def _with_last_turn(self) -> dict[Side, tuple[Message, ...]]:
        """Each side's history with what it was asked and said last. A side that said nothing forgets the question:
        chat templates want user and assistant in turn."""
        if not (self.message and self.comparison):
            return dict(self.histories)
        grown = dict(self.histories)
        for side in SIDES:
            answer = self.comparison.side(side)
            if answer.text:
                grown[side] = (*grown[side], self.message, Message("assistant", answer.text))
        return grown

    def _race_of(
        self,
        ask: Ask,
        message: Message,
        histories: Mapping[Side, tuple[Message, ...]],
        sides: tuple[Side, ...],
        kept: Comparison | None = None,
    ) -> Race:
        questions = {
            side: Question(ask.models[side], histories[side], ask.system[side], ask.sampling[side]) for side in sides
        }
        return self.parts.race(message, questions, ask.pacing, kept=kept)


class Visitors:
    """All visits by session hash."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._visits: dict[str, Visit] = {}
        self._lock = threading.Lock()
        self._salt = secrets.token_bytes(32)  # of this process: a tab never outlives it

    def of(self, session: str | None) -> Visit:
        """The visit of that tab, begun now if it is new."""
        with self._lock:
            if (session or "") not in self._visits:
                self._visits[session or ""] = Visit(self._parts, self._voter(session))
            return self._visits[session or ""]

    def _voter(self, session: str | None) -> str:
        """A name for votes that tells one tab from another and leads back to neither; "" for a tab without a session,
        whose votes then cannot be checked."""
        return hashlib.blake2b(session.encode(), key=self._salt, digest_size=16).hexdigest() if session else ""

    def leave(self, session: str | None) -> None:
        """The tab was closed: its work stops and it is forgotten."""
        with self._lock:
            visit = self._visits.pop(session or "", None)
        if visit:
            visit.stop()
