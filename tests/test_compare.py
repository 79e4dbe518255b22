"""Two sides race: who runs when, who hurts whom (nobody), and what is left behind (nothing)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextvars import ContextVar, copy_context
from dataclasses import replace

import pytest

from playground.compare import Race
from playground.engines.base import Stream
from playground.entrant import Entrant
from playground.errors import StreamError, WorkerError
from playground.line import Line
from playground.meter import NOT_YET
from playground.types import (
    SIDES,
    Comparison,
    Event,
    Image,
    Interference,
    Loading,
    Memory,
    Message,
    Pacing,
    Sampling,
    Side,
)
from tests.fakes import ScriptedEngine, Step, answer, comparison
from tests.patience import LIMIT_S

QUESTION = (Message("user", "What is 2 + 2?"),)
WORDS: tuple[Step, ...] = ((0.01, "two "), (0.01, "and "), (0.01, "two"))


def entrant(engine: ScriptedEngine, notice: str = "") -> Entrant:
    return Entrant(engine, QUESTION, Sampling(seed=1), notice)


def race(
    left: ScriptedEngine,
    right: ScriptedEngine,
    pacing: Pacing = "together",
    first_side: Side = "left",
    device: Line | None = None,
) -> Race:
    return Race({"left": entrant(left), "right": entrant(right)}, pacing, first_side, device=device)


def finish(running: Race) -> Comparison:
    """Follow a race to its end."""
    for now in running.snapshots(lambda: 0.01):
        last = now
    return last


def follow_until(shots: Iterator[Comparison], true_of: Callable[[Comparison], bool]) -> Comparison:
    """The first snapshot of which that is true."""
    until = time.monotonic() + LIMIT_S
    for now in shots:
        if true_of(now):
            return now
        assert time.monotonic() < until, f"never came true; last: {now}"
    raise AssertionError("the race ended before it came true")


def gone_after(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


def side_is(side: Side, *statuses: str) -> Callable[[Comparison], bool]:
    return lambda now: now.side(side).status in statuses


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Closed until a test opens it; open at its end, so that no thread is left waiting."""
    event = threading.Event()
    yield event
    event.set()


# -- both sides, whole --


@pytest.mark.parametrize("pacing", ["in_turn", "together"])
def test_both_sides_answer_the_same_question_once(pacing: Pacing):
    left, right = ScriptedEngine("small", WORDS), ScriptedEngine("large", [(0.0, "four")])
    done = finish(race(left, right, pacing))
    assert done.final
    assert [done.left.text, done.right.text] == ["two and two", "four"]
    assert [done.left.model, done.right.model] == ["small", "large"]
    assert left.asked == right.asked == [(QUESTION, Sampling(seed=1))]


def test_every_race_is_a_battle_of_its_own():
    ids = {race(ScriptedEngine(), ScriptedEngine()).now.battle_id for _ in range(5)}
    assert len(ids) == 5


def test_answers_grow_from_snapshot_to_snapshot_and_only_the_last_is_final(gate: threading.Event):
    shots = race(ScriptedEngine(script=[(0.0, "a"), gate, (0.0, "b")]), ScriptedEngine()).snapshots(lambda: 0.01)
    assert follow_until(shots, lambda now: now.left.text == "a").final is False
    gate.set()
    finals = [now for now in shots if now.final]
    assert [now.left.text for now in finals] == ["ab"]


def test_what_a_person_must_know_about_a_side_is_known_from_the_start():
    picture = Image(b"png", "image/png", 1, 1, "ab" * 32)
    seeing = Entrant(ScriptedEngine(local=True), (Message("user", "?", (picture, picture)),), Sampling())
    blind = Entrant(ScriptedEngine(local=False), QUESTION, Sampling(), "cannot see images, got the text only")
    now = Race({"left": seeing, "right": blind}, "together").now
    assert (now.left.images_sent, now.left.notice, now.left.elsewhere) == (2, "", False)
    assert (now.right.images_sent, now.right.notice, now.right.elsewhere) == (
        0,
        "cannot see images, got the text only",
        True,
    )


