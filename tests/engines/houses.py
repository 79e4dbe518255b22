"""The five kinds of engine, each with what a test must know of it from outside: for the contract test, no test itself.
One of them comes with two architectures, and with an adapter on a base.

A house opens its engine once; it knows what its server does (`busy`), how to hurt it (`hurt`), and how to open one that
cannot work (`ruined`).
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import psutil

from playground.engines.base import Engine
from playground.engines.client import OpenAIEngine
from playground.engines.llama import LlamaEngine
from playground.engines.local import LocalEngine
from playground.engines.replay import ReplayEngine
from playground.engines.serve import TransformersEngine
from playground.types import Message, ModelSpec
from tests import checkpoints, tuned
from tests.badserver import DONE, STOP, BadServer, Request, Script, event, sse, text
from tests.weights_fixture import BF16, Q4

SHORT = (Message("user", "What is the capital of France?"),)
LONG = (Message("user", "List the first 1000 prime numbers."),)
"""Both real models go on with this for thousands of tokens."""
HURT = (Message("user", "Break off in the middle."),)

WORDS = ["The ", "capital ", "is ", "Paris."]
USAGE = {"prompt_tokens": 7, "completion_tokens": len(WORDS), "total_tokens": 7 + len(WORDS)}


class House:
    """One engine and its surroundings."""

    engine: Engine
    broken = HURT
    """What to ask so that it can be hurt in mid-answer."""

    def busy(self) -> bool:
        """Its server works on an answer now (looked at for a second where that must be measured)."""
        raise NotImplementedError

    def hurt(self) -> None:
        """Break the answer that is under way; nothing to do where the question itself does it."""

    def ruined(self, folder: Path) -> Engine:
        """An engine of this kind whose server or weights are not there."""
        raise NotImplementedError

    def processes(self) -> list[int]:
        """The model servers that run for this engine."""
        return []

    def close(self) -> None:
        self.engine.close()


class OpenAIHouse(House):
    """A well-behaved scripted server; it breaks off when asked to."""

    def __init__(self, folder: Path, cache: Path | None) -> None:
        self.server = BadServer(_script)
        self.server.__enter__()
        self.engine = OpenAIEngine(ModelSpec("far", "Far 1B", "openai", "tiny", self.server.url))

    def busy(self) -> bool:
        time.sleep(0.2)
        asked = [request for request in self.server.requests if LONG[0].text in str(request.json["messages"])]
        return not all(request.gone.is_set() for request in asked)

    def ruined(self, folder: Path) -> Engine:
        return OpenAIEngine(ModelSpec("down", "Down 1B", "openai", "tiny", f"http://127.0.0.1:{_closed_port()}"))

    def close(self) -> None:
        super().close()
        self.server.__exit__()


def _script(request: Request) -> Script:
    asked = str(request.json["messages"])
    yield sse()
    yield ("send", event({"choices": [{"index": 0, "delta": {"role": "assistant"}, "finish_reason": None}]}))
    for word in itertools.cycle(WORDS) if LONG[0].text in asked else WORDS:
        yield ("send", event(text(word)))
        yield ("wait", 0.01)
        if HURT[0].text in asked:
            return
    yield ("send", STOP + event({"choices": [], "usage": USAGE}) + DONE)


def _closed_port() -> int:
    with BadServer([]) as server:
        return server.port


class ReplayHouse(House):
    """A recording with a load, a short answer, a long one, and one that ends with an error."""

    def __init__(self, folder: Path, cache: Path | None) -> None:
        usage = {"prompt_tokens": 7, "answer_tokens": len(WORDS), "source": "server"}
        failing = {"match": HURT[0].text, "events": [[0.1, "text", "I"]], "error": "It broke off; ask again."}
        long = {"match": LONG[0].text, "events": [[round(n / 100, 2), "text", "on "] for n in range(20_000)]}
        short = {"events": [[n / 100, "text", word] for n, word in enumerate(WORDS)], "usage": usage}
        value = {"schema": 1, "load": [["config", 0.2], ["weights", 0.2]], "answers": [failing, long, short]}
        file = folder / "recording.json"
        file.write_text(json.dumps(value), encoding="utf-8")
        self.engine = ReplayEngine(ModelSpec("said", "Said 1B", "replay", source=str(file)))

    def busy(self) -> bool:
        time.sleep(0.2)
        return bool(self.engine._streams)  # a stream is in this set exactly while its generator lives

    def ruined(self, folder: Path) -> Engine:
        return ReplayEngine(ModelSpec("gone", "Gone 1B", "replay", source=str(folder / "gone.json")))


class LocalHouse(House):
    """A real server with the real weights, one thread each."""

    broken = LONG
    kind: type[LocalEngine]
    spec: ModelSpec
    engine: LocalEngine
    street: ClassVar[list[LocalHouse]] = []

    def __init__(self, folder: Path, cache: Path | None) -> None:
        assert cache
        self.engine = self.kind(self.spec, cache, threads=1)
        self.street.append(self)

    def busy(self) -> bool:
        pid = self.engine.worker.pid if self.engine.worker else None
        before = _cpu_s(pid)
        time.sleep(1)
        return _cpu_s(pid) - before > 0.2

    def hurt(self) -> None:
        assert self.engine.worker
        assert self.engine.worker.pid
        os.kill(self.engine.worker.pid, signal.SIGKILL)

    def ruined(self, folder: Path) -> Engine:
        return self.kind(ModelSpec("gone", "Gone 1B", self.spec.engine, source=str(folder / "gone.gguf")), folder)

    def processes(self) -> list[int]:
        """By the command line, so that a server that the engine forgot is found, too; but not the neighbours'."""
        others = {pid for house in self.street if house is not self for pid in house.engine.processes()}
        found = (child for child in psutil.Process().children(recursive=True) if child.pid not in others)
        return [child.pid for child in found if self._serves(child)]

    def _serves(self, process: psutil.Process) -> bool:
        try:
            line = process.cmdline()
        except psutil.Error:
            return False
        mark = "llama_child.py" if self.kind is LlamaEngine else "transformers.cli.transformers"
        return any(mark in part for part in line) and not any("guard_child.py" in part for part in line)


