"""What the contract does not ask of a model in the app's own process: the border to who lends the GPU."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from playground import images
from playground.engines import inside, open_engine, zerogpu
from playground.engines.serve import TransformersEngine
from playground.engines.zerogpu import Question, ZeroGPUEngine
from playground.errors import PromptError, RefusedError, StreamError, TooLongError
from playground.settings import Settings
from playground.types import Delta, Finished, Memory, Message, ModelSpec, Sampling, Sent, Usage

SHAPES = ModelSpec(
    "shapes-small", "Shapes small", "transformers", "package:weights/shapes-small", reads_images=True,
    context_tokens=2048, sampling=Sampling(temperature=0.0),
)  # fmt: skip
GREEDY = Sampling(temperature=0.0, max_tokens=24)
ASK = (Message("user", "What do you see?"),)


@pytest.fixture
def shapes(tmp_path: Path) -> Iterator[ZeroGPUEngine]:
    engine = ZeroGPUEngine(SHAPES, tmp_path)
    list(engine.prepare())
    yield engine
    engine.close()


def test_only_a_space_with_a_lent_gpu_answers_in_the_apps_process() -> None:
    row = ModelSpec("m", "M", "transformers", "somebody/something")
    lent = {"SPACE_ID": "me/it", "SPACES_ZERO_GPU": "true"}
    assert isinstance(open_engine(row, Settings(environ=lent)), ZeroGPUEngine)
    assert isinstance(open_engine(row, Settings(environ={"SPACE_ID": "me/it"})), TransformersEngine)


def test_a_picture_reaches_a_model_that_reads_pictures(shapes: ZeroGPUEngine, tmp_path: Path) -> None:
    from PIL import Image as Picture
    from PIL import ImageDraw

    canvas = Picture.new("RGB", (256, 256), "white")
    ImageDraw.Draw(canvas).ellipse((60, 60, 196, 196), fill="red")
    canvas.save(tmp_path / "circle.png")
    picture = images.prepare(tmp_path / "circle.png")

    def tokens(*pictures: Any) -> int:
        last = list(shapes.stream([Message("user", "What do you see?", pictures)], GREEDY))[-1]
        assert isinstance(last, Finished)
        return last.usage.prompt_tokens or 0

    assert tokens(picture) > tokens() + 16


def test_memory_is_known_when_the_answer_has_ended_and_is_not_invented_on_a_cpu(shapes: ZeroGPUEngine) -> None:
    watch = shapes.watch_memory()
    assert (watch.read().weights_bytes or 0) > 1_000_000
    assert "when the answer has ended" in watch.read().reason
    list(shapes.stream(ASK, GREEDY))
    assert (watch.read().peak_bytes, watch.read().reason) == (None, inside.SHARED)


def test_on_a_gpu_memory_is_the_models_weights_and_what_its_answer_added(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    held = SimpleNamespace(most=0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 70_000)  # of two models
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: held.most)
    gauge = inside._Gauge(inside.Loaded(None, None, 20_000))
    held.most = 75_000
    assert gauge.read() == Memory(20_000, 25_000, 20_000, method=inside.ALLOCATED, device_peak_bytes=25_000)


@pytest.mark.parametrize(("asked", "seconds"), [(None, 66), (1, 15), (100, 20), (1_000_000, 120)])
def test_the_gpu_is_asked_for_as_long_as_the_answer_may_be_and_never_longer_than_allowed(
    asked: int | None, seconds: int
) -> None:
    assert zerogpu.gpu_seconds(Question(SHAPES, "", ASK, Sampling(max_tokens=asked))) == seconds


@pytest.mark.parametrize(
    "value",
    [
        Question(SHAPES, "/weights", ASK, GREEDY),
        ("m", Sent(1.0)),
        ("m", Delta("text", 1.0, True)),
        ("m", Finished("stop", Usage(1, 0, 2, None, "server"), 2.0)),
        ("m", Memory(1, 2, 3, method="torch")),
    ],
)
def test_all_that_crosses_to_the_process_with_the_gpu_and_back_survives_it(value: object) -> None:
    assert pickle.loads(pickle.dumps(value)) == value


def test_an_error_crosses_as_a_value_with_its_words(shapes: ZeroGPUEngine) -> None:
    long = Question(SHAPES, "", (Message("user", "word " * 3000),), GREEDY)
    *_, (key, error) = zerogpu.answers(long)
    error = pickle.loads(pickle.dumps(error))
    assert (key, type(error)) == ("shapes-small", TooLongError)
    assert "reads 2,048" in str(error)
    with pytest.raises(PromptError, match="Shorten it"):
        list(shapes.stream(long.messages, GREEDY))


def test_a_refusal_of_the_lender_is_told_in_its_words_with_a_next_step(
    shapes: ZeroGPUEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Quota(Exception):
        """As the lender raises it: an error of the page's library, with a message for the person."""

        message = "You have exceeded your free ZeroGPU quota (60s requested vs. 12s left)."

    def refuse(question: Question) -> Iterator[zerogpu.Said]:
        yield from ()
        raise Quota

    monkeypatch.setattr(zerogpu, "answers", refuse)
    with pytest.raises(RefusedError, match=r"No GPU was lent for Shapes small: You have .* choose a model that runs"):
        list(shapes.stream(ASK, GREEDY))


def test_leaving_an_answer_closes_the_lent_function_so_that_the_gpu_is_given_back(
    shapes: ZeroGPUEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_back = []

    def lend(question: Question) -> Iterator[zerogpu.Said]:
        try:
            for n in range(1000):
                yield "shapes-small", Delta("x", float(n))
        finally:
            given_back.append(True)

    monkeypatch.setattr(zerogpu, "answers", lend)
    with shapes.stream(ASK, GREEDY) as stream:
        next(stream)
    assert given_back == [True]
    stream = shapes.stream(ASK, GREEDY)
    next(stream)
    shapes.close()
    with pytest.raises(StreamError, match="was closed while it answered"):
        list(stream)
    assert given_back == [True, True]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Sampling(), (True, 0.7, 0.8, 1024)),
        (Sampling(temperature=0.0), (False, None, None, 1024)),
        (Sampling(temperature=0.2, max_tokens=9), (True, 0.2, 0.8, 9)),
        (Sampling(top_p=0.5, max_tokens=5000), (True, 0.7, 0.5, 1948)),
        (Sampling(temperature=1.0, top_k=40, min_p=0.1), (True, 1.0, 0.8, 1024)),
    ],
)
def test_sampling_is_the_models_own_but_for_what_was_asked(asked: Sampling, expected: tuple[object, ...]) -> None:
    own = SimpleNamespace(
        do_sample=True, temperature=0.7, top_p=0.8, top_k=20, min_p=None, pad_token_id=None, eos_token_id=[2, 3]
    )
    config = inside._config(SimpleNamespace(generation_config=own), SHAPES, asked, prompt=100)
    assert (config.do_sample, config.temperature, config.top_p, config.max_new_tokens) == expected
    assert config.pad_token_id == 2
    assert config.top_k == (asked.top_k or (None if asked.temperature == 0 else 20))
    assert config.min_p == asked.min_p
    assert own.pad_token_id is None
