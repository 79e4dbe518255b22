"""Every architecture that has rows, in bf16 and in 4 bits, loads, answers, stops and tells its memory.

Small checkpoints with random weights, as `transformers` itself saves them; each is the `source` of a row, and is found,
loaded, counted and asked by the engine of every other such row. To save its start (5 s each) one `transformers serve`
holds all of a precision, where a real row has one of its own: so figures of its process are of all of them together.
What a death or an unloading does is shown by the contract test, which runs Qwen3.5 in a server of its own.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image as Picture

from playground import catalog, headers
from playground.engines.serve import TransformersEngine
from playground.engines.worker import Worker
from playground.types import Delta, Finished, Image, Loading, Message, ModelSpec, Sent
from tests import checkpoints
from tests.engines.houses import LONG, SHORT
from tests.engines.test_contract import BRIEF, ENDLESS, text_of

BF16 = list(checkpoints.ARCHITECTURES)
NF4 = [name for name in BF16 if name != "gpt_oss-mxfp4"]
"""What its makers stored in 4 bits is not quantised again."""


class Lent(Worker):
    """A server that outlives the engines that use it."""

    def start(self) -> None:
        if not self.alive():
            super().start()

    def end(self) -> None:
        """Not yet: see `over`."""

    def over(self) -> None:
        super().end()


class Tenant(TransformersEngine):
    """The engine of a row, in a server that it shares."""

    lent: Lent

    def _new_worker(self, place: Path | None) -> Worker:
        return self.lent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("architectures")


@pytest.fixture(scope="module")
def rows(folder: Path) -> catalog.Catalog:
    """One row for each checkpoint and precision, as a person writes it."""
    written = ""
    for name in checkpoints.ARCHITECTURES:
        source = checkpoints.architecture(name, folder / name)
        for precision in ("", "bnb-4bit"):
            written += f'[[model]]\nkey = "{name}:{precision}"\ntitle = "Small {name}"\nengine = "transformers"\n'
            written += "reads_images = true\n" if name in checkpoints.SEES else ""
            written += f'source = {json.dumps(str(source))}\nquantization = "{precision}"\ncontext_tokens = 4096\n'
    (folder / "models.toml").write_text(written, encoding="utf-8")
    return catalog.load(folder / "models.toml")


def serving(spec: ModelSpec, folder: Path) -> Iterator[Lent]:
    one = TransformersEngine(spec, folder, threads=1)
    lent = Lent("small", lambda port: one._command(None, port), settings=one._settings())
    yield lent
    lent.over()


@pytest.fixture(scope="module")
def sixteen(rows: catalog.Catalog, folder: Path) -> Iterator[Lent]:
    yield from serving(rows.row("llama:"), folder)


@pytest.fixture(scope="module")
def four(rows: catalog.Catalog, folder: Path) -> Iterator[Lent]:
    yield from serving(rows.row("llama:bnb-4bit"), folder)


def idle(pid: int) -> bool:
    """It stops computing, long before thousands of tokens are there."""
    process = psutil.Process(pid)

    def used_s() -> float:
        times = process.cpu_times()
        return times.user + times.system

    for _ in range(20):
        before = used_s()
        time.sleep(0.25)
        if used_s() - before < 0.1:
            return True
    return False


def keeps_the_promise(spec: ModelSpec, folder: Path, lent: Lent) -> TransformersEngine:
    engine = Tenant(spec, folder)
    engine.lent = lent
    loading = list(engine.prepare())
    assert all(isinstance(step, Loading) and step.stage for step in loading)
    assert (engine.state().name, engine.cold()) == ("ready", True)
    watch = engine.watch_memory()
    sent, *deltas, last = engine.stream(SHORT, BRIEF)
    assert isinstance(sent, Sent)
    assert deltas
    assert all(isinstance(delta, Delta) and delta.text for delta in deltas)
    assert isinstance(last, Finished)
    assert (last.reason, last.usage.output_tokens, last.usage.source) == ("length", 16, "server")
    assert last.usage.prompt_tokens == engine.count_tokens(SHORT)
    found = watch.read()
    assert found.weights_bytes == headers.weights_bytes(Path(spec.source))
    assert (found.weights_bytes or 0) < (found.peak_bytes or 0) < 4e9
    assert found.method
    assert text_of(list(engine.stream(SHORT, BRIEF))) == text_of(deltas)
    if spec.reads_images:
        sees(engine)
    stops(engine)
    assert not engine.cold()
    return engine


def sees(engine: TransformersEngine) -> None:
    """A picture goes through the tower, which must make as many tokens of it as the prompt has for it."""
    data = io.BytesIO()
    Picture.new("RGB", (64, 64), "red").save(data, "PNG")
    image = Image(data.getvalue(), "image/png", 64, 64, "")
    prompts = []
    for images in ((), (image,)):
        *_, last = engine.stream((Message("user", "What is this?", images),), BRIEF)
        assert isinstance(last, Finished)
        prompts.append(last.usage.prompt_tokens or 0)
    assert prompts[1] >= prompts[0] + 4


def stops(engine: TransformersEngine) -> None:
    with engine.stream(LONG, ENDLESS) as stream:
        assert any(isinstance(event, Delta) for event in stream)
    assert engine.worker
    assert engine.worker.pid
    assert idle(engine.worker.pid)


@pytest.mark.parametrize("name", BF16)
def test_every_architecture_loads_answers_stops_and_tells_its_memory(
    name: str, rows: catalog.Catalog, folder: Path, sixteen: Lent
) -> None:
    keeps_the_promise(rows.row(f"{name}:"), folder, sixteen)


@pytest.mark.parametrize("name", NF4)
def test_so_does_every_architecture_in_4_bits(name: str, rows: catalog.Catalog, folder: Path, four: Lent) -> None:
    """On a CPU with AVX512-BF16, too, where Qwen3.5 with 16 gates failed at its first answer."""
    keeps_the_promise(rows.row(f"{name}:bnb-4bit"), folder, four)


@pytest.mark.parametrize("name", BF16)
def test_the_engine_for_a_lent_gpu_answers_with_every_architecture(
    name: str, rows: catalog.Catalog, folder: Path
) -> None:
    """In this very process, where the lender does nothing: cheaper, and another way through transformers."""
    from playground.engines.zerogpu import ZeroGPUEngine  # late: only these tests have torch in their process

    spec = rows.row(f"{name}:")
    engine = ZeroGPUEngine(spec, folder)
    try:
        assert all(isinstance(step, Loading) for step in engine.prepare())
        events = list(engine.stream(SHORT, BRIEF))
        last = events[-1]
        assert isinstance(last, Finished)
        assert (last.reason, last.usage.output_tokens) == ("length", 16)
        assert last.usage.prompt_tokens == engine.count_tokens(SHORT)
        assert len(text_of(events)) >= 16
        stream = engine.stream(LONG, ENDLESS)
        assert any(isinstance(event, Delta) for event in stream)
        stream.close()
        assert list(stream) == []
    finally:
        engine.close()