class LlamaHouse(LocalHouse):
    kind, spec = LlamaEngine, Q4


class TransformersHouse(LocalHouse):
    kind, spec = TransformersEngine, BF16


class Qwen35House(TransformersHouse):
    """A small Qwen3.5 with random weights, whose answers do not end by themselves. The tests of all architectures are
    in `test_architectures.py`; here one of them keeps every promise."""

    def __init__(self, folder: Path, cache: Path | None) -> None:
        checkpoint = checkpoints.architecture("qwen3_5", folder / "qwen3_5")
        self.spec = ModelSpec("small-qwen", "Small Qwen", "transformers", str(checkpoint), context_tokens=8192)
        super().__init__(folder, folder)


class AdapterHouse(TransformersHouse):
    """A small Llama with random weights and a random adapter on it, whose answers do not end by themselves."""

    def __init__(self, folder: Path, cache: Path | None) -> None:
        base = checkpoints.architecture("llama", folder / "llama")
        adapter = tuned.untaught(base, folder / "lora")
        self.spec = ModelSpec("tuned", "Tuned", "transformers", str(base), context_tokens=8192, adapter=str(adapter))
        super().__init__(folder, folder)


class ZeroGPUHouse(House):
    """The real weights in this very process, as on a Space with a lent GPU; here the lender does nothing."""

    broken = LONG

    def __init__(self, folder: Path, cache: Path | None) -> None:
        from playground.engines.zerogpu import ZeroGPUEngine  # late: only these tests have torch in their process

        assert cache
        self.engine: ZeroGPUEngine = ZeroGPUEngine(BF16, cache)

    def busy(self) -> bool:
        before = _cpu_s(os.getpid())
        time.sleep(1)
        return _cpu_s(os.getpid()) - before > 0.2

    def hurt(self) -> None:
        """As when the device fails: the next step of the model raises, once."""
        from playground.engines.zerogpu import LOADED

        def fail(*_: object) -> None:
            hook.remove()
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

        hook = LOADED[BF16.key].model.register_forward_pre_hook(fail)

    def ruined(self, folder: Path) -> Engine:
        kind = type(self.engine)
        return kind(ModelSpec("gone", "Gone 1B", "transformers", source=str(folder / "gone")), folder)


def _cpu_s(pid: int | None) -> float:
    try:
        used = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return used.user + used.system


HOUSES: dict[str, Callable[[Path, Path | None], House]] = {
    "openai": OpenAIHouse,
    "replay": ReplayHouse,
    "llama.cpp": LlamaHouse,
    "transformers": TransformersHouse,
    "qwen3.5": Qwen35House,
    "adapter": AdapterHouse,
    "zerogpu": ZeroGPUHouse,
}
