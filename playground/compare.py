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
from queue import Empty, SimpleQueue

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
from playground.engines.base import MemoryWatch, interfered, noticed, threads_of
from playground.entrant import Entrant, Lane
from playground.errors import PlaygroundError, PromptError
from playground.line import Line
from playground.types import SIDES, Answer, Comparison, Finished, Interference, Memory, Pacing, Side, other

log = logging.getLogger(__name__)

HEARTBEAT_S = 0.4
"""A snapshot at least this often, changed or not: a page can only be stopped between two of them."""

MEMORY_EVERY_S = 0.5
MEMORY_SHARE = 0.01
"""Reading a process's memory walks its page tables, 20 ms a gigabyte: the watcher does it, never a reader, and for at
most this share of the time, for the core it takes is one that a model answers on."""

LAST_READING_S = 1.0
"""No longer than this for them: a model whose load was stopped goes on loading, and its thread with it."""


class Race:
    """One prompt, one or two engines (one: a retry, with the other side's answer kept from `kept`).

    `device` is held while something local loads or answers, so that comparisons of several visitors do not distort
    each other. Iterate `snapshots()` once; leaving that loop in any way stops all work.
    """

    def __init__(
        self,
        entrants: Mapping[Side, Entrant],
        pacing: Pacing,
        first_side: Side = "left",
        *,
        kept: Comparison | None = None,
        device: Line | None = None,
    ) -> None:
        self._lanes = {side: Lane(entrant) for side, entrant in entrants.items()}
        self._device = device or Line()
        self._changes: SimpleQueue[tuple[Side, Change]] = SimpleQueue()
        self.now = Comparison(
            battle_id=str(uuid.uuid4()),
            pacing=pacing,
            first_side=first_side,
            left=self._start_of("left", kept),
            right=self._start_of("right", kept),
        )
        self._states = {side: AnswerState(self.now.side(side)) for side in SIDES}

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

    def stop(self, side: Side | None = None) -> None:
        """Stop one side, or both. From any thread; a side that has ended stays as it is."""
        for name, lane in self._lanes.items():
            if side in (None, name):
                lane.stopping.set()
                if lane.stream:
                    lane.stream.close()
                else:  # it waits for its turn or its model: its thread is busy, but the person need not wait for that
                    self._changes.put((name, Stopped()))

    def snapshots(self, every_s: Callable[[], float] = lambda: 1 / 15) -> Iterator[Comparison]:
        """The comparison as it grows; the last one is final. `every_s` gives the pause before each, in seconds."""
        runner = _thread(self._run, name="race")
        runner.start()
        memory_at = time.monotonic() + MEMORY_EVERY_S
        try:
            while not self.now.final:
                yield self.now
                self._take(max(every_s(), 0.005))
                if time.monotonic() >= memory_at and not self.now.final:
                    memory_at = self._look_at_memory()
            runner.join(LAST_READING_S)  # the last readings of memory come after the last text
            self._drain()
            yield self.now
        finally:
            self.stop()

    # -- watcher: the thread that iterates snapshots() --

    def _take(self, pause_s: float) -> None:
        """Wait for changes, then for the rest of the pause, and apply all that have come."""
        until = time.monotonic() + pause_s
        try:
            self._apply(*self._changes.get(timeout=max(pause_s, HEARTBEAT_S)))
        except Empty:
            return self._settle()
        self._drain()
        rest_s = until - time.monotonic()
        if rest_s > 0 and not self.now.final:
            time.sleep(rest_s)
        return self._drain()

    def _drain(self) -> None:
        while not self._changes.empty():
            self._apply(*self._changes.get_nowait())
        self._settle()

    def _apply(self, side: Side, change: Change) -> None:
        self._states[side].apply(change)

    def _settle(self) -> None:
        """Work out live figures, and whether the two sides stood in each other's way."""
        left, right = (self._states[side].snapshot() for side in SIDES)
        if self._share_device() and collide(left, right):
            for side in SIDES:
                self._states[side].apply(Contended())
            left, right = (self._states[side].snapshot() for side in SIDES)
        self.now = replace(self.now, left=left, right=right)

    def _share_device(self) -> bool:
        alone = len(self._lanes) < len(SIDES) or self.now.pacing == "in_turn"
        return not alone and all(lane.entrant.engine.local for lane in self._lanes.values())

    def _look_at_memory(self) -> float:
        """Read what both hold; returns when to do so next."""
        began_s = time.monotonic()
        for side, lane in self._lanes.items():
            if lane.watch and not self.now.side(side).final:
                self._apply(side, _measured(lane.watch))
        self._settle()
        now_s = time.monotonic()
        return now_s + max(MEMORY_EVERY_S, (now_s - began_s) / MEMORY_SHARE)

    # -- runner: one thread for the race, and one reader per side --

    def _run(self) -> None:
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
            lambda ahead: self._post_all(sides, Held(ahead)), lambda: all(lane.stopping.is_set() for lane in lanes)
        ):
            yield

    def _post_all(self, sides: tuple[Side, ...], change: Change) -> None:
        for side in sides:
            self._changes.put((side, change))

    def _fetch(self, side: Side) -> None:
        """Bring one side's weights here: that takes the network, not the machine."""
        lane = self._lanes[side]
        with self._failing(side, lane):
            if lane.entrant.refusal:
                raise PromptError(lane.entrant.refusal)
            with closing(lane.entrant.fetch()) as fetching:
                for loading in fetching:
                    self._changes.put((side, loading))
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
            self._changes.put((side, last if last else Stopped()))

    @contextmanager
    def _failing(self, side: Side, lane: Lane) -> Iterator[None]:
        """What the engine raises becomes this side's error, never the other's."""
        try:
            yield
        except PlaygroundError as error:
            lane.failed = True
            self._changes.put((side, Failed(str(error))))
        except Exception as error:  # the edge of a thread: a bug in one side must not hurt the other
            log.exception("%s: unexpected error", lane.entrant.engine.spec.key)
            lane.failed = True
            self._changes.put(
                (side, Failed(f"Something unexpected happened ({error}); the app's log has the details."))
            )

    def _place(self, side: Side, lane: Lane) -> AbstractContextManager[object]:
        """Hold one of the places of this side's server, if it has only so many. A stopped side waits no longer."""
        line = lane.entrant.line
        if line is None:
            return nullcontext()
        return line.place(lambda ahead: self._changes.put((side, Held(ahead, server=True))), lane.stopping.is_set)

    def _prepare(self, side: Side, lane: Lane) -> bool:
        """Load the model if need be; False when a person stopped waiting for it (the load itself goes on)."""
        if lane.stopping.is_set():
            return False
        started_s, loaded = time.monotonic(), False
        for loading in lane.entrant.engine.prepare():
            loaded = True
            self._changes.put((side, loading))
            if lane.stopping.is_set():
                return False
        engine, took_s = lane.entrant.engine, time.monotonic() - started_s
        self._changes.put((side, Ready(took_s if loaded else None, engine.cold(), noticed(engine))))
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
                    self._changes.put((side, event))
            return None
        finally:
            self._changes.put((side, _measured(lane.watch)))


def _thread(work: Callable[..., None], *args: Side, name: str | None = None) -> threading.Thread:
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