def test_figures_are_live_while_text_comes(gate: threading.Event):
    left = ScriptedEngine(script=[(0.0, "a"), (0.06, "b"), (0.06, "c"), gate])
    shots = race(left, ScriptedEngine()).snapshots(lambda: 0.01)
    now = follow_until(shots, lambda now: now.left.text == "abc").left
    assert now.timing.chars_per_s > 0
    assert (now.usage.output_tokens, now.timing.decode_tokens_per_s, now.timing.decode_reason) == (None, None, NOT_YET)


def test_a_tokenizer_that_is_here_counts_what_was_cut_short():
    class Counted(ScriptedEngine):
        def count_text(self, text: str) -> int:
            return len(text)

    cut = finish(race(Counted(script=[(0.0, "ab"), (0.06, "c"), StreamError("It broke.")]), ScriptedEngine())).left
    assert (cut.usage.answer_tokens, cut.usage.source) == (3, "tokenizer")


def test_an_answer_after_a_load_has_its_load_time_and_later_ones_have_none():
    left = ScriptedEngine(loading=[Loading("starting"), Loading("reading weights", 1, 2)])
    first, second = (finish(race(left, ScriptedEngine())).left for _ in range(2))
    assert first.timing.load_s >= 0
    assert second.timing.load_s is None
    assert (first.cold, second.cold) == (True, False)


def test_loading_is_not_part_of_the_time_to_first_token(gate: threading.Event):
    left = ScriptedEngine(loading=[Loading("starting"), gate], local=True)
    shots = race(left, ScriptedEngine(local=True), "in_turn").snapshots(lambda: 0.01)
    follow_until(shots, side_is("left", "loading"))
    time.sleep(0.3)
    loaded_s = time.monotonic()
    gate.set()
    done = list(shots)[-1]
    assert done.left.timing.load_s > 0.3
    assert done.left.stamps.sent_s > loaded_s


# -- one side does not hurt the other --


@pytest.mark.parametrize("pacing", ["in_turn", "together"])
@pytest.mark.parametrize("bad", SIDES)
def test_one_side_failing_leaves_the_other_running(pacing: Pacing, bad: Side):
    engines = {
        "left": ScriptedEngine("left", WORDS),
        "right": ScriptedEngine("right", WORDS),
        bad: ScriptedEngine(bad, [(0.0, "two "), StreamError("The answer broke off. Retry this side.")]),
    }
    done = finish(race(engines["left"], engines["right"], pacing))
    good: Side = "right" if bad == "left" else "left"
    assert (done.side(bad).status, done.side(bad).error) == ("failed", "The answer broke off. Retry this side.")
    assert done.side(bad).text == "two "
    assert (done.side(good).status, done.side(good).text) == ("done", "two and two")


def test_a_model_that_does_not_load_fails_on_its_side_only():
    left = ScriptedEngine(loading=[Loading("starting"), WorkerError("It did not start. See its log.")])
    done = finish(race(left, ScriptedEngine()))
    assert (done.left.status, done.left.error, done.left.loading) == ("failed", "It did not start. See its log.", None)
    assert left.asked == []
    assert done.right.status == "done"


@pytest.mark.parametrize("pacing", ["in_turn", "together"])
def test_a_side_that_cannot_be_asked_fails_with_the_reason_and_is_neither_loaded_nor_asked(pacing: Pacing):
    blind = ScriptedEngine("blind", loading=(Loading("weights"),), local=True)
    seeing = ScriptedEngine("seeing", WORDS, local=True)
    refused = Entrant(blind, QUESTION, Sampling(), refusal="Blind cannot see images, and the prompt has no text.")
    last = finish(Race({"left": refused, "right": entrant(seeing)}, pacing))
    assert (last.left.status, last.left.error) == ("failed", refused.refusal)
    assert (last.right.status, last.right.text) == ("done", "two and two")
    assert (blind.ready, blind.asked) == (False, [])


