"""Both local engines with the real SmolLM2 weights: they load once, answer, stop, say why they died, and come back."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from playground.engines.llama import LlamaEngine
from playground.engines.local import LocalEngine
from playground.engines.serve import TransformersEngine
from playground.engines.watchdog import Limits
from playground.errors import TooLongError, WorkerError
from playground.types import Delta, Finished, Message, ModelSpec, Sampling, Sent
from tests.patience import eventually
from tests.weights_fixture import BF16, Q4, smollm2_cache

__all__ = ["smollm2_cache"]
pytestmark = pytest.mark.weights
HELLO = [Message("user", "What is the capital of France?")]
STORY = [Message("user", "Write a very long story about the sea.")]
GREEDY = Sampling(temperature=0.0, max_tokens=40)


def prepared(engine: LocalEngine) -> LocalEngine:
    for _ in engine.prepare():
        pass
    return engine


@pytest.fixture(
    scope="module", params=[(LlamaEngine, Q4), (TransformersEngine, BF16)], ids=["llama.cpp", "transformers"]
)
def engine(request: pytest.FixtureRequest, smollm2_cache: Path) -> Iterator[LocalEngine]:
    kind, spec = request.param
    opened = kind(spec, smollm2_cache, threads=1)
    yield opened
    opened.close()


def cpu_s(pid: int | None) -> float:
    used = psutil.Process(pid).cpu_times()
    return used.user + used.system


def test_two_callers_share_one_load_and_the_model_is_cold_until_an_answer_ended(engine: LocalEngine):
    engine.close()
    assert engine.state().name == "not_loaded"
    threads = [threading.Thread(target=prepared, args=(engine,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert engine.state().name == "ready"
    assert engine.cold()
    events = list(engine.stream(HELLO, GREEDY))
    assert not engine.cold()
    assert [type(event) for event in (events[0], events[1], events[-1])] == [Sent, Delta, Finished]


def test_an_answer_has_usage_and_our_count_of_the_prompt_is_the_servers(engine: LocalEngine):
    *_, last = prepared(engine).stream(HELLO, GREEDY)
    assert isinstance(last, Finished)
    assert last.usage.prompt_tokens == engine.count_tokens(HELLO)


def test_a_prompt_asked_again_is_read_again(engine: LocalEngine):
    """A prefix cache on one side only would make the comparison unfair."""
    for _ in range(2):
        *_, last = prepared(engine).stream(HELLO, GREEDY)
        assert isinstance(last, Finished)
        assert not last.usage.cached_tokens


def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(engine: LocalEngine):
    with pytest.raises(TooLongError, match=r"has 9,0\d\d tokens; .* reads 8,192"):
        list(prepared(engine).stream([Message("user", "word " * 9000)], GREEDY))


def test_memory_is_that_of_the_server_with_its_weights(engine: LocalEngine):
    watch = prepared(engine).watch_memory()
    list(engine.stream(HELLO, GREEDY))
    found = watch.read()
    assert found.weights_bytes
    assert found.peak_bytes
    assert found.peak_bytes > found.weights_bytes


def test_closing_the_stream_stops_the_servers_work(engine: LocalEngine):
    prepared(engine)
    pid = engine.worker.pid if engine.worker else None
    with engine.stream(STORY, Sampling(max_tokens=4000)) as stream:
        for _ in range(5):
            next(stream)
    for _ in range(30):  # generous: the machine may be busy
        before = cpu_s(pid)
        time.sleep(1)
        if cpu_s(pid) - before < 0.2:
            return
    pytest.fail("the server went on computing")


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_a_worker_killed_in_mid_answer_says_so_and_the_next_use_starts_it_anew(engine: LocalEngine):
    prepared(engine)
    stream = engine.stream(STORY, Sampling(max_tokens=4000))
    for _ in range(4):
        next(stream)
    assert engine.worker
    assert engine.worker.pid
    os.kill(engine.worker.pid, signal.SIGKILL)
    with pytest.raises(WorkerError, match="signal 9, by another program or a person"):
        list(stream)
    assert engine.state().name == "failed"
    assert prepared(engine).state().name == "ready"


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_a_worker_frozen_in_mid_answer_is_ended_and_says_so(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(LocalEngine, "hang_limits", Limits(quiet_s=0.2, every_s=0.1))
    prepared(engine)
    stream = engine.stream(STORY, Sampling(max_tokens=4000))
    for _ in range(4):
        next(stream)
    assert engine.worker
    assert engine.worker.pid
    os.kill(engine.worker.pid, signal.SIGSTOP)
    with pytest.raises(WorkerError, match="was stopped by a signal and said nothing for"):
        list(stream)
    assert engine.state().name == "failed"
    eventually(lambda: engine.processes() == [])


def test_weights_that_cannot_be_loaded_are_an_error_with_the_servers_words(tmp_path: Path):
    (tmp_path / "bad.gguf").write_bytes(b"not a model")
    broken = LlamaEngine(ModelSpec("bad", "Bad", "llama.cpp", source=str(tmp_path / "bad.gguf")), tmp_path)
    try:
        with pytest.raises(WorkerError, match="Bad's process"):
            prepared(broken)
        assert broken.state().name == "failed"
    finally:
        broken.close()
