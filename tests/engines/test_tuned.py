"""Fine-tuned models through the real `transformers serve`: a local folder, and an adapter on a base."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from playground import fit, headers, weights
from playground.engines.serve import TransformersEngine
from playground.errors import WeightsError
from playground.machine import Machine
from playground.types import Delta, Finished, Message, ModelSpec, Sampling
from tests import checkpoints, tuned

pytest.importorskip("peft")
ASKED = (Message("user", tuned.QUESTION),)
GREEDY = Sampling(temperature=0.0, max_tokens=8)
Open = Callable[..., TransformersEngine]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tuned.base(tmp_path_factory.mktemp("base") / "base")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens engines, each of them closed in the end."""
    engines: list[TransformersEngine] = []

    def engine(source: Path, **row: str | bool) -> TransformersEngine:
        spec = ModelSpec("mine", "Mine", "transformers", source=str(source), **row)  # type: ignore[arg-type]
        engines.append(TransformersEngine(spec, tmp_path / "cache", threads=1))
        return engines[-1]

    yield engine
    for each in engines:
        each.close()


def said(engine: TransformersEngine) -> str:
    for _ in engine.prepare():
        pass
    return "".join(event.text for event in engine.stream(ASKED, GREEDY) if isinstance(event, Delta)).strip()


def test_a_fine_tuned_folder_says_what_it_was_taught_and_its_base_does_not(tmp_path: Path, base: Path, opened: Open):
    assert tuned.TAUGHT not in said(opened(base))
    assert said(opened(tuned.whole(base, tmp_path / "tuned"))) == tuned.TAUGHT


@pytest.mark.parametrize("quantization", ["bf16", "bnb-4bit"])
def test_an_adapter_on_a_base_says_what_it_was_taught_and_is_counted(
    tmp_path: Path, base: Path, opened: Open, quantization: str
):
    if quantization == "bnb-4bit":
        pytest.importorskip("bitsandbytes")
    own = tuned.adapter(base, tmp_path / "lora")
    engine = opened(base, adapter=str(own), quantization=quantization)
    assert tuned.TAUGHT in said(engine)
    of_both = [headers.weights_bytes(place) or 0 for place in (base, own)]
    assert min(of_both) > 10_000
    assert engine.watch_memory().read().weights_bytes == sum(of_both)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the kernel's own figures")
def test_the_peak_of_a_base_with_an_adapter_is_within_ten_percent_of_what_was_said(tmp_path: Path, opened: Open):
    sizes = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
    large = tuned.base(tmp_path / "large", layers=12, **sizes)
    engine = opened(large, adapter=str(tuned.untaught(large, tmp_path / "lora", rank=256)))
    for _ in engine.prepare():
        pass
    watch = engine.watch_memory()
    *_, last = engine.stream((Message("user", "a " * 500),), GREEDY)
    assert isinstance(last, Finished)
    tokens = (last.usage.prompt_tokens or 0) + (last.usage.answer_tokens or 0)
    stored = fit.look(weights.locate(engine.spec, engine.cache))
    assert stored.adapter_bytes > 70_000_000
    judged = fit.judge(engine.spec, Machine(2**40, 2**40), tokens, stored=stored)
    assert judged.need_bytes == pytest.approx(watch.read().peak_bytes, rel=0.10)


def test_an_adapter_that_leaves_layers_of_its_base_without_a_share_is_refused_by_what_the_server_logs(
    tmp_path: Path, base: Path, opened: Open
):
    """Names and shapes agree, so only transformers can tell; it answers with half of an adapter."""
    own = tuned.adapter(base, tmp_path / "lora", named="org/Shallow-1B")
    engine = opened(tuned.base(tmp_path / "deep", layers=3), adapter=str(own))
    with pytest.raises(WeightsError, match=r"was made for org/Shallow-1B, and does not fit .*layers\.2\..* is missing"):
        said(engine)
    assert engine.processes() == []


def test_an_adapter_of_the_language_model_alone_works_on_the_model_that_sees(tmp_path: Path, opened: Open):
    """Qwen3.5: `AutoModelForCausalLM` loads its language model, `transformers serve` all of it, under other names."""
    delta = {"linear_num_key_heads": 2, "linear_num_value_heads": 4}
    delta |= {"linear_key_head_dim": 16, "linear_value_head_dim": 16}
    config = checkpoints.qwen3_5(**tuned.SIZES, **delta, num_hidden_layers=4, initializer_range=0.3)
    seer = checkpoints.save(tmp_path / "seer", "Qwen3_5ForConditionalGeneration", config, sees=True)
    leaves = ("in_proj_qkv", "out_proj", "gate_proj", "down_proj")
    own = tuned.adapter(seer, tmp_path / "lora", leaves=leaves)
    assert said(opened(seer, adapter=str(own), reads_images=True)) == tuned.TAUGHT


def test_where_a_gpu_is_lent_an_adapter_works_too_and_a_wrong_one_is_refused(tmp_path: Path, base: Path):
    from playground.engines.zerogpu import ZeroGPUEngine

    own = tuned.adapter(base, tmp_path / "lora")
    for source, says in ((base, tuned.TAUGHT), (tuned.base(tmp_path / "deep", layers=3), "")):
        spec = ModelSpec("mine", "Mine", "transformers", source=str(source), adapter=str(own))
        engine = ZeroGPUEngine(spec, tmp_path / "cache")
        if says:
            for _ in engine.prepare():
                pass
            text = "".join(event.text for event in engine.stream(ASKED, GREEDY) if isinstance(event, Delta))
            assert text.strip() == says
        else:
            with pytest.raises(WeightsError, match=r"its adapter was made for another base: .*layers\.2\."):
                list(engine.prepare())
        engine.close()
