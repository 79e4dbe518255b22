"""Who came first goes in first, everybody knows their position, and nobody is forgotten."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import pytest

from playground.line import Line
from tests.patience import LIMIT_S, eventually


class Guest(threading.Thread):
    """Waits in a line, stays inside until sent away, and keeps what it was told."""

    def __init__(self, line: Line, name: str, order: list[str]) -> None:
        super().__init__(name=name, daemon=True)
        self.line, self.order = line, order
        self.told: list[int] = []
        self.waits, self.inside = threading.Event(), threading.Event()
        self.leave, self.give_up = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with self.line.place(self.hear, self.give_up.is_set) as got:
            if got:
                self.order.append(self.name)
                self.inside.set()
                assert self.leave.wait(LIMIT_S)

    def hear(self, ahead: int) -> None:
        self.told.append(ahead)
        self.waits.set()


def test_those_who_wait_go_in_one_after_the_other_in_the_order_in_which_they_came() -> None:
    line, order = Line(1), list[str]()
    guests = [Guest(line, "0", order)]
    assert guests[0].inside.wait(LIMIT_S)
    for number in range(1, 5):
        guests.append(Guest(line, str(number), order))
        assert guests[-1].waits.wait(LIMIT_S)
    for guest in guests:
        assert guest.inside.wait(LIMIT_S)
        guest.leave.set()
    for guest in guests:
        guest.join(LIMIT_S)
    assert order == ["0", "1", "2", "3", "4"]
    assert [guest.told[:1] for guest in guests] == [[], [0], [1], [2], [3]]
    assert all(guest.told == sorted(set(guest.told), reverse=True) for guest in guests), "positions only get better"
    assert not line.locked()


def test_as_many_are_inside_as_there_are_places_and_never_more() -> None:
    line, inside, most, lock = Line(3), 0, 0, threading.Lock()

    def visit() -> None:
        nonlocal inside, most
        for _ in range(50):
            with line:
                with lock:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.0005)
                with lock:
                    inside -= 1

    threads = [threading.Thread(target=visit) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert (most, inside, line.locked()) == (3, 0, False)


def test_one_who_gives_up_leaves_the_line_and_those_behind_move_up() -> None:
    line, order = Line(1), list[str]()
    first = Guest(line, "first", order)
    assert first.inside.wait(LIMIT_S)
    second = Guest(line, "second", order)
    assert second.waits.wait(LIMIT_S)
    third = Guest(line, "third", order)
    assert third.waits.wait(LIMIT_S)
    second.give_up.set()
    second.join(LIMIT_S)
    eventually(lambda: third.told == [1, 0])
    first.leave.set()
    assert third.inside.wait(LIMIT_S)
    third.leave.set()
    third.join(LIMIT_S)
    assert order == ["first", "third"]
    assert not line.locked()


def test_a_place_is_given_back_when_what_was_done_inside_fails() -> None:
    line = Line(1)
    with suppress(KeyError), line.place(lambda ahead: None, lambda: False):
        assert line.locked()
        raise KeyError
    assert not line.locked()


def test_a_line_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="not 0"):
        Line(0)
