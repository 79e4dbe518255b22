"""Models are loaded and unloaded by hand, and when memory is short the one not used longest leaves."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from playground import pool as pools
from playground.catalog import Catalog
from playground.compare import Race
from playground.entrant import Entrant
from playground.errors import ForbiddenError, WeightsError, WorkerError
from playground.machine import Machine
from playground.memory import Held
from playground.policy import Person
from playground.pool import Pool
from playground.settings import Settings
from playground.types import EngineState, Loading, Message, ModelSpec, Sampling
from tests.fakes import ScriptedEngine
from tests.patience import LIMIT_S, eventually

GB = 1_000_000_000
QWEN = ModelSpec("small", "Small", "llama.cpp", "s/q", repository="Qwen/Qwen3.5-9B", quantization="Q4_K_M",
                 family="Qwen3.5", context_tokens=16384)  # fmt: skip
"""Needs 6.3 GB."""
SMALLER = replace(QWEN, key="tiny", title="Tiny", repository="Qwen/Qwen3.5-0.8B", source="s/t", parameters_b=0.8)
ROWS = Catalog([*(replace(QWEN, key=key, title=key.title(), source=f"s/{key}") for key in "abc"), SMALLER,
                ModelSpec("far", "Far", "openai", "s", "https://far.example/v1")])  # fmt: skip


class Housed(ScriptedEngine):
    """A scripted engine with weights to fetch, and memory of its own that shows on the machine."""

    def __init__(self, key: str, machine: House, fetching: Sequence[object] = (), **about: object) -> None:
        about.setdefault("loading", [Loading("starting")])
        super().__init__(key, local=True, **about)
        self._fetching, self._machine = fetching, machine
        self.closed = 0

    def fetch(self) -> Generator[Loading, None, None]:
        for step in self._fetching:
            if isinstance(step, Loading):
                yield step
            elif isinstance(step, threading.Event):
                while not step.wait(0.01):
                    yield Loading("fetching", 5, 10, "bytes")
            else:
                raise step

    def prepare(self) -> Iterator[Loading]:
        yield from super().prepare()
        self._machine.loaded.add(self.spec.key)

    def processes(self) -> list[int]:
        return [hash(self.spec.key)] if self.ready else []

    def close(self) -> None:
        self.closed += 1
        self._machine.loaded.discard(self.spec.key)
        super().close()


class House:
    """A pool on a machine with 16 GB, where each loaded model takes 7."""

    def __init__(self, settings: Settings = Settings()) -> None:  # noqa: B008 - frozen
        self.loaded: set[str] = set()
        self.engines: dict[str, Housed] = {}
        self.now_s = 0.0
        self.pool = Pool(ROWS, settings, self.look, lambda: self.now_s)

    def look(self) -> Machine:
        return Machine(20 * GB, (16 - 7 * len(self.loaded)) * GB)

    def open_engine(self, spec: ModelSpec, settings: Settings) -> ScriptedEngine:
        if spec.engine == "openai":
            return ScriptedEngine(spec.key)
        return self.engines.setdefault(spec.key, Housed(spec.key, self))

    def load(self, key: str) -> None:
        self.now_s += 10
        self.pool.load(key)
        eventually(lambda: self.pool.state(key).name in ("ready", "failed"))

    def race(self, **keys: str) -> Race:
        entrants = {
            side: Entrant(
                self.pool.engine(key),
                (Message("user", "?"),),
                Sampling(),
                using=partial(self.pool.using, key),
                fetch=partial(self.pool.fetch, key),
            )
            for side, key in keys.items()
        }
        return Race(entrants, "together", device=self.pool.device)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    house = House()
    monkeypatch.setattr(pools, "open_engine", house.open_engine)
    held = {hash(row.key): Held(7 * GB) for row in ROWS}
    monkeypatch.setattr("playground.memory.held_now", lambda pids, nvml=None: held[pids[0]])
    monkeypatch.setattr("playground.memory.nvml", lambda: None)
    yield house
    house.pool.close()


def test_a_model_is_loaded_and_unloaded_by_hand_and_its_memory_is_known(house: House):
    house.load("a")
    assert house.pool.state("a") == EngineState("ready")
    assert house.pool.held("a").resident_bytes == 7 * GB
    house.pool.unload("a")
    assert house.pool.state("a") == EngineState("not_loaded")
    assert house.pool.held("a") == Held()
    house.load("a")
    assert house.pool.state("a") == EngineState("ready")


def test_when_memory_is_short_the_one_not_used_longest_leaves(house: House):
    house.load("a")
    house.load("b")
    house.now_s += 10
    with house.pool.using("a"):
        pass
    house.load("c")
    assert house.loaded == {"a", "c"}
    assert house.pool.state("b") == EngineState("not_loaded")


def test_one_that_is_answering_never_leaves_and_is_not_unloaded(house: House):
    gate = threading.Event()
    house.engines["a"] = Housed("a", house, script=[gate, (0.0, "done")])
    house.load("a")
    house.load("b")
    race = house.race(left="a", right="far")
    shots = race.snapshots()
    eventually(lambda: next(shots).left.status == "reading")
    house.now_s += 10
    with pytest.raises(WorkerError, match=r"A is answering\. Stop the answer or wait for it"):
        house.pool.unload("a")
    assert house.pool.answering("a")
    with house.pool.using("c"):
        pass
    assert house.loaded == {"a"}
    gate.set()
    for _ in shots:
        pass
    assert (race.now.left.status, race.now.left.text) == ("done", "done")
    house.pool.unload("a")
    assert house.loaded == set()


def test_two_that_come_together_do_not_get_the_same_room(house: House):
    """The first has been promised its 7 GB and holds none of them yet."""
    gate = threading.Event()
    for key in "ab":
        house.engines[key] = Housed(key, house, loading=[gate])
    house.load("c")
    race = house.race(left="a", right="b")
    shots = race.snapshots()
    eventually(lambda: next(shots) is not None and house.loaded == set())
    gate.set()
    for _ in shots:
        pass
    assert house.loaded == {"a", "b"}


def test_a_model_that_would_be_refused_anyway_makes_nobody_leave_and_fetches_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    house.load("a")
    house.pool._look = lambda: Machine(9 * GB, 0)
    monkeypatch.setattr("playground.memory.held_now", lambda pids, nvml=None: Held(1 * GB))
    house.engines["b"] = Housed("b", house, fetching=[AssertionError("it was fetched")])
    house.load("b")
    state = house.pool.state("b")
    assert state.name == "failed"
    assert "It needs 6.3 GB" in state.error
    assert "--load-anyway" in state.error
    assert house.pool.state("a").name == "ready"


def test_warming_makes_nobody_leave(house: House):
    house.load("a")
    house.load("b")
    house.pool.warm("c").join(LIMIT_S)
    assert house.loaded == {"a", "b"}


def test_a_download_goes_on_while_others_answer_is_told_in_bytes_and_can_be_cancelled(house: House):
    house.engines["a"] = Housed("a", house, fetching=[threading.Event()])
    with house.pool.device:  # somebody answers
        house.pool.load("a")
        eventually(lambda: house.pool.state("a").done is not None)
        assert house.pool.state("a") == EngineState("loading", "fetching", 5, 10, unit="bytes")
        house.pool.unload("a")
        assert house.pool.state("a") == EngineState("not_loaded")
    assert house.engines["a"].closed == 1


def test_a_download_for_a_comparison_leaves_others_the_machine_is_shown_and_can_be_cancelled(house: House):
    house.engines["a"] = Housed("a", house, fetching=[threading.Event()])
    shots = house.race(left="a", right="far").snapshots(lambda: 0.01)
    last = next(shots)
    while last.left.loading != Loading("fetching", 5, 10, "bytes"):
        last = next(shots)
    assert house.pool.state("a") == EngineState("loading", "fetching", 5, 10, unit="bytes")
    with house.pool.device:  # somebody else answers
        house.pool.unload("a")
    done = list(shots)[-1]
    assert (done.left.status, done.left.error) == ("failed", "A was closed while it loaded; ask again.")
    assert done.right.status == "done"
    assert house.engines["a"].asked == []


def test_a_download_for_a_comparison_is_followed_by_loading_and_the_answer(house: House):
    fetched = threading.Event()
    house.engines["a"] = Housed("a", house, fetching=[fetched])
    shots = house.race(left="a", right="far").snapshots(lambda: 0.01)
    while next(shots).left.loading != Loading("fetching", 5, 10, "bytes"):
        pass
    fetched.set()
    done = list(shots)[-1]
    assert (done.left.status, done.right.status) == ("done", "done")
    assert house.loaded == {"a"}


def test_loading_waits_for_the_machine_and_can_be_cancelled_there(house: House):
    with house.pool.device:
        house.pool.load("a")
        eventually(lambda: house.pool.state("a").stage == "waiting for the machine")
        house.pool.unload("a")
        assert house.pool.state("a") == EngineState("not_loaded")
    assert house.loaded == set()
    assert not house.pool.device.locked()


def test_what_fails_is_kept_until_it_is_tried_again(house: House):
    house.engines["a"] = Housed("a", house, fetching=[WeightsError("The Hub does not answer.")])
    house.load("a")
    assert house.pool.state("a") == EngineState("failed", error="The Hub does not answer.")
    house.engines["a"]._fetching = ()
    house.load("a")
    assert house.pool.state("a") == EngineState("ready")


def test_one_that_died_holds_no_room_and_keeps_its_error(house: House):
    house.load("a")
    death = EngineState("failed", error="killed by signal 9")
    house.engines["a"].state = lambda: death  # type: ignore[method-assign]
    house.engines["a"].processes = list  # type: ignore[method-assign]
    house.loaded.clear()
    house.load("b")
    house.load("c")
    assert house.loaded == {"b", "c"}
    assert house.pool.state("a") == death


def test_memory_that_ran_out_is_told_with_the_next_smaller_step_and_the_other_side_goes_on(house: House):
    death = WorkerError("A's process was killed by signal 9: most likely out of memory. Ask again to start it anew.")
    house.engines["a"] = Housed("a", house, script=[(0.0, "Hal"), death])
    race = house.race(left="a", right="tiny")
    for _ in race.snapshots():
        pass
    assert race.now.left.status == "failed"
    assert race.now.left.error.startswith(str(death))
    assert "A smaller model of the family: Tiny (tiny, " in race.now.left.error
    assert (race.now.right.status, race.now.right.text) == ("done", "Hello")


def test_last_use_is_that_of_being_asked_not_of_being_loaded(house: House):
    house.load("a")
    assert house.pool.idle_s("a") is None
    with house.pool.using("a"):
        assert house.pool.idle_s("a") == 0.0
    house.now_s += 90
    assert house.pool.idle_s("a") == 90.0
    assert house.pool.idle_s("far") is None


def test_loading_twice_is_one_load_and_loading_what_runs_elsewhere_is_none(house: House):
    gate = threading.Event()
    house.engines["a"] = Housed("a", house, loading=[gate])
    for _ in range(3):
        house.pool.load("a")
    house.pool.load("far")
    gate.set()
    eventually(lambda: house.pool.state("a").name == "ready")
    assert house.pool.state("far") == EngineState("elsewhere")


def test_unloading_what_is_not_there_is_nothing(house: House):
    house.pool.unload("a")
    assert house.engines == {}


VISITOR = Person(name="v")


def test_a_visitor_begins_no_load_no_download_and_ends_no_model(house: House):
    house.load("a")
    with pytest.raises(ForbiddenError, match="only the owner of this page loads models"):
        house.pool.load("b", VISITOR)
    with pytest.raises(ForbiddenError, match="only the owner of this page unloads models"):
        house.pool.unload("a", VISITOR)
    with pytest.raises(ForbiddenError, match="only the owner of this page downloads models"):
        next(house.pool.fetch("b", VISITOR))
    assert "only the owner of this page downloads models" in house.pool.refusal("b", VISITOR)
    assert [house.pool.state(key).name for key in "ab"] == ["ready", "not_loaded"]
    assert house.pool.refusal("a", VISITOR) == house.pool.refusal("far", VISITOR) == ""


def test_a_model_of_this_machine_comes_for_a_visitor_as_long_as_nobody_must_leave(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("playground.weights.locate", lambda spec, cache: tmp_path)
    assert house.pool.refusal("b", VISITOR) == ""
    with house.pool.using("b", by=VISITOR):
        list(house.pool.engine("b").prepare())
    house.load("a")
    assert house.pool.refusal("c", VISITOR) != ""
    with pytest.raises(ForbiddenError, match="another model would have to leave"), house.pool.using("c", by=VISITOR):
        pass
    assert house.loaded == {"a", "b"}
    assert house.pool.refusal("b", VISITOR) == ""
    with house.pool.using("b", by=VISITOR):
        pass
