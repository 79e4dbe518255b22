"""Knows how two models answer one prompt: who runs when, and what is known at each moment. Knows no engine and no page.

One reader per side: reading two streams from one loop would stamp the fast side at the slow side's pace.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from contextvars import copy_context
from dataclasses import replace

from playground.answer import (
    AnswerState,
    Change,
    Contended,
    Failed,
    Held,
    Measured,
    Ready,
    Stopped,
    collide,
    stopped,
)
from playground.engines.base import MemoryWatch, interfered, noticed, text_counter, threads_of
from playground.entrant import Entrant, Lane
from playground.errors import PlaygroundError, PromptError
from playground.line import Line
from playground.masking import mask
from playground.types import SIDES, Answer, Comparison, Delta, Finished, Interference, Memory, Pacing, Side, other

log = logging.getLogger(__name__)

HEARTBEAT_S = 0.4
"""A snapshot at least this often, changed or not: whoever iterates can only stop between two of them."""

WATCH_EVERY_S = 0.25
"""How soon it is seen that nobody waits for the answers any more."""

MEMORY_EVERY_S = 0.5
MEMORY_SHARE = 0.01
"""Reading a process's memory walks its page tables, 20 ms a gigabyte: the watcher does it, never a reader, and for at
most this share of the time, for the core it takes is one that a model answers on."""

LAST_READING_S = 1.0
"""No longer than this for them: a model whose load was stopped goes on loading, and its thread with it."""


class Race:
    """One prompt, one or two engines (one: a retry, with the other side's answer kept from `kept`).

    `device` is held while something local loads or answers, so that comparisons of several visitors do not distort
    each other. Iterate `snapshots()` once; leaving that loop in any way stops all work. `account` is given the end.
    """

    def __init__(
        self,
        entrants: Mapping[Side, Entrant],
        pacing: Pacing,
        first_side: Side = "left",
        *,
        kept: Comparison | None = None,
        device: Line | None = None,
        account: Callable[[Comparison], object] = lambda done: None,
    ) -> None:
        self._lanes = {side: Lane(entrant) for side, entrant in entrants.items()}
        self._account = account
        self._device = device or Line()
        self._lock = threading.RLock()
        self._changed, self._worked = threading.Event(), threading.Event()
        self.ended = threading.Event()
        self.now = Comparison(
            battle_id=str(uuid.uuid4()),
            pacing=pacing,
            first_side=first_side,
            left=self._start_of("left", kept),
            right=self._start_of("right", kept),
        )
        self._states = {side: AnswerState(self.now.side(side), self._counter(side)) for side in SIDES}

    def _counter(self, side: Side) -> Callable[[str], int | None]:
        return text_counter(self._lanes[side].entrant.engine) if side in self._lanes else lambda text: None

    def _start_of(self, side: Side, kept: Comparison | None) -> Answer:
        if side in self._lanes:
            entrant = self._lanes[side].entrant
            engine = entrant.engine
            return Answer(
                engine.spec.key,
                notice=entrant.notice,
                images_sent=entrant.images(),
                elsewhere=not engine.local,
                threads=threads_of(engine),
            )
        if kept is None:
            raise ValueError(f"a race without a {side} entrant needs the comparison that holds its answer")
        return kept.side(side)

    def most_tokens(self, side: Side) -> int | None:
        """How long that side's answer may be, as it was asked for; None for no limit."""
        return self._lanes[side].entrant.sampling.max_tokens

    def start(self, wanted: Callable[[], bool] = lambda: True, at_end: Callable[[], object] = lambda: None) -> None:
        """Begin; call it once. When `wanted` says that nobody waits for the answers any more, all work stops. `at_end`
        is called once when both sides have ended."""
        _thread(self._watch, wanted, at_end, name="race").start()

    def look(self) -> Comparison:
        """The comparison as it is now; the same object until something changes. From any thread."""
        with self._lock:
            self._settle()
            return self.now

    def stop(self, side: Side | None = None) -> None:
        """Stop one side, or both. From any thread; a side that has ended stays as it is."""
        for name, lane in self._lanes.items():
            if side in (None, name):
                lane.stopping.set()
                if lane.stream:
                    lane.stream.close()
                else:  # it waits for its turn or its model: its thread is busy, but the person need not wait for that
                    self._post(name, Stopped())

    def snapshots(self, every_s: Callable[[], float] = lambda: 1 / 15) -> Iterator[Comparison]:
        """Begin, and give the comparison as it grows; the last one is final. `every_s` gives the pause before each, in
        seconds. Leaving the loop in any way stops all work."""
        self.start()
        try:
            while not self.look().final:
                yield self.now
                self._changed.clear()
                until = time.monotonic() + max(every_s(), 0.005)
                self._changed.wait(max(until - time.monotonic(), HEARTBEAT_S))
                if not self.look().final:
                    time.sleep(max(0.0, until - time.monotonic()))
            self.ended.wait(LAST_READING_S)  # the last readings of memory come after the last text
            yield self.look()
        finally:
            self.stop()

    # -- what has come so far --

    def _post(self, side: Side, change: Change) -> None:
        with self._lock:
            self._states[side].apply(change)
            if not isinstance(change, Delta):  # those come by the hundred, and alone they change nobody's state
                self._settle()
        self._changed.set()

    def _settle(self) -> None:
        """Work out live figures, and whether the two sides stood in each other's way. Holds the lock."""
        left, right = (self._states[side].snapshot() for side in SIDES)
        if self._share_device() and collide(left, right):
            for side in SIDES:
                self._states[side].apply(Contended())
            left, right = (self._states[side].snapshot() for side in SIDES)
        if left is not self.now.left or right is not self.now.right:
            self.now = replace(self.now, left=left, right=right)

    def _share_device(self) -> bool:
        alone = len(self._lanes) < len(SIDES) or self.now.pacing == "in_turn"
        return not alone and all(lane.entrant.engine.local for lane in self._lanes.values())

    # -- watcher: one thread for the race, which outlives its readers --

    def _watch(self, wanted: Callable[[], bool], at_end: Callable[[], object]) -> None:
        """Follow the work until both sides have ended, whatever happens."""
        _thread(self._run, name="race work").start()
        try:
            self._follow(wanted)
        finally:
            for side in self._lanes if self._worked.is_set() else ():
                self._post(
                    side, Failed("Something unexpected happened; the app's log has the details.")
                )  # if not final
            self._account(self.look())
            self.ended.set()
            self._changed.set()
            at_end()

    def _follow(self, wanted: Callable[[], bool]) -> None:
        """Read memory until both sides have ended, and end them when nobody waits for them."""
        memory_at = time.monotonic() + MEMORY_EVERY_S
        while not self._worked.wait(WATCH_EVERY_S) and not self.look().final:
            if not wanted():
                self.stop()
            elif time.monotonic() >= memory_at:
                memory_at = self._look_at_memory()
        self._worked.wait(LAST_READING_S)
        self.look()

    def _look_at_memory(self) -> float:
        """Read what both hold; returns when to do so next."""
        began_s = time.monotonic()
        for side, lane in self._lanes.items():
            if lane.watch and not self._states[side].final:
                self._post(side, _measured(lane.watch))
        now_s = time.monotonic()
        return now_s + max(MEMORY_EVERY_S, (now_s - began_s) / MEMORY_SHARE)

    # -- work: a thread that runs the sides, and one reader per side where they run together --

    def _run(self) -> None:
        try:
            self._run_sides()
        finally:
            self._worked.set()

    def _run_sides(self) -> None:
        if self.now.pacing == "in_turn":
            for side in (self.now.first_side, other(self.now.first_side)):
                if side in self._lanes:
                    self._fetch(side)
                    with self._machine(side):
                        self._answer(side)
            return
        self._both(self._fetch)
        with self._machine(*self._lanes):
            self._both(self._answer)

    def _both(self, work: Callable[[Side], None]) -> None:
        """Do that for both sides at the same time, to the end."""
        threads = [_thread(work, side) for side in self._lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @contextmanager
    def _machine(self, *sides: Side) -> Iterator[None]:
        """Hold the device while these sides run, if one of them is local. A stopped side no longer waits for it."""
        lanes = [self._lanes[side] for side in sides]
        if not any(lane.entrant.engine.local and not lane.failed for lane in lanes):
            yield
            return
        with self._device.place(
            lambda ahead: self._post_all(sides, Held(ahead)),
            lambda: all(lane.stopping.is_set() or lane.failed for lane in lanes),
        ):
            yield

    def _post_all(self, sides: tuple[Side, ...], change: Change) -> None:
        for side in sides:
            self._post(side, change)

    def _fetch(self, side: Side) -> None:
        """Bring one side's weights here: that takes the network, not the machine."""
        lane = self._lanes[side]
        with self._failing(side, lane):
            if lane.entrant.refusal:
                raise PromptError(lane.entrant.refusal)
            with closing(lane.entrant.fetch()) as fetching:
                for loading in fetching:
                    self._post(side, loading)
                    if lane.stopping.is_set():
                        return

    def _answer(self, side: Side) -> None:
        """Read one side to its end."""
        lane = self._lanes[side]
        if lane.failed:
            return
        with self._failing(side, lane):
            with self._place(side, lane), lane.entrant.using():
                last = self._prepare(side, lane) and self._read(side, lane)
            self._post(side, last if last else Stopped())

    @contextmanager
    def _failing(self, side: Side, lane: Lane) -> Iterator[None]:
        """What the engine raises becomes this side's error, never the other's."""
        try:
            yield
        except PlaygroundError as error:
            lane.failed = True
            self._post(side, Failed(str(error)))
        except Exception as error:  # the edge of a thread: a bug in one side must not hurt the other
            log.exception("%s: unexpected error", lane.entrant.engine.spec.key)
            lane.failed = True
            self._post(
                side, Failed(f"Something unexpected happened ({mask(str(error))}); the app's log has the details.")
            )

    def _place(self, side: Side, lane: Lane) -> AbstractContextManager[object]:
        """Hold one of the places of this side's server, if it has only so many. A stopped side waits no longer."""
        line = lane.entrant.line
        if line is None:
            return nullcontext()
        return line.place(lambda ahead: self._post(side, Held(ahead, server=True)), lane.stopping.is_set)

    def _prepare(self, side: Side, lane: Lane) -> bool:
        """Load the model if need be; False when a person stopped waiting for it (the load itself goes on)."""
        if lane.stopping.is_set():
            return False
        started_s, loaded = time.monotonic(), False
        for loading in lane.entrant.engine.prepare():
            loaded = True
            self._post(side, loading)
            if lane.stopping.is_set():
                return False
        engine, took_s = lane.entrant.engine, time.monotonic() - started_s
        self._post(side, Ready(took_s if loaded else None, engine.cold(), noticed(engine)))
        return not lane.stopping.is_set()

    def _read(self, side: Side, lane: Lane) -> Finished | None:
        """Pass the stream's events on; returns the last one, or None when the stream was closed by a person."""
        lane.watch = lane.entrant.engine.watch_memory()
        lane.stream = lane.entrant.engine.stream(lane.entrant.messages, lane.entrant.sampling)
        try:
            with lane.stream:
                if lane.stopping.is_set():  # stopped between the check above and the stream's birth
                    return None
                for event in lane.stream:
                    if isinstance(event, Finished):
                        return event
                    self._post(side, event)
            return None
        finally:
            self._post(side, _measured(lane.watch))


def _thread(work: Callable[..., None], *args: object, name: str | None = None) -> threading.Thread:
    """A thread that knows on whose behalf it works: who lends a GPU asks the context of the visitor's request."""
    return threading.Thread(target=copy_context().run, args=(work, *args), name=name, daemon=True)


def _measured(watch: MemoryWatch) -> Measured:
    """What the watch says; a process that has just died must not take the answer, or the other side, with it."""
    try:
        return Measured(watch.read(), interfered(watch))
    except Exception:  # a figure is not worth an answer
        log.exception("what a model holds could not be read")
        why = "it could not be read; the app's log has the details"
        return Measured(Memory(reason=why), Interference(reason=why))


def halted(comparison: Comparison) -> Comparison:
    """The comparison with every unfinished side stopped, for when nobody follows its race any more."""
    return replace(comparison, left=stopped(comparison.left), right=stopped(comparison.right))
