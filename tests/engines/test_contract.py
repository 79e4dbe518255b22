"""One promise, kept by every engine: `playground/engines/base.py` says which. Real weights included."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from playground.compare import Race
from playground.engines.base import Engine, Stream
from playground.entrant import Entrant
from playground.errors import EngineError, PromptError
from playground.types import (
    SIDES,
    Answer,
    Comparison,
    Delta,
    EngineState,
    Event,
    Finished,
    Loading,
    Memory,
    Message,
    Pacing,
    Sampling,
    Sent,
    Side,
    other,
)
from tests.engines.houses import HOUSES, LONG, SHORT, House
from tests.patience import LIMIT_S, eventually
from tests.weights_fixture import smollm2_cache

__all__ = ["smollm2_cache"]
"""Generous: other programs may have the machine, and a model may have to load first."""
BRIEF = Sampling(temperature=0.0, max_tokens=16)
ENDLESS = Sampling(temperature=0.0, max_tokens=6000)
NEXT_STEP = re.compile(r"(?i)\b(ask again|start the server|correct|choose|add an answer|check|look in)\b")
needs_weights = pytest.mark.weights


@pytest.fixture(scope="module")
def street(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], House]]:
    """Opens each kind of engine once, when a test first asks for it."""
    open_houses: dict[str, House] = {}

    def house(kind: str) -> House:
        if kind not in open_houses:
            local = kind in ("llama.cpp", "transformers", "zerogpu")  # with the weights of SmolLM2, a small Llama
            cache = request.getfixturevalue("smollm2_cache") if local else None
            open_houses[kind] = HOUSES[kind](tmp_path_factory.mktemp("house"), cache)
        return open_houses[kind]

    yield house
    for each in open_houses.values():
        each.close()


@pytest.fixture(
    scope="module",
    params=[
        "openai",
        "replay",
        pytest.param("llama.cpp", marks=needs_weights),
        pytest.param("transformers", marks=needs_weights),
        "qwen3.5",
        "adapter",
        pytest.param("zerogpu", marks=needs_weights),
    ],
)
def house(request: pytest.FixtureRequest, street: Callable[[str], House]) -> House:
    return street(request.param)


@pytest.fixture
def engine(house: House) -> Engine:
    """Ready to answer."""
    return prepared(house.engine)


def prepared(engine: Engine) -> Engine:
    for _ in engine.prepare():
        pass
    return engine


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


class Reader:
    """Reads a stream to its end in a thread of its own, as a race does."""

    def __init__(self, read: Iterator[object]) -> None:
        self.found: list[object] = []
        self.error: BaseException | None = None
        self.begun = threading.Event()
        self._read = read
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for each in self._read:
                self.found.append(each)
                if isinstance(each, Delta):
                    self.begun.set()
        except BaseException as error:  # noqa: BLE001 - a thread's edge: the test looks at what came out
            self.error = error

    def ended(self) -> bool:
        self._thread.join(LIMIT_S)
        return not self._thread.is_alive()


def under_way(engine: Engine) -> tuple[Stream, Reader]:
    """A long answer of which some text has come."""
    stream = engine.stream(LONG, ENDLESS)
    reader = Reader(stream)
    assert reader.begun.wait(LIMIT_S), reader.error
    return stream, reader


def idle(house: House) -> bool:
    """Its server has stopped working; long before the answer would have ended by itself."""
    return any(not house.busy() for _ in range(8))


# --- loading ----------------------------------------------------------------------------------------------------------


def test_callers_share_one_load_whoever_leaves_and_a_late_one_has_nothing_to_wait_for(house: House) -> None:
    house.engine.close()
    impatient = house.engine.prepare()
    with suppress(StopIteration):
        next(impatient)
    del impatient
    callers = [Reader(house.engine.prepare()) for _ in range(2)]
    assert all(caller.ended() for caller in callers)
    assert [caller.error for caller in callers] == [None, None]
    assert all(isinstance(each, Loading) and each.stage for caller in callers for each in caller.found)
    assert len(house.processes()) in (0, 1)
    assert list(house.engine.prepare()) == []


# --- an answer --------------------------------------------------------------------------------------------------------


def test_an_answer_is_sent_then_text_then_its_end_with_usage(engine: Engine) -> None:
    before_s = time.monotonic()
    sent, *deltas, last = engine.stream(SHORT, BRIEF)
    assert isinstance(sent, Sent)
    assert deltas
    assert all(isinstance(delta, Delta) and delta.text for delta in deltas)
    assert isinstance(last, Finished)
    assert last.reason in ("stop", "length")
    stamps = [before_s, *(event.at_s for event in (sent, *deltas, last)), time.monotonic()]
    assert stamps == sorted(stamps)
    assert last.usage.source == "server"
    assert 0 < (last.usage.prompt_tokens or 0) < 100
    assert 0 < (last.usage.output_tokens or 0) <= 16


def test_streams_after_each_other_are_whole_and_their_end_is_their_end(engine: Engine) -> None:
    said = set()
    for _ in range(2):
        stream = engine.stream(SHORT, BRIEF)
        events = list(stream)
        assert isinstance(events[-1], Finished)
        assert list(stream) == []
        stream.close()
        said.add(text_of(events))
    assert len(said) == 1


def test_two_streams_at_once_are_both_whole(engine: Engine) -> None:
    readers = [Reader(engine.stream(SHORT, BRIEF)) for _ in range(2)]
    assert all(reader.ended() for reader in readers)
    assert [(reader.error, type(reader.found[-1])) for reader in readers] == [(None, Finished)] * 2


def test_the_request_waits_for_the_first_next_and_a_stream_closed_before_never_asks(
    house: House, engine: Engine
) -> None:
    stream = engine.stream(LONG, ENDLESS)
    assert not house.busy()
    stream.close()
    stream.close()
    assert list(stream) == []
    assert not house.busy()


def test_closing_from_another_thread_ends_the_iteration_and_stops_the_work(house: House, engine: Engine) -> None:
    stream, reader = under_way(engine)
    eventually(house.busy)
    stream.close()
    assert reader.ended()
    assert reader.error is None
    assert not any(isinstance(event, Finished) for event in reader.found)
    assert idle(house)
    assert text_of(list(engine.stream(SHORT, BRIEF)))


def test_leaving_the_loop_stops_the_work(house: House, engine: Engine) -> None:
    with engine.stream(LONG, ENDLESS) as stream:
        for event in stream:
            if isinstance(event, Delta):
                break
    assert idle(house)


def test_closing_the_engine_ends_answers_under_way_and_leaves_no_process(house: House, engine: Engine) -> None:
    _, reader = under_way(engine)
    engine.close()
    assert reader.ended()
    assert isinstance(reader.error, EngineError)
    assert house.processes() == []
    engine.close()
    assert text_of(list(prepared(engine).stream(SHORT, BRIEF)))


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_an_answer_that_breaks_off_is_an_error_with_a_next_step_and_the_engine_comes_back(
    house: House, engine: Engine
) -> None:
    reader = Reader(engine.stream(house.broken, ENDLESS))
    assert reader.begun.wait(LIMIT_S)
    house.hurt()
    assert reader.ended()
    assert isinstance(reader.error, EngineError)
    assert NEXT_STEP.search(str(reader.error)), reader.error
    assert not any(isinstance(event, Finished) for event in reader.found)
    assert text_of(list(prepared(engine).stream(SHORT, BRIEF)))
    assert engine.state().name in ("ready", "elsewhere")


def test_what_is_not_there_is_an_error_with_a_next_step_each_time(house: House, tmp_path: Path) -> None:
    ruined = house.ruined(tmp_path)
    for _ in range(2):
        with pytest.raises(EngineError, match=NEXT_STEP):
            list(prepared(ruined).stream(SHORT, BRIEF))
    ruined.close()


def test_asking_an_engine_that_was_never_prepared_is_an_error_of_ours(house: House, tmp_path: Path) -> None:
    with pytest.raises(EngineError):
        list(house.ruined(tmp_path).stream(SHORT, BRIEF))


@pytest.mark.parametrize(
    "messages",
    [
        (Message("user", "a\ud83d \x00 \x1b[1m \udfff b"),),
        (Message("system", "\ud800"), Message("user", "hello"), Message("assistant", "\x07"), Message("user", "?")),
        (Message("assistant", "I speak first."), Message("user", "")),
        (),
    ],
    ids=["surrogates and NUL", "in every role", "odd roles", "nothing"],
)
def test_any_messages_are_answered_or_refused_in_our_words(engine: Engine, messages: tuple[Message, ...]) -> None:
    reader = Reader(engine.stream(messages, BRIEF))
    assert reader.ended()
    assert len(str(reader.error)) < 1000
    assert isinstance(reader.error, EngineError | PromptError) or isinstance(reader.found[-1], Finished)


# --- what is known of it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ready", [False, True], ids=["not loaded", "ready"])
def test_what_an_engine_says_of_itself_keeps_its_types(house: House, tmp_path: Path, ready: bool) -> None:
    engine = prepared(house.engine) if ready else house.ruined(tmp_path)
    assert isinstance(engine.state(), EngineState)
    assert isinstance(engine.cold(), bool | None)
    count = engine.count_tokens(SHORT)
    assert count is None or 0 < count < 100
    memory = engine.watch_memory().read()
    assert isinstance(memory, Memory)
    assert memory.method if memory.peak_bytes else memory.reason


def test_local_says_whether_it_competes_for_this_machine(house: House) -> None:
    assert house.engine.local is house.engine.spec.local


# --- a race over real engines -----------------------------------------------------------------------------------------


@pytest.fixture
def sides(street: Callable[[str], House]) -> dict[Side, House]:
    return {"left": street("llama.cpp"), "right": street("transformers")}


def entrants(sides: dict[Side, House], **questions: tuple[Message, ...]) -> dict[Side, Entrant]:
    asked = {side: questions.get(side, SHORT) for side in sides}
    tokens = {side: 24 if asked[side] == SHORT else 6000 for side in sides}
    return {
        side: Entrant(house.engine, asked[side], Sampling(temperature=0.0, max_tokens=tokens[side]))
        for side, house in sides.items()
    }


def ended(race: Race) -> Comparison:
    for _ in race.snapshots():
        pass
    return race.now


def assert_whole(answer: Answer) -> None:
    """Every figure is there, and none is nonsense."""
    timing, memory = answer.timing, answer.memory
    assert (answer.status, answer.error) == ("done", "")
    assert answer.text
    assert 0 < (timing.ttft_s or 0) == (timing.ttfa_s or 0) < (timing.total_s or 0)
    assert (timing.decode_tokens_per_s or 0) > 0
    assert (timing.chars_per_s or 0) > 0
    assert 0 < (timing.chunk_gap_p50_s or 0) <= (timing.chunk_gap_p95_s or 0)
    assert answer.usage.source == "server"
    assert 1 < (answer.usage.output_tokens or 0) <= 24
    assert 90e6 < (memory.weights_bytes or 0) < 400e6
    assert (memory.weights_bytes or 0) < (memory.peak_bytes or 0) < 4e9
    assert 0 < (memory.process_bytes or 0) < 4e9
    assert memory.method


@pytest.mark.weights
def test_in_turn_real_models_have_every_figure_and_the_first_answer_after_a_load_is_cold(
    sides: dict[Side, House],
) -> None:
    for house in sides.values():
        house.engine.close()
    first, second = (ended(Race(entrants(sides), "in_turn", side)) for side in SIDES)
    for now in (first, second):
        one, two = now.side(now.first_side), now.side(other(now.first_side))
        assert_whole(one)
        assert_whole(two)
        assert (one.stamps.last_s or 0) <= (two.stamps.sent_s or 0)
        assert [one.contended, two.contended] == [False, False]
    assert [(first.side(side).cold, second.side(side).cold) for side in SIDES] == [(True, False)] * 2
    assert all(first.side(side).load_s for side in SIDES)
    assert [second.side(side).load_s for side in SIDES] == [None, None]


@pytest.mark.weights
def test_together_real_models_have_every_figure_and_are_marked_as_contended(sides: dict[Side, House]) -> None:
    for house in sides.values():
        prepared(house.engine)
    now = ended(Race(entrants(sides), "together"))
    assert_whole(now.left)
    assert_whole(now.right)
    assert (now.left.contended, now.right.contended) == (True, True)


@pytest.mark.weights
@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("pacing", ["in_turn", "together"])
def test_a_worker_killed_in_mid_answer_fails_its_side_and_the_other_finishes(
    sides: dict[Side, House], pacing: Pacing
) -> None:
    race = Race(entrants(sides, left=LONG), pacing)
    killed = False
    for now in race.snapshots():
        if now.left.text and not killed:
            sides["left"].hurt()
            killed = True
    assert (now.left.status, now.right.status) == ("failed", "done")
    assert "killed by signal 9" in now.left.error
    assert "by another program" in now.left.error  # as it was: want of memory is said only where the kernel tells of it
    assert "Ask again" in now.left.error
    assert now.left.text
    assert_whole(now.right)
    retried = ended(Race({"left": entrants(sides)["left"]}, pacing, kept=now))
    assert_whole(retried.left)
    assert retried.left.load_s
