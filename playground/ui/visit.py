"""Knows what one browser tab is doing: its conversation, its race, its vote. Knows no component.

A tab is known by Gradio's session hash; two tabs of one person are two visits and do not disturb each other.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from playground import arena, asking, blind, images
from playground.compare import Race, halted
from playground.errors import ForbiddenError, PlaygroundError, PromptError, VoteError
from playground.parts import Parts, Question
from playground.policy import OWNER, Person
from playground.types import SIDES, Comparison, Message, ModelSpec, Side, Winner
from playground.ui import casting
from playground.ui.casting import Ask, Cast
from playground.ui.turns import NOTHING, Histories, grown
from playground.votes import Receipt

UNDO_S = 600.0
"""How long a vote can be taken back from the page."""
HELD_EVERY_S = 0.5
"""While answers are held back the page is updated at a steady beat: its rhythm, too, would tell who is quick."""
SPARING_EVERY_S = 0.25
"""Between updates while models of this machine answer one at a time: every update takes computing time from them."""
UNWATCHED_S = 15.0
"""How long answers go on while no page follows them, which is time enough to reload it. Then the tab was closed."""
MOST_VISITS = 2_000
"""Conversations kept. The one not used longest is forgotten first, never one that is running."""


@dataclass
class Visit:
    """One tab. Its race runs in threads of its own, as long as a page follows it; handlers stop and read it.

    `ticket` opens `feed`, the page's live updates; `earlier_ticket` may be all that a page knew when it was loaded
    again. `shown_as` is the ticket that a vote must name, "" while nothing of a new race is shown. `voter` is what its
    votes are signed with. `clock` never jumps, in seconds. `cast` is the vote on the comparison that is shown, `last`
    the latest vote that was not taken back. `revealed`: the models of a blind comparison are known, which no undo
    undoes. `rates` are those at which the hidden pair was drawn.
    """

    parts: Parts
    voter: str = ""
    clock: Callable[[], float] = time.monotonic
    ask: Ask | None = None
    message: Message | None = None
    ticket: str = ""
    earlier_ticket: str = ""
    shown_as: str = ""
    feed: object = None
    cast: Cast | None = None
    last: Cast | None = None
    revealed: bool = False
    rates: arena.Rates = field(default_factory=dict)
    histories: Histories = field(default_factory=lambda: NOTHING)
    turn: int = 0
    _race: Race | None = None
    _watchers: int = 0
    _watched_s: float = 0.0
    _watching: threading.Lock = field(default_factory=threading.Lock)
    _final: tuple[Race, float] | None = None
    _corrects: str = ""
    _pictured: bool = False
    _spoiled: bool = False
    _replaced: dict[Side, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def comparison(self) -> Comparison | None:
        """The comparison as it is now."""
        race, final = self._race, self._final
        if race is None:
            return None
        now = race.look()
        if now.final and (final is None or final[0] is not race):
            self._final = (race, self.clock())
        return now

    @property
    def _ended_s(self) -> float | None:
        """When both sides of the race had ended, on the visit's clock."""
        return self._final[1] if self._final and self._final[0] is self._race else None

    @property
    def ended(self) -> bool:
        """Nothing more comes by itself: both sides have ended, with their last reading of memory."""
        race = self._race
        return race is None or race.ended.is_set()

    @property
    def update_every_s(self) -> float | None:
        """Seconds between updates of the page; None for as often as the app can. Blind, it must not tell which models
        run on this machine, so it follows from what the person chose alone."""
        ask = self.ask
        if ask and ask.hold:
            return HELD_EVERY_S
        if ask is None or ask.pacing != "in_turn":
            return None
        local = ask.blind or any(self.parts.catalog.row(key).local for key in ask.models.values())
        return SPARING_EVERY_S if local else None

    @property
    def winner(self) -> Winner | None:
        """How the comparison that is shown was voted on, if it was."""
        return self.cast.vote.winner if self.cast else None

    @property
    def sealed(self) -> bool:
        """Which model is which must not leave the server."""
        return bool(self.ask and self.ask.blind and not self.revealed)

    @property
    def judged(self) -> bool:
        """The comparison was voted on, be it that the vote was taken back: its answers stay as they are."""
        return bool(self.cast or self._corrects)

    @property
    def view(self) -> tuple[Comparison, bool] | None:
        """The comparison as the browser may know it (there is no other way for one to get there); are names sealed?"""
        while ask := self.ask:
            sealed, judged = ask.blind and not self.revealed, self.judged
            now = self.comparison
            if self.ask is not ask:  # something else was asked meanwhile, which has a seal of its own
                continue
            if now is None:
                return None
            now = blind.sealed(now) if sealed else now
            return (blind.withheld(now) if ask.hold and not judged else now), sealed
        return None

    @property
    def shown(self) -> Comparison | None:
        """The comparison as the browser may know it."""
        view = self.view
        return view[0] if view else None

    @property
    def undoable(self) -> bool:
        """The latest vote can still be taken back."""
        return bool(self.last and self.clock() - self.last.at_s < UNDO_S)

    # -- asking --

    def start(self, ask: Ask, token: str = "", by: Person = OWNER) -> None:
        """Begin a race for a new prompt. Raises PlaygroundError; then nothing has changed.

        `token` is that of a visitor who signed in, `by` is who asks.
        """
        message = Message("user", ask.prompt.text, tuple(images.prepare(path) for path in ask.prompt.images))
        with self._lock:
            self._refuse_while_running()
            goes_on = self._goes_on(ask)
            histories = grown(self.histories, self.message, self.comparison) if goes_on else NOTHING
            ask, rates = self._seated(ask, message, histories, goes_on, by)
            race = self._race_of(ask, message, histories, SIDES, token=token, by=by)
            ask = ask if by.owner else _as_sent(ask, race, SIDES)
            self.turn = self.turn + 1 if goes_on else 1
            self._pictured = bool(message.images) or (goes_on and self._pictured)
            self._replaced = self._replaced if goes_on else {}
            self._spoiled = goes_on and self._was_broken()
            self.ask, self.message, self.histories, self.rates = ask, message, histories, rates
            self.cast, self.revealed, self._corrects = None, False, ""
            self._take(race)

    def _goes_on(self, ask: Ask) -> bool:
        """The conversation with the same two models goes on. A hidden pair stays until its vote."""
        if self.ask is None or self.ask.blind != ask.blind:
            return False
        return not self.revealed if ask.blind else self.ask.models == ask.models

    def _was_broken(self) -> bool:
        """A side failed or was stopped in this conversation, now or in an earlier turn or try: what the other one could
        answer tells a person which model is which."""
        now = self.comparison
        return self._spoiled or (now is not None and any(now.side(side).status != "done" for side in SIDES))

    def _seated(
        self, ask: Ask, message: Message, histories: Histories, goes_on: bool, by: Person
    ) -> tuple[Ask, arena.Rates]:
        """The ask with its hidden pair. What is refused here is refused whatever the pair is."""
        if not ask.blind:
            return ask, {}
        asking.checked(message.text, message.images)
        conversations = [asking.conversation(ask.system[side], histories[side], message) for side in SIDES]
        self.parts.arena.refuse_longer(max(map(asking.most_tokens, conversations)))
        if not (goes_on and self.ask):
            drawn = self.parts.arena.draw(bool(message.images), lambda spec: self.parts.may_ask(spec, by))
            return replace(ask, models=drawn.models), drawn.rates
        if message.images and not self._pictured:
            raise PromptError("A picture begins a new conversation with hidden models. Press New, then send it.")
        return replace(ask, models=self.ask.models), self.rates

    def retry(self, side: Side, token: str = "", by: Person = OWNER) -> None:
        """Begin a race of one side with the same prompt; the other side's answer stays. Raises PlaygroundError."""
        with self._lock:
            self._refuse_while_running()
            if not (self.ask and self.message and self.comparison):
                raise PromptError("There is nothing to retry yet. Ask something first.")
            if self.judged:
                raise PromptError("You have voted on this comparison, so it stays as it is. Ask again instead.")
            race = self._race_of(self.ask, self.message, self.histories, (side,), self.comparison, token, by)
            self._spoiled = self._was_broken()
            self.ask = self.ask if by.owner else _as_sent(self.ask, race, (side,))
            self._replaced[side] = f"{self._replaced.get(side, '')}\n{self.comparison.side(side).text}"
            self._take(race)

    def _take(self, race: Race) -> None:
        self._race, self._watched_s, self.shown_as = race, self.clock(), ""
        race.start(self._is_wanted, lambda: self.comparison)

    def _is_wanted(self) -> bool:
        """A page follows the race, or did a moment ago."""
        return self._watchers > 0 or self.clock() - self._watched_s < UNWATCHED_S

    def has_ticket(self, ticket: str) -> bool:
        """It is the page's ticket, or the one before it."""
        return ticket in (self.ticket, self.earlier_ticket)

    @property
    def is_watched(self) -> bool:
        """A page follows the race now."""
        return self._watchers > 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """A page follows the race for as long as the block runs."""
        with self._watching:  # of its own: the other one is held while a vote is written, and the event loop comes here
            self._watchers += 1
        try:
            yield
        finally:
            with self._watching:
                self._watchers -= 1
                self._watched_s = self.clock()

    def stop(self, side: Side | None = None) -> None:
        """Stop one side or both; does nothing when nothing runs."""
        if self._race:
            self._race.stop(side)

    # -- voting --

    def vote(self, winner: Winner, reason: str = "", ticket: str | None = None) -> Receipt:
        """Store the vote on the comparison that is shown; then, and not before, the models of a blind one are known.
        A vote on unfinished answers stops the loser. `ticket` is that of what the page shows, None for programs without
        a page. Raises VoteError, and then nothing was stored."""
        with self._lock:
            if ticket is not None and not (ticket and ticket == self.shown_as):
                raise VoteError("Something else has been asked since. Look at the new answers, then vote.")
            ask, message, now, shown = self.ask, self.message, self.comparison, self.shown
            if not (ask and message and now and shown):
                raise VoteError("There is nothing to vote on yet. Ask something first.")
            early = ask.early and not now.final
            if early and not all(shown.side(side).text for side in SIDES):
                raise VoteError("Vote when both sides have said something.")
            specs = {side: self.parts.catalog.row(now.side(side).model) for side in SIDES}
            vote = casting.vote(
                winner,
                halted(now) if early else now,
                ask,
                message,
                specs,
                turn=self.turn,
                voter=self.voter,
                blind=self.sealed,
                decision_s=None if self._ended_s is None else self.clock() - self._ended_s,
                reason=reason,
                supersedes=self._corrects,
            )
            receipt = self.parts.book.append(vote, specs, "; ".join(self._doubts(ask, early, specs)))
            self.cast = self.last = Cast(vote, specs, receipt, self.clock())
            self.revealed, self._corrects = True, ""
        for side in casting.LOSERS[winner] if early else ():
            self.stop(side)
        return receipt

    def _doubts(self, ask: Ask, early: bool, specs: Mapping[Side, ModelSpec]) -> Iterator[str]:
        """Why the vote is kept and not counted, as far as only the visit knows."""
        if early:
            yield "voted early"
        if ask.blind and self.revealed:
            yield "corrected after the reveal"
        if self.sealed and self._spoiled:
            yield "a side failed or was stopped earlier in this blind conversation"
        if self.sealed:
            yield from casting.leaks({side: self._said(side) for side in SIDES}, specs, self._asked(ask))

    def _said(self, side: Side) -> str:
        """All that this side has said to the person in this conversation."""
        said = [message.text for message in self.histories[side] if message.role == "assistant"]
        said += [self._replaced.get(side, ""), self.comparison.side(side).text if self.comparison else ""]
        return "\n".join(said)

    def _asked(self, ask: Ask) -> str:
        """All that the person has said in this conversation."""
        earlier = [message.text for side in SIDES for message in self.histories[side] if message.role != "assistant"]
        return "\n".join([*ask.system.values(), *earlier, self.message.text if self.message else ""])

    def undo(self) -> None:
        """Take the latest vote back, within ten minutes. What it revealed stays known. Raises VoteError."""
        with self._lock:
            if self.last is None:
                raise VoteError("There is no vote to take back.")
            if not self.undoable:
                raise VoteError(f"A vote can be taken back for {UNDO_S / 60:.0f} minutes; this one stays.")
            row = self.parts.book.take_back(self.last.vote, self.last.specs)
            if self.cast:
                self._corrects = row.vote_id
            self.cast = self.last = None

    # -- the conversation --

    def forget(self) -> None:
        """Start a new conversation."""
        with self._lock:
            self._refuse_while_running()
            self.ask = self.message = self.cast = self._race = None
            self.histories, self.turn, self._replaced = NOTHING, 0, {}
            self.revealed, self._corrects, self._pictured, self._spoiled = False, "", False, False

    def _refuse_while_running(self) -> None:
        if self.comparison and not self.comparison.final:
            raise PromptError("Both answers are not finished yet. Wait for them, or press Stop.")

    def _race_of(
        self,
        ask: Ask,
        message: Message,
        histories: Histories,
        sides: tuple[Side, ...],
        kept: Comparison | None = None,
        token: str = "",
        by: Person = OWNER,
    ) -> Race:
        questions = {
            side: Question(
                ask.models[side], histories[side], ask.system[side], ask.sampling[side], token, by, ask.blind
            )
            for side in sides
        }
        try:
            return self.parts.race(message, questions, ask.pacing, kept=kept)
        except PlaygroundError as error:
            if not ask.blind or isinstance(error, ForbiddenError):  # a budget knows no pair
                raise
            raise PromptError("This could not be sent to the hidden models. Press New and ask again.") from error


