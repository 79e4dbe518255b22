"""What is left of a download or a load is told from its pace of late."""

from __future__ import annotations

import pytest

from playground.engines.loading import Load
from playground.progress import Progress, words
from playground.types import EngineState, Loading


def told(*seen: tuple[float, int | None], total: int | None = 1000) -> Progress:
    progress = Progress()
    for at_s, done in seen:
        progress.tell("fetching", done, total, at_s)
    return progress


def test_what_is_left_follows_from_the_pace_and_not_from_what_was_there_before():
    assert told((10.0, 500), (12.0, 600)).left_s(12.0) == pytest.approx(8.0)  # a resumed download began at 500


def test_a_pace_of_long_ago_is_forgotten():
    fast = [(float(n), 20 * n) for n in range(10)]
    slow = [(10.0 + n, 190 + n) for n in range(40)]
    assert told(*fast, *slow).left_s(49.0) == pytest.approx(1000 - 229, rel=0.05)


def test_a_standstill_makes_it_longer():
    progress = told((0.0, 0), (2.0, 500))
    assert progress.left_s(2.0) == pytest.approx(2.0)
    assert progress.left_s(4.0) == pytest.approx(4.0)


@pytest.mark.parametrize(
    "progress",
    [
        told(),
        told((0.0, 5)),
        told((4.5, 5), (5.0, 90)),
        told((0.0, 5), (5.0, 5)),
        told((0.0, None), (5.0, None)),
        told((0.0, 5), (5.0, 9), total=None),
        told((0.0, 900), (5.0, 100)),
    ],
    ids=["nothing", "once", "just now", "no step", "no count", "no total", "backwards"],
)
def test_what_cannot_be_told_is_not_told(progress: Progress):
    assert progress.left_s(5.0) is None


def test_another_stage_begins_anew():
    progress = told((0.0, 0), (5.0, 900))
    progress.tell("unpacking", 1, 1000, 6.0)
    assert progress.left_s(6.0) is None


@pytest.mark.parametrize(
    ("left_s", "said"),
    [(None, ""), (0.2, "about 1 s left"), (75, "about 75 s left"), (200, "about 3 min left"), (9000, "about 2 h left")],
)
def test_it_is_said_in_words(left_s: float | None, said: str):
    assert words(left_s) == said


def test_a_load_tells_its_stage_its_bytes_and_its_end():
    seen = []

    def work(load: Load) -> None:
        load.tell(Loading("fetching", 5, 10, "bytes"))
        seen.append(load.state())

    load = Load("M", work)
    load.start()
    for _ in load.follow():
        pass
    assert seen == [EngineState("loading", "fetching", 5, 10, unit="bytes")]
    assert load.state() == EngineState("ready")
