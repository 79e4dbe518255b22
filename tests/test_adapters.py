"""What an adapter was made for, what it is put on, and what is said where the two do not belong together."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
from safetensors.numpy import save_file

from playground import adapters, fit, headers, inventory, weights
from playground.engines import guard
from playground.errors import WeightsError
from playground.machine import Machine
from playground.types import ModelSpec

ATTENTION = "layers.{}.self_attn.{}"


def tensors(file: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    save_file({name: numpy.zeros(shape, dtype=numpy.float16) for name, shape in shapes.items()}, file)


def base(folder: Path, layers: int = 2, width: int = 8, prefix: str = "model.", **config: object) -> Path:
    """A checkpoint as far as names and shapes go: queries are square, keys half as many."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"} | config))
    (folder / "tokenizer.json").write_text('"of the base"')
    shapes = {prefix + ATTENTION.format(n, "q_proj") + ".weight": (width, width) for n in range(layers)}
    shapes |= {prefix + ATTENTION.format(n, "k_proj") + ".weight": (width // 2, width) for n in range(layers)}
    tensors(folder / "model.safetensors", shapes)
    return folder


def lora(folder: Path, layers: int = 2, width: int = 8, prefix: str = "model.", leaf: str = "q_proj") -> Path:
    folder.mkdir()
    said = {"peft_type": "LORA", "base_model_name_or_path": "org/Right-1B", "target_modules": [leaf]}
    (folder / "adapter_config.json").write_text(json.dumps(said))
    names = [f"base_model.model.{prefix}{ATTENTION.format(n, leaf)}.lora" for n in range(layers)]
    shapes = {f"{name}_A.weight": (2, width) for name in names} | {f"{name}_B.weight": (width, 2) for name in names}
    tensors(folder / "adapter_model.safetensors", shapes | {f"{names[0]}_magnitude_vector": (width,)})
    return folder


def row(base: Path, adapter: Path | str) -> ModelSpec:
    return ModelSpec("mine", "Mine", "transformers", source=str(base), adapter=str(adapter))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def joined(tmp_path: Path, one: Path, two: Path) -> Path:
    place = weights.locate(row(one, two), tmp_path / "cache")
    assert place
    return place


def test_both_lie_in_one_folder_and_the_base_is_not_copied(tmp_path: Path):
    one, two = base(tmp_path / "base"), lora(tmp_path / "my-lora")
    place = joined(tmp_path, one, two)
    assert {path.name for path in place.iterdir()} == {
        *("config.json", "tokenizer.json", "model.safetensors", "adapter_config.json", "adapter_model.safetensors")
    }
    assert place.joinpath("model.safetensors").samefile(one / "model.safetensors")
    assert place.name.startswith("my-lora-")
    assert joined(tmp_path, one, two) == place


def test_an_adapter_that_was_taught_anew_makes_a_new_folder(tmp_path: Path):
    one, two = base(tmp_path / "base"), lora(tmp_path / "lora")
    before = joined(tmp_path, one, two)
    os.utime(two / "adapter_model.safetensors", ns=(0, 0))
    assert joined(tmp_path, one, two) != before


def test_an_adapters_own_words_and_template_come_before_the_bases(tmp_path: Path):
    two = lora(tmp_path / "lora")
    (two / "tokenizer.json").write_text('"of the adapter"')
    (two / "chat_template.jinja").write_text("{{ messages }}")
    (two / "config.json").write_text("{}")  # some programs leave one there; it is not the base's
    (two / "README.md").write_text("mine")
    place = joined(tmp_path, base(tmp_path / "base"), two)
    assert json.loads((place / "tokenizer.json").read_text()) == "of the adapter"
    assert (place / "chat_template.jinja").is_file()
    assert json.loads((place / "config.json").read_text()) == {"model_type": "llama"}
    assert not (place / "README.md").exists()


def test_an_adapter_of_the_language_model_alone_finds_it_inside_a_model_that_sees(tmp_path: Path):
    one, two = base(tmp_path / "base", prefix="model.language_model."), lora(tmp_path / "lora")
    found = headers.shapes(joined(tmp_path, one, two) / "adapter_model.safetensors")
    names = [f"base_model.model.model.language_model.{ATTENTION.format(n, 'q_proj')}.lora" for n in (0, 1)]
    assert set(found) == {
        *(f"{name}_{part}.weight" for name in names for part in "AB"),
        f"{names[0]}_magnitude_vector",
    }
    assert found[f"{names[0]}_A.weight"] == (2, 8)
    assert headers.weights_bytes(two / "adapter_model.safetensors") == (4 * 2 * 8 + 8) * 2


@pytest.mark.parametrize(
    ("of_base", "of_adapter", "why"),
    [
        ({"width": 16}, {}, r"layers\.0\.self_attn\.q_proj is 8 x 8 in the adapter, and 16 x 16 in the base"),
        ({}, {"layers": 3}, r"there is no model\.layers\.2\.self_attn\.q_proj in it"),
        ({}, {"leaf": "c_attn"}, r"there is no model\.layers\.0\.self_attn\.c_attn in it"),
        ({}, {"leaf": "k_proj"}, r"k_proj is 8 x 8 in the adapter, and 4 x 8 in the base"),
    ],
    ids=["another width", "more layers", "other names", "other heads"],
)
def test_an_adapter_for_another_base_is_refused_with_both_names_and_the_difference(
    tmp_path: Path, cache: Path, of_base: dict[str, int], of_adapter: dict[str, int], why: str
):
    one, two = base(tmp_path / "Wrong-1B", **of_base), lora(tmp_path / "lora", **of_adapter)  # type: ignore[arg-type]
    with pytest.raises(
        WeightsError, match=rf"was made for org/Right-1B, and does not fit \S*Wrong-1B: .*{why}"
    ) as said:
        weights.locate(row(one, two), cache)
    assert "Name the base that it was made for in `source` of the row mine, or another adapter." in str(said.value)
    assert not list(cache.rglob("config.json"))


def test_shapes_of_packed_weights_say_nothing(tmp_path: Path):
    one = base(tmp_path / "base", width=16, quantization_config={"quant_method": "bitsandbytes"})
    assert joined(tmp_path, one, lora(tmp_path / "lora"))


@pytest.mark.parametrize("lacking", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_folder_without_an_adapter_says_what_it_lacks(tmp_path: Path, cache: Path, lacking: str):
    two = lora(tmp_path / "lora")
    (two / lacking).unlink()
    with pytest.raises(WeightsError, match=r"There is no adapter in \S*lora: it lacks .*Correct `adapter`"):
        weights.locate(row(base(tmp_path / "base"), two), cache)


def test_a_place_without_anything_is_named_with_its_field(tmp_path: Path, cache: Path):
    spec = row(base(tmp_path / "base"), tmp_path / "gone")
    assert weights.locate(spec, cache) is None
    with pytest.raises(WeightsError, match=r"There is no adapter at \S*gone; correct `adapter` of the row mine"):
        list(weights.fetch(spec, cache, guard.run))


def test_an_adapter_in_the_place_of_a_model_is_told_where_it_belongs(tmp_path: Path, cache: Path):
    spec = replace(row(lora(tmp_path / "lora"), ""), adapter="")
    with pytest.raises(WeightsError, match=r"is an adapter, not a whole model.*`adapter`.*org/Right-1B.*`source`"):
        weights.locate(spec, cache)


def test_without_peft_nothing_is_fetched_and_the_way_to_install_it_is_said(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(adapters, "find_spec", lambda name: None)
    spec = row(base(tmp_path / "base"), lora(tmp_path / "lora"))
    for wanted in (lambda: weights.locate(spec, cache), lambda: list(weights.fetch(spec, cache, guard.run))):
        with pytest.raises(WeightsError, match=r"Mine is a model with an adapter.*`pip install peft`"):
            wanted()


def test_another_name_of_the_base_is_told_though_it_fits(tmp_path: Path):
    one, two = base(tmp_path / "Other-1B"), lora(tmp_path / "lora")
    spec = row(one, two)
    assert adapters.notice(spec, joined(tmp_path, one, two)) == (
        f"Its adapter says that it was made for org/Right-1B, and is used on {one}"
    )
    assert adapters.notice(replace(spec, repository="copies/right-1b"), joined(tmp_path, one, two)) == ""


def test_what_found_no_place_is_read_from_the_log():
    table = ["Key | Status |", "lm_head.weight | MISSING |", "[transformers] Loading x"]
    key = "model.layers.{0, 1}.self_attn.q_proj.lora_A.default.weight"
    assert adapters.left_over(table) == ""
    assert adapters.left_over([*table, f"{key} | UNEXPECTED |"]) == f"{key} is unexpected"
    assert adapters.left_over([*table, f"{key}    | MISSING    |"]) == f"{key} is missing"


def test_an_adapter_counts_as_weights_in_whichever_precision_the_base_runs(tmp_path: Path):
    sizes = {"hidden_size": 8, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2}
    one = base(tmp_path / "base", vocab_size=100, max_position_embeddings=64, **sizes)
    two = lora(tmp_path / "lora")
    for quantization in ("bf16", "bnb-4bit"):
        needs = [
            fit.judge(spec, Machine(2**40, 2**40), stored=fit.look(place)).weights_bytes
            for spec, place in (
                (replace(row(one, ""), quantization=quantization), one),
                (replace(row(one, two), quantization=quantization), joined(tmp_path, one, two)),
            )
        ]
        assert (needs[1] or 0) - (needs[0] or 0) == headers.weights_bytes(two / "adapter_model.safetensors")


def test_how_much_would_be_fetched_for_a_base_and_an_adapter_is_not_guessed(tmp_path: Path):
    spec = ModelSpec("q", "Q", "transformers", source="Qwen/Qwen3.5-9B", adapter="org/lora")
    found = fit.judge(spec, Machine(2**40, 2**40))
    assert inventory.fetch_bytes(replace(spec, adapter=""), found)
    assert inventory.fetch_bytes(spec, found) is None


def test_rows_with_another_adapter_are_not_of_one_process(tmp_path: Path):
    spec = row(tmp_path, "./a")
    assert spec.process != replace(spec, adapter="./b").process