def _as_sent(ask: Ask, race: Race, sides: tuple[Side, ...]) -> Ask:
    """The ask with the limits that a visitor's budget set, so that a vote tells what was sent."""
    limits = {side: replace(ask.sampling[side], max_tokens=race.most_tokens(side)) for side in sides}
    return replace(ask, sampling={**ask.sampling, **limits})


class Visitors:
    """All visits by session hash, the latest used last."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._visits: OrderedDict[str, Visit] = OrderedDict()
        self._lock = threading.Lock()
        self._salt = secrets.token_bytes(32)  # of this process: a tab never outlives it

    def of(self, session: str | None) -> Visit:
        """The visit of that tab, begun now if it is new."""
        key = session or ""
        with self._lock:
            if key not in self._visits:
                self._visits[key] = Visit(self._parts, self._voter(session))
                self._prune()
            self._visits.move_to_end(key)
            return self._visits[key]

    def resume(self, ticket: str, session: str | None) -> Visit | None:
        """The visit with that ticket, which from now on belongs to this session: its page was loaded again. None where
        there is none, a page still follows it, or the session has asked something already."""
        with self._lock:
            found = next((each for each in self._visits.items() if ticket and each[1].has_ticket(ticket)), None)
            new = self._visits.get(session or "")
            if not (found and session) or found[1].is_watched or (new and new.ask):
                return None
            before, visit = found
            del self._visits[before]
            self._visits[session] = visit
            return visit

    def _voter(self, session: str | None) -> str:
        """A name for votes that tells one tab from another and leads back to neither; "" for a tab without a session,
        whose votes then cannot be checked."""
        return hashlib.blake2b(session.encode(), key=self._salt, digest_size=16).hexdigest() if session else ""

    def _prune(self) -> None:
        surplus = max(0, len(self._visits) - MOST_VISITS)
        for key in [key for key, visit in self._visits.items() if visit.ended][:surplus]:
            del self._visits[key]
