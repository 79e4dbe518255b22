"""A model server that is frozen or killed in mid-answer hurts nobody else: real processes, without a model."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from playground import pool as pools
from playground import starved
from playground.catalog import Catalog
from playground.compare import Race
from playground.engines import llama
from playground.engines.llama import LlamaEngine
from playground.engines.watchdog import Limits
from playground.entrant import Entrant
from playground.line import Line
from playground.pool import Pool
from playground.settings import Settings
from playground.types import Comparison, Message, ModelSpec, Pacing, Sampling, Side
from tests.patience import LIMIT_S, eventually

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs signals")
FAKE = Path(__file__).parent / "engines" / "fake_server_child.py"
QUICK = Limits(quiet_s=0.2, every_s=0.1, stopped_probes=2, stalled_probes=1000)
PATIENT = Limits(quiet_s=10 * LIMIT_S)


class FakeEngine(LlamaEngine):
    """A local engine whose server has no model."""

    hang_limits = QUICK

    def _command(self, place: Path | None, port: int) -> Sequence[str]:
        return [sys.executable, str(FAKE), str(port)]

    def _continues(self, place: Path | None) -> bool:
        return False


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    """Two local models."""
    rows = []
    for key in ("one", "two"):
        (tmp_path / f"{key}.gguf").write_bytes(b"no weights")
        rows.append(ModelSpec(key, key.title(), "llama.cpp", str(tmp_path / f"{key}.gguf"), context_tokens=4096))
    monkeypatch.setattr(pools, "open_engine", lambda spec, settings: FakeEngine(spec, tmp_path))
    pool = Pool(Catalog(rows), Settings(cache=tmp_path))
    yield pool
    pool.close()


class Visitor:
    """Somebody whose comparison runs in a thread of its own."""

    def __init__(self, pool: Pool, pacing: Pacing = "in_turn", **asked: str) -> None:
        keys: dict[Side, str] = {"left": "one", "right": "two"}
        self.race = Race({side: self._entrant(pool, key, asked[side]) for side, key in keys.items()}, pacing,
                         device=pool.device)  # fmt: skip
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    @staticmethod
    def _entrant(pool: Pool, key: str, text: str) -> Entrant:
        return Entrant(pool.engine(key), (Message("user", text),), Sampling(), using=partial(pool.using, key))

    def _follow(self) -> None:
        for _ in self.race.snapshots(lambda: 0.01):
            pass

    @property
    def now(self) -> Comparison:
        return self.race.now

    def sees(self, true: Callable[[Comparison], bool]) -> None:
        eventually(lambda: true(self.now), f"last: {self.now}")

    def finished(self) -> Comparison:
        self._thread.join(LIMIT_S)
        assert self.now.final, self.now
        return self.now


def pid(pool: Pool, key: str) -> int:
    return pool.processes(key)[0]


def log(pool: Pool, key: str) -> list[str]:
    worker = pool.engine(key).worker
    return worker.log() if worker else []


def writes(side: Side) -> Callable[[Comparison], bool]:
    return lambda now: "word3" in now.side(side).text


def test_a_server_frozen_in_mid_answer_is_ended_and_the_other_side_and_the_next_answer_come(pool: Pool):
    visitor = Visitor(pool, "together", left="a long story", right="a long story")
    visitor.sees(writes("left"))
    visitor.sees(writes("right"))
    frozen = pid(pool, "one")
    os.kill(frozen, signal.SIGSTOP)
    visitor.sees(lambda now: now.left.final)
    words = len(visitor.now.right.text)
    visitor.sees(lambda now: len(now.right.text) > words)
    visitor.race.stop("right")
    now = visitor.finished()
    assert (now.left.status, now.right.status) == ("failed", "stopped")
    assert now.left.error.startswith("One's process was stopped by a signal and said nothing for ")
    assert now.left.error.endswith(" so it was ended. Ask again to start it anew.")
    assert "word3" in now.left.text
    assert pool.state("one").name == "failed"
    again = Visitor(pool, left="a word", right="a word").finished()
    assert (again.left.status, again.left.text, again.right.status) == ("done", "word0 word1 word2 ", "done")
    assert pid(pool, "one") != frozen


def test_another_visitor_gets_the_machine_from_a_frozen_server(pool: Pool):
    first = Visitor(pool, left="a long story", right="a word")
    first.sees(writes("left"))
    second = Visitor(pool, left="a word", right="a word")
    second.sees(lambda now: now.left.loading is not None and "the machine" in now.left.loading.stage)
    os.kill(pid(pool, "one"), signal.SIGSTOP)
    assert (first.finished().left.status, first.now.right.status) == ("failed", "done")
    assert (second.finished().left.status, second.now.right.status) == ("done", "done")


@pytest.mark.parametrize("asked", ["a long story", "never answered"])
def test_stop_gives_the_machine_back_at_once_although_the_server_is_frozen(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, asked: str
):
    """Also while the prompt's tokens are counted, which asks the server, too."""
    monkeypatch.setattr(FakeEngine, "hang_limits", PATIENT)
    monkeypatch.setattr(llama, "COUNT_TIMEOUT_S", PATIENT.quiet_s)
    first = Visitor(pool, left=asked, right="a word")
    if asked == "a long story":
        first.sees(writes("left"))
    else:
        eventually(lambda: "fake: asked /apply-template" in log(pool, "one"))
    os.kill(pid(pool, "one"), signal.SIGSTOP)
    first.race.stop()
    first.finished()
    free(pool.device)
    assert pool.state("one").name == "ready"


def free(device: Line) -> None:
    eventually(lambda: not device.locked())


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGKILL, "was killed by signal 9, by another program or a person."),
        (signal.SIGTERM, "was ended by SIGTERM, by another program or a person."),
        (signal.SIGSEGV, "crashed with SIGSEGV."),
    ],
)
def test_a_server_ended_by_somebody_is_not_said_to_have_run_out_of_memory(
    pool: Pool, number: signal.Signals, words: str
):
    visitor = Visitor(pool, left="a long story", right="a word")
    visitor.sees(writes("left"))
    os.kill(pid(pool, "one"), number)
    now = visitor.finished()
    assert now.left.error.startswith(f"One's process {words} ")
    assert now.left.error.endswith(" Ask again to start it anew.")
    assert not starved.ran_out(now.left.error)
    assert now.right.status == "done"
    assert Visitor(pool, left="a word", right="a word").finished().left.status == "done"
