"""Engines are opened once, shared by all, and ended together."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from playground import pool as pools
from playground.catalog import Catalog
from playground.errors import CatalogError, WorkerError
from playground.pool import Pool
from playground.settings import Settings
from playground.types import EngineName, EngineState, Loading, ModelSpec, Sampling
from tests.fakes import ScriptedEngine
from tests.patience import LIMIT_S


def row(key: str, engine: EngineName = "transformers") -> ModelSpec:
    return ModelSpec(key, key.title(), engine, "s")


INSTANT = replace(row("small"), key="small-instant", sampling=Sampling(thinking=False))
ROWS = Catalog([row("small"), INSTANT, row("large", "llama.cpp"), row("remote", "openai"), row("played", "replay")])


@pytest.fixture
def engines() -> dict[str, ScriptedEngine]:
    """What the pool gets when it opens a row: an entry of this, or a new engine that is then kept here."""
    return {}


@pytest.fixture
def opened() -> list[str]:
    """Keys of the models that were opened, in order."""
    return []


@pytest.fixture
def pool(engines: dict[str, ScriptedEngine], opened: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    def open_engine(spec: ModelSpec, settings: Settings) -> ScriptedEngine:
        opened.append(spec.key)
        time.sleep(0.01)  # so that threads can meet here
        local = spec.engine in ("transformers", "llama.cpp")
        return engines.setdefault(spec.key, ScriptedEngine(spec.key, local=local, loading=[Loading("starting")]))

    monkeypatch.setattr(pools, "open_engine", open_engine)
    pool = Pool(ROWS, Settings())
    yield pool
    pool.close()


def test_a_model_is_opened_once_however_many_threads_ask(pool: Pool, opened: list[str]):
    start, got = threading.Barrier(8), []

    def ask() -> None:
        start.wait()
        got.append(pool.engine("small"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == ["small"]
    assert got == [pool.engine("small")] * 8


def test_an_unknown_model_is_refused_with_a_hint(pool: Pool):
    with pytest.raises(CatalogError, match="Did you mean small"):
        pool.engine("smal")
    with pytest.raises(CatalogError, match="Did you mean small"):
        pool.state("smal")


@pytest.mark.parametrize(
    ("key", "state"),
    [("small", "not_loaded"), ("large", "not_loaded"), ("remote", "elsewhere"), ("played", "elsewhere")],
)
def test_a_models_state_is_known_without_opening_it(pool: Pool, engines: dict[str, object], key: str, state: str):
    assert pool.state(key) == EngineState(state)
    assert engines == {}


def test_an_open_engine_tells_its_own_state(pool: Pool, engines: dict[str, ScriptedEngine]):
    list(pool.engine("small").prepare())
    assert pool.state("small") == EngineState("ready")


def test_a_row_that_limits_requests_has_one_line_for_everybody_and_others_have_none():
    rows = Catalog([replace(row("few", "openai"), requests_at_once=2), row("many", "openai")])
    mine = Pool(rows, Settings())
    line = mine.line("few")
    assert mine.line("few") is line
    assert mine.line("many") is None
    with line, line:
        assert line.locked()
    with pytest.raises(CatalogError):
        mine.line("nobody")


def test_warming_loads_local_models_and_leaves_the_others_alone(pool: Pool, engines: dict[str, ScriptedEngine]):
    pool.warm("small", "remote", "large").join(LIMIT_S)
    assert (engines["small"].ready, engines["large"].ready, engines["remote"].ready) == (True, True, False)


def test_warming_waits_for_the_device(pool: Pool, engines: dict[str, ScriptedEngine]):
    engines["small"] = ScriptedEngine("small", local=True, loading=[Loading("starting")])
    with pool.device:
        thread = pool.warm("small")
        thread.join(0.1)
        assert not engines["small"].ready
    thread.join(LIMIT_S)
    assert engines["small"].ready


def test_warming_holds_the_device_until_the_model_is_loaded(pool: Pool, engines: dict[str, ScriptedEngine]):
    begun, gate = threading.Event(), threading.Event()

    class Slow(ScriptedEngine):
        def prepare(self) -> Iterator[Loading]:
            begun.set()
            return super().prepare()

    engines["small"] = Slow("small", local=True, loading=[gate])
    thread = pool.warm("small")
    assert begun.wait(LIMIT_S)
    assert pool.device.locked()
    gate.set()
    thread.join(LIMIT_S)
    assert not pool.device.locked()


def test_a_model_that_does_not_load_leaves_the_next_one_to_be_warmed(pool: Pool, engines: dict[str, ScriptedEngine]):
    engines["small"] = ScriptedEngine("small", local=True, loading=[WorkerError("no")])
    pool.warm("small", "large").join(LIMIT_S)
    assert engines["large"].ready
    assert not pool.device.locked()


def test_a_model_that_cannot_be_opened_leaves_the_next_one_to_be_warmed(pool: Pool, engines: dict[str, ScriptedEngine]):
    pool.warm("nobody", "large").join(LIMIT_S)
    assert engines["large"].ready


def test_closing_ends_every_engine_and_the_next_use_opens_a_new_one(pool: Pool, engines: dict[str, ScriptedEngine]):
    small, large = pool.engine("small"), pool.engine("large")
    for engine in (small, large):
        list(engine.prepare())
    pool.close()
    assert not small.ready
    assert not large.ready
    engines.clear()
    assert pool.engine("small") is not small


def test_rows_of_the_same_weights_share_one_engine(pool: Pool, opened: list[str]):
    assert pool.engine("small-instant") is pool.engine("small")
    assert opened == ["small-instant"]
    assert pool.state("small") == pool.engine("small").state()
    assert pool.engine("large") is not pool.engine("small")