def test_an_unexpected_exception_becomes_that_sides_error_and_is_logged(caplog: pytest.LogCaptureFixture):
    done = finish(race(ScriptedEngine("buggy", [KeyError("choices")]), ScriptedEngine()))
    assert done.left.status == "failed"
    assert "Something unexpected happened" in done.left.error
    assert "buggy" in caplog.text
    assert "KeyError" in caplog.text
    assert done.right.status == "done"


def test_the_slow_side_does_not_set_the_pace_of_the_fast_one():
    fast = ScriptedEngine(script=[(0.005, "x")] * 10)
    slow = ScriptedEngine(script=[(0.1, "x")] * 10)
    done = finish(race(fast, slow))
    assert done.left.timing.total_s < done.right.timing.total_s / 3


def test_a_slow_page_does_not_set_the_pace_of_a_side(gate: threading.Event):
    quick = ScriptedEngine(script=[(0.005, "x")] * 10)
    done = list(race(quick, quick).snapshots(lambda: 1.0))[-1]
    assert done.left.timing.total_s < 0.7
    assert done.left.stamps.chunks == 10
    assert done.left.timing.chunk_gap_p50_s > 0.004


def test_a_side_whose_memory_cannot_be_read_answers_all_the_same(caplog: pytest.LogCaptureFixture):
    left = ScriptedEngine(script=[(0.6, "four")], memory_error=ProcessLookupError("it is gone"))
    done = finish(race(left, ScriptedEngine()))
    assert (done.left.status, done.left.text) == ("done", "four")
    assert done.left.memory.peak_bytes is None
    assert "could not be read" in done.left.memory.reason
    assert "ProcessLookupError" in caplog.text


# -- pacing --


def overlapping(one: ScriptedEngine, two: ScriptedEngine) -> bool:
    (one_from, one_to), (two_from, two_to) = one.work[-1], two.work[-1]
    return one_from < two_to and two_from < one_to


@pytest.mark.parametrize("first", SIDES)
@pytest.mark.parametrize("local", [True, False])
def test_in_turn_the_first_side_is_done_before_the_other_is_asked(first: Side, local: bool):
    left, right = ScriptedEngine(script=WORDS, local=local), ScriptedEngine(script=WORDS, local=local)
    done = finish(race(left, right, "in_turn", first))
    assert (done.pacing, done.first_side) == ("in_turn", first)
    assert not overlapping(left, right)
    assert (left.work < right.work) is (first == "left")
    assert (done.left.contended, done.right.contended) == (False, False)


def test_in_turn_a_first_side_that_fails_without_a_word_does_not_mark_the_other_as_contended():
    left = ScriptedEngine(script=[StreamError("It says nothing. Retry.")], local=True)
    done = finish(race(left, ScriptedEngine(local=True, script=WORDS), "in_turn"))
    assert (done.left.contended, done.right.contended) == (False, False)


def test_in_turn_the_second_side_is_asked_even_when_the_first_failed():
    right = ScriptedEngine()
    finish(race(ScriptedEngine(script=[StreamError("no")]), right, "in_turn"))
    assert len(right.asked) == 1


@pytest.mark.parametrize(
    ("left_local", "right_local", "contended"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_together_they_overlap_and_are_contended_only_when_both_run_here(
    left_local: bool, right_local: bool, contended: bool
):
    script: list[Step] = [(0.05, "x")] * 4
    left, right = ScriptedEngine(script=script, local=left_local), ScriptedEngine(script=script, local=right_local)
    done = finish(race(left, right))
    assert overlapping(left, right)
    assert (done.left.contended, done.right.contended) == (contended, contended)


# -- the device --


def test_a_model_that_loads_is_in_the_way_of_one_that_answers(gate: threading.Event):
    loading = ScriptedEngine(local=True, loading=[Loading("reading the weights"), gate])
    shots = race(ScriptedEngine(local=True, script=WORDS), loading).snapshots(lambda: 0.01)
    assert follow_until(shots, side_is("left", "done")).left.contended
    gate.set()
    assert list(shots)[-1].left.contended


Fetch = Generator[Loading, None, None]


def fetched(engine: ScriptedEngine, *steps: Loading | threading.Event | Exception) -> Entrant:
    """An entrant whose weights come first, by these steps."""

    def fetch() -> Fetch:
        for step in steps:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, Loading):
                yield step
            else:
                assert step.wait(LIMIT_S)

    return replace(entrant(engine), fetch=fetch)


@pytest.mark.parametrize("pacing", ["in_turn", "together"])
def test_others_have_the_machine_while_weights_are_fetched(pacing: Pacing, gate: threading.Event):
    device, coming = Line(), fetched(ScriptedEngine(local=True), Loading("fetching", 1, 2), gate, Loading("fetching"))
    shots = Race({"left": coming, "right": entrant(ScriptedEngine(local=True))}, pacing, device=device).snapshots(
        lambda: 0.01
    )
    assert follow_until(shots, side_is("left", "loading")).left.loading == Loading("fetching", 1, 2)
    other = finish(race(ScriptedEngine(local=True), ScriptedEngine(local=True), "in_turn", device=device))
    assert (other.left.status, other.right.status) == ("done", "done")
    gate.set()
    done = list(shots)[-1]
    assert (done.left.status, done.right.status) == ("done", "done")


@pytest.mark.parametrize("pacing", ["in_turn", "together"])
def test_a_side_whose_weights_cannot_be_had_is_not_asked_and_the_other_answers(pacing: Pacing):
    engine = ScriptedEngine(local=True)
    gone = fetched(engine, Loading("fetching"), WorkerError("The download was cut off."))
    done = finish(Race({"left": gone, "right": entrant(ScriptedEngine(local=True))}, pacing))
    assert (done.left.status, done.left.error, engine.asked) == ("failed", "The download was cut off.", [])
    assert done.right.status == "done"


@pytest.mark.parametrize("pacing", ["in_turn", "together"])
def test_a_side_is_stopped_while_its_weights_are_fetched(pacing: Pacing, gate: threading.Event):
    engine = ScriptedEngine(local=True)
    coming = fetched(engine, Loading("fetching"), gate, Loading("fetching"), Loading("fetching"))
    running = Race({"left": coming, "right": entrant(ScriptedEngine(local=True))}, pacing)
    shots = running.snapshots(lambda: 0.01)
    follow_until(shots, side_is("left", "loading"))
    running.stop("left")
    assert follow_until(shots, side_is("left", "stopped")).left.status == "stopped"
    gate.set()
    done = list(shots)[-1]
    assert (done.left.status, done.right.status, engine.asked) == ("stopped", "done", [])


def test_two_races_on_one_device_do_not_overlap():
    device = Line()
    engines = [ScriptedEngine(script=WORDS, local=True) for _ in range(4)]
    threads = [threading.Thread(target=finish, args=(race(engines[i], engines[i + 1], device=device),)) for i in (0, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert overlapping(engines[0], engines[1])
    for mine in engines[:2]:
        for theirs in engines[2:]:
            assert not overlapping(mine, theirs)
    assert not device.locked()


def test_races_between_models_elsewhere_need_no_device():
    device = Line()
    with device:
        assert finish(race(ScriptedEngine(), ScriptedEngine(), device=device)).left.status == "done"


@pytest.mark.parametrize("pacing", ["in_turn", "together"])
def test_a_race_waits_for_the_device_and_says_so(pacing: Pacing):
    device = Line()
    left = ScriptedEngine(local=True)
    with device:
        shots = race(left, ScriptedEngine(local=True), pacing, device=device).snapshots(lambda: 0.01)
        now = follow_until(shots, lambda now: now.left.loading is not None)
        assert "waiting for the machine" in now.left.loading.stage
        assert left.asked == []
    assert list(shots)[-1].left.status == "done"


@pytest.mark.parametrize("end", ["done", "failed", "stopped", "left alone"])
def test_the_device_is_free_after_a_race_however_it_ended(end: str, gate: threading.Event):
    device = Line()
    script: list[Step] = [(0.0, "a"), gate, *([StreamError("no")] if end == "failed" else [])]
    running = race(ScriptedEngine(script=script, local=True), ScriptedEngine(local=True), "in_turn", device=device)
    shots = running.snapshots(lambda: 0.01)
    follow_until(shots, lambda now: now.left.text == "a")
    assert device.locked()
    if end in ("done", "failed"):
        gate.set()
    if end == "stopped":
        running.stop()
    if end == "left alone":
        shots.close()
    else:
        assert list(shots)[-1].left.status == end
    with device.place(lambda ahead: None, gone_after(LIMIT_S)) as free:
        assert free


# -- on whose behalf --


@pytest.mark.parametrize("pacing", ["in_turn", "together"])
def test_a_race_works_in_the_context_of_the_request_that_began_it(pacing: Pacing):
    visitor, seen = ContextVar("visitor", default="nobody"), []

    class Curious(ScriptedEngine):
        def _events(self, stopped: threading.Event) -> Iterator[Event]:
            seen.append(visitor.get())
            return super()._events(stopped)

    def handler() -> None:
        visitor.set("Ann")
        finish(race(Curious(), Curious(), pacing))

    copy_context().run(handler)
    assert seen == ["Ann", "Ann"]


# -- the line before a server that answers few at once --


def waiting(engine: ScriptedEngine, line: Line, other: ScriptedEngine | None = None) -> Race:
    """A race of which the left side needs a place in that line."""
    left = Entrant(engine, QUESTION, Sampling(), line=line)
    return Race({"left": left, "right": entrant(other or ScriptedEngine())}, "together")


def test_who_waits_for_a_place_is_told_the_position_and_the_other_side_does_not_wait():
    line = Line(1)
    with line:
        ahead = [waiting(ScriptedEngine(), line).snapshots(lambda: 0.01) for _ in range(2)]
        for shots in ahead:
            follow_until(shots, lambda now: now.left.loading is not None)
        last = waiting(ScriptedEngine(), line).snapshots(lambda: 0.01)
        now = follow_until(last, lambda now: now.left.loading is not None and now.right.final)
        assert (now.left.status, now.left.loading.stage) == (
            "waiting",
            "waiting for a place at its server · 2 ahead of you",
        )
        assert now.right.status == "done"
        ahead[0].close()
        now = follow_until(last, lambda now: "1 ahead of you" in now.left.loading.stage)
    for shots in (ahead[1], last):
        assert list(shots)[-1].left.status == "done"
    assert not line.locked()


def test_no_more_requests_than_places_are_under_way_and_first_come_is_first_served():
    line, work = Line(2), [ScriptedEngine(str(n), [(0.0, "a"), (0.02, "b")]) for n in range(6)]
    threads = [threading.Thread(target=finish, args=(waiting(engine, line),)) for engine in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    moments = sorted([(begin, 1) for engine in work for begin, _ in engine.work])
    moments += [(end, -1) for engine in work for _, end in engine.work]
    running, most = 0, 0
    for _, step in sorted(moments):
        running += step
        most = max(most, running)
    assert (most, running, line.locked()) == (2, 0, False)


def test_waiting_for_a_place_is_no_part_of_a_latency(gate: threading.Event):
    line = Line(1)
    with line:
        shots = waiting(ScriptedEngine(), line).snapshots(lambda: 0.01)
        follow_until(shots, lambda now: now.left.loading is not None)
        free_s = time.monotonic()
    done = list(shots)[-1]
    assert done.left.stamps.sent_s > free_s
    assert done.left.load_s is None


def test_a_side_that_waits_for_a_place_can_be_stopped_and_is_never_asked():
    line, left = Line(1), ScriptedEngine()
    with line:
        running = waiting(left, line)
        shots = running.snapshots(lambda: 0.01)
        follow_until(shots, lambda now: now.left.loading is not None)
        running.stop("left")
        done = list(shots)[-1]
    assert (done.left.status, done.left.loading, done.right.status) == ("stopped", None, "done")
    assert left.asked == []


@pytest.mark.parametrize("error", [StreamError("no"), ValueError("bug")])
def test_a_place_is_free_after_an_answer_that_failed(error: Exception):
    line = Line(1)
    assert finish(waiting(ScriptedEngine(script=[error]), line)).left.status == "failed"
    assert not line.locked()


# -- stopping --


@pytest.mark.parametrize("side", SIDES)
def test_stopping_one_side_leaves_the_other_running(side: Side, gate: threading.Event):
    engines = {name: ScriptedEngine(name, [(0.0, "two "), gate, (0.0, "more")]) for name in SIDES}
    running = race(engines["left"], engines["right"])
    shots = running.snapshots(lambda: 0.01)
    follow_until(shots, lambda now: now.left.text == now.right.text == "two ")
    running.stop(side)
    now = follow_until(shots, side_is(side, "stopped"))
    going: Side = "right" if side == "left" else "left"
    assert (now.side(side).text, now.side(side).finish_reason) == ("two ", "stopped")
    assert now.side(going).status == "writing"
    gate.set()
    done = list(shots)[-1]
    assert (done.side(going).status, done.side(going).text) == ("done", "two more")
    assert engines[side].ended.wait(LIMIT_S)


def test_stopping_both_closes_both_streams_and_keeps_what_was_said(gate: threading.Event):
    left, right = (ScriptedEngine(name, [(0.0, "two "), gate]) for name in SIDES)
    running = race(left, right)
    shots = running.snapshots(lambda: 0.01)
    follow_until(shots, lambda now: now.left.text == now.right.text == "two ")
    running.stop()
    done = list(shots)[-1]
    assert [done.left.status, done.right.status] == ["stopped", "stopped"]
    assert [done.left.text, done.right.text] == ["two ", "two "]
    assert left.ended.wait(LIMIT_S)
    assert right.ended.wait(LIMIT_S)


def test_stopping_both_in_turn_never_asks_the_second(gate: threading.Event):
    right = ScriptedEngine()
    running = race(ScriptedEngine(script=[(0.0, "a"), gate]), right, "in_turn")
    shots = running.snapshots(lambda: 0.01)
    follow_until(shots, lambda now: now.left.text == "a")
    running.stop()
    assert list(shots)[-1].right.status == "stopped"
    assert right.asked == []


def test_a_side_stopped_before_its_turn_ends_at_once_and_is_never_asked(gate: threading.Event):
    right = ScriptedEngine()
    running = race(ScriptedEngine(script=[(0.0, "a"), gate]), right, "in_turn")
    shots = running.snapshots(lambda: 0.01)
    follow_until(shots, lambda now: now.left.text == "a")
    running.stop("right")
    assert follow_until(shots, side_is("right", "stopped")).left.status == "writing"
    gate.set()
    assert list(shots)[-1].left.status == "done"
    assert right.asked == []


def test_a_race_can_be_stopped_before_it_runs():
    left, right = ScriptedEngine(), ScriptedEngine()
    running = race(left, right)
    running.stop()
    done = finish(running)
    assert [done.left.status, done.right.status] == ["stopped", "stopped"]
    assert left.asked == right.asked == []


@pytest.mark.parametrize("pacing", ["in_turn", "together"])
def test_a_race_can_be_stopped_while_it_waits_for_the_device(pacing: Pacing):
    device = Line()
    left, right = ScriptedEngine(local=True), ScriptedEngine(local=True)
    with device:
        running = race(left, right, pacing, device=device)
        shots = running.snapshots(lambda: 0.01)
        follow_until(shots, lambda now: now.left.loading is not None)
        running.stop()
        done = list(shots)[-1]
        assert device.locked()
    assert [done.left.status, done.right.status] == ["stopped", "stopped"]
    assert left.asked == right.asked == []


def test_one_side_can_be_stopped_while_both_wait_for_the_device():
    device = Line()
    left, right = ScriptedEngine(local=True), ScriptedEngine(local=True)
    with device:
        running = race(left, right, device=device)
        shots = running.snapshots(lambda: 0.01)
        follow_until(shots, lambda now: now.right.loading is not None)
        running.stop("left")
        assert follow_until(shots, side_is("left", "stopped")).right.status == "waiting"
    assert list(shots)[-1].right.status == "done"
    assert left.asked == []


def test_a_side_can_be_stopped_while_its_model_loads_even_when_the_load_says_nothing(gate: threading.Event):
    left = ScriptedEngine(loading=[Loading("reading weights"), gate])
    running = race(left, ScriptedEngine())
    shots = running.snapshots(lambda: 0.01)
    follow_until(shots, side_is("left", "loading"))
    running.stop("left")
    done = list(shots)[-1]  # the gate is still shut
    assert (done.left.status, done.left.loading, done.right.status) == ("stopped", None, "done")
    assert left.asked == []


def test_a_side_stopped_while_its_question_is_made_ready_is_not_asked():
    class Caught(ScriptedEngine):
        def stream(self, messages: Sequence[Message], sampling: Sampling) -> Stream:
            running.stop("left")
            return super().stream(messages, sampling)

    left = Caught(script=WORDS)
    running = race(left, ScriptedEngine())
    assert finish(running).left.status == "stopped"
    assert left.aborted.is_set()
    assert left.work == []  # its first event was never asked for


def test_stopping_a_side_that_has_ended_changes_nothing():
    running = race(ScriptedEngine(script=WORDS), ScriptedEngine(script=[StreamError("no")]))
    done = finish(running)
    running.stop()
    running.stop("left")
    assert running.now == done
    assert [done.left.status, done.right.status] == ["done", "failed"]


def test_leaving_the_loop_closes_the_streams(gate: threading.Event):
    left, right = (ScriptedEngine(name, [(0.0, "two "), gate]) for name in SIDES)
    shots = race(left, right).snapshots(lambda: 0.01)
    follow_until(shots, lambda now: now.left.text == now.right.text == "two ")
    shots.close()
    assert left.aborted.is_set()
    assert right.aborted.is_set()
    assert left.ended.wait(LIMIT_S)
    assert right.ended.wait(LIMIT_S)


def test_leaving_the_loop_in_turn_never_asks_the_second_side(gate: threading.Event):
    left, right = ScriptedEngine(script=[(0.0, "a"), gate]), ScriptedEngine()
    shots = race(left, right, "in_turn").snapshots(lambda: 0.01)
    follow_until(shots, lambda now: now.left.text == "a")
    shots.close()
    assert left.ended.wait(LIMIT_S)
    _join_races()
    assert right.asked == []


def _join_races() -> None:
    for thread in threading.enumerate():
        if thread.name == "race":
            thread.join(LIMIT_S)


# -- retry --


@pytest.mark.parametrize("pacing", ["in_turn", "together"])
@pytest.mark.parametrize("side", SIDES)
def test_a_retry_keeps_the_other_sides_answer_and_is_a_new_battle(pacing: Pacing, side: Side):
    kept = comparison(answer("small", "old left"), answer("large", "old right"), battle_id="old")
    again = ScriptedEngine("again", [(0.0, "new")])
    done = finish(Race({side: entrant(again)}, pacing, kept=kept))
    other: Side = "right" if side == "left" else "left"
    assert done.side(side).text == "new"
    assert done.side(other) == kept.side(other)
    assert done.battle_id not in ("", "old")


def test_a_retry_is_alone_so_it_is_never_contended():
    kept = finish(race(*(ScriptedEngine(script=[(0.05, "x")] * 3, local=True) for _ in SIDES)))
    done = finish(Race({"left": entrant(ScriptedEngine(local=True))}, "together", kept=kept))
    assert (done.left.contended, done.right.contended) == (False, True)


def test_stopping_a_retry_leaves_the_kept_answer_alone(gate: threading.Event):
    kept = comparison()
    running = Race({"left": entrant(ScriptedEngine(script=[(0.0, "a"), gate]))}, "together", kept=kept)
    shots = running.snapshots(lambda: 0.01)
    follow_until(shots, lambda now: now.left.text == "a")
    running.stop()
    assert [now.right for now in shots][-1] == kept.right


def test_a_race_of_one_side_needs_the_answer_of_the_other():
    with pytest.raises(ValueError, match="right"):
        Race({"left": entrant(ScriptedEngine())}, "together")


# -- what a page gets --


def test_snapshots_are_bounded_in_rate_however_fast_text_comes():
    fast = ScriptedEngine(script=[(0.002, "x")] * 200)
    started_s = time.monotonic()
    count = sum(1 for _ in race(fast, fast).snapshots(lambda: 0.1))
    assert count <= (time.monotonic() - started_s) / 0.1 + 3


def test_the_rate_can_change_while_a_race_runs(gate: threading.Event):
    pauses = iter([0.01, 0.02])
    asked = []

    def every_s() -> float:
        asked.append(1)
        if len(asked) > 3:
            gate.set()
        return next(pauses, 0.01)

    assert list(race(ScriptedEngine(script=[gate]), ScriptedEngine()).snapshots(every_s))
    assert len(asked) > 3


def test_a_page_hears_from_a_silent_race_so_that_it_can_be_stopped(gate: threading.Event):
    shots = race(ScriptedEngine(script=[gate]), ScriptedEngine(script=[gate])).snapshots(lambda: 0.01)
    silent = [next(shots) for _ in range(6)]
    assert silent[-1].left.status == "reading"
    assert silent[-1].left.text == ""


def test_memory_is_read_while_text_comes_and_once_more_at_the_end(gate: threading.Event):
    left = ScriptedEngine(script=[(0.0, "a"), gate], local=True)
    shots = race(left, ScriptedEngine(local=True)).snapshots(lambda: 0.01)
    live = follow_until(shots, lambda now: now.left.memory.peak_bytes is not None).left
    assert not live.final
    assert live.memory.method == "scripted"
    gate.set()
    done = list(shots)[-1]
    assert done.left.memory.peak_bytes > live.memory.peak_bytes
    assert done.right.memory.weights_bytes == 7


class Counting:
    """A watch that measures the machine, too."""

    def read(self) -> Memory:
        return Memory(peak_bytes=100)

    def interference(self) -> Interference:
        return Interference(0.25, 0.5, 0.125, 0.0)


def test_what_else_ran_and_how_many_threads_there_were_comes_with_the_answer(monkeypatch: pytest.MonkeyPatch):
    left, right = ScriptedEngine(local=True), ScriptedEngine(local=True)
    monkeypatch.setattr(left, "watch_memory", Counting)
    monkeypatch.setattr(left, "threads", 3, raising=False)
    done = finish(race(left, right, "in_turn"))
    assert (done.left.interference, done.left.threads) == (Interference(0.25, 0.5, 0.125, 0.0), 3)
    assert (done.right.interference, done.right.threads) == (Interference(), None)


def test_memory_that_is_slow_to_read_is_read_rarely(gate: threading.Event, monkeypatch: pytest.MonkeyPatch):
    """A large model's page tables take a core for longer: that core answers."""
    monkeypatch.setattr("playground.compare.MEMORY_EVERY_S", 0.01)
    left = ScriptedEngine(script=[(0.0, "a"), gate], local=True)
    watch, began = left.watch_memory(), time.monotonic()
    readings: list[float] = []

    def read() -> Memory:
        readings.append(time.monotonic() - began)
        time.sleep(0.05)
        return Memory(peak_bytes=len(readings))

    monkeypatch.setattr(watch, "read", read)
    monkeypatch.setattr(left, "watch_memory", lambda: watch)
    shots = race(left, ScriptedEngine(local=True)).snapshots(lambda: 0.01)
    follow_until(shots, lambda _: time.monotonic() - began > 1.0)
    gate.set()
    assert list(shots)[-1].left.memory.peak_bytes == len(readings) == 2, readings


def test_a_race_whose_work_breaks_down_altogether_still_ends(monkeypatch: pytest.MonkeyPatch):
    running = race(ScriptedEngine(), ScriptedEngine(), "in_turn")

    def broken() -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(running, "_run_sides", broken)
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    heard = threading.Event()
    running.start(at_end=heard.set)
    assert heard.wait(LIMIT_S)
    assert running.ended.is_set()
    assert [running.look().side(side).status for side in ("left", "right")] == ["failed", "failed"]
