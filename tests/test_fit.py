"""Will it fit: the verdict on a row, with its numbers and the next smaller step."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from playground import catalog, fit
from playground.engines.llama import LlamaEngine
from playground.engines.serve import TransformersEngine
from playground.errors import WorkerError
from playground.fit import known
from playground.fit.needs import gb
from playground.machine import Gpu, Machine
from playground.types import ModelSpec

GB = 10**9
LAPTOP = Machine(16 * GB, 12 * GB)
DESKTOP = Machine(24 * GB, 22 * GB)
CARD = Machine(64 * GB, 50 * GB, (Gpu(0, "a card", 24 * GB, 23 * GB, (8, 9)),))
PAIR_OF_CARDS = Machine(256 * GB, 200 * GB, tuple(Gpu(n, "a card", 48 * GB, 47 * GB, (9, 0)) for n in (0, 1)), True)

BF16 = ModelSpec("q9", "Qwen 9B", "transformers", source="Qwen/Qwen3.5-9B", context_tokens=32768, parameters_b=9.41)
NF4 = replace(BF16, key="q9-bnb", title="Qwen 9B in 4 bit", quantization="bnb-4bit")
GGUF = replace(
    BF16,
    key="q9-q4",
    title="Qwen 9B GGUF",
    engine="llama.cpp",
    source="unsloth/Qwen3.5-9B-GGUF/Qwen3.5-9B-Q4_K_M.gguf",
    quantization="Q4_K_M",
)
SMALL = replace(BF16, key="q4", title="Qwen 4B", source="Qwen/Qwen3.5-4B", parameters_b=4.54)
OSS = ModelSpec("oss", "gpt-oss 120B", "transformers", source="openai/gpt-oss-120b", context_tokens=32768)
HOSTED = ModelSpec("far", "Far", "openai", source="openai/gpt-oss-120b", base_url="https://example.org/v1")


def test_what_runs_elsewhere_fits_and_has_no_figures():
    found = fit.judge(HOSTED, LAPTOP)
    assert (found.verdict, found.where, found.need_bytes) == ("fits", "elsewhere", None)


def test_what_is_not_known_is_unknown_with_its_reason():
    for spec in (
        ModelSpec("near", "Near", "openai", source="x", base_url="http://127.0.0.1:1234/v1"),
        ModelSpec("odd", "Odd", "transformers", source="nobody/knows-this"),
        replace(GGUF, quantization="TQ1_0", source="unsloth/Qwen3.5-9B-GGUF/Qwen3.5-9B-TQ1_0.gguf"),
    ):
        found = fit.judge(spec, LAPTOP)
        assert (found.verdict, found.need_bytes) == ("unknown", None)
        assert found.why


@pytest.mark.parametrize(
    ("spec", "machine", "verdict", "where"),
    [
        (BF16, LAPTOP, "does not fit", "ram"),
        (BF16, DESKTOP, "tight", "ram"),
        (BF16, CARD, "tight", "gpu 0"),
        (BF16, PAIR_OF_CARDS, "fits", "gpus"),
        (NF4, CARD, "fits", "gpu 0"),
        (GGUF, LAPTOP, "fits", "ram"),
        (GGUF, CARD, "fits", "ram"),
        (GGUF, replace(CARD, llama_gpu=True), "fits", "gpu 0"),
        (OSS, PAIR_OF_CARDS, "fits", "gpus"),
        (OSS, replace(PAIR_OF_CARDS, mxfp4_kernels=False), "does not fit", "gpus"),
        (OSS, Machine(256 * GB, 240 * GB), "tight", "ram"),
    ],
    ids=lambda value: value.key if isinstance(value, ModelSpec) else None,
)
def test_the_verdict_is_about_the_place_where_the_engine_puts_it(
    spec: ModelSpec, machine: Machine, verdict: str, where: str
):
    found = fit.judge(spec, machine)
    assert (found.verdict, found.where) == (verdict, where)
    assert found.need_bytes == sum(filter(None, (found.weights_bytes, found.kv_bytes, found.overhead_bytes)))
    free = machine.ram_free_bytes if where == "ram" else sum(gpu.free_bytes for gpu in machine.gpus)
    assert found.free_bytes == free


def test_an_old_card_and_a_processor_have_no_kernel_for_mxfp4():
    old = replace(PAIR_OF_CARDS, gpus=tuple(replace(gpu, capability=(7, 0)) for gpu in PAIR_OF_CARDS.gpus))
    packed = fit.judge(OSS, PAIR_OF_CARDS).weights_bytes
    for machine in (old, Machine(512 * GB, 500 * GB, mxfp4_kernels=True)):
        assert fit.judge(OSS, machine).weights_bytes == 233_658_313_344
    assert packed == 65_248_815_744


def test_a_longer_conversation_needs_more_and_may_change_the_verdict():
    short, long = (fit.judge(BF16, DESKTOP, tokens) for tokens in (2048, 262_144))
    assert (short.verdict, long.verdict) == ("tight", "does not fit")
    assert (long.kv_bytes or 0) - (short.kv_bytes or 0) == (262_144 - 2048) * 32 * 1024
    assert short.weights_bytes == long.weights_bytes


def test_a_gguf_that_reads_pictures_brings_its_projector():
    seeing = replace(GGUF, mmproj="unsloth/Qwen3.5-9B-GGUF/mmproj-F16.gguf")
    more = (fit.judge(seeing, LAPTOP).weights_bytes or 0) - (fit.judge(GGUF, LAPTOP).weights_bytes or 0)
    assert more == 2 * 456_010_480


@pytest.mark.parametrize(
    "source",
    [
        "Qwen/Qwen3.5-9B-GGUF/file-Q4_K_M.gguf",
        "bartowski/Qwen_Qwen3.5-9B-GGUF:Qwen_Qwen3.5-9B-Q4_K_M.gguf",
        "lmstudio-community/Qwen3.5-9B-GGUF/Qwen3.5-9B-Q4_K_M.gguf",
    ],
)
def test_a_gguf_is_known_by_the_name_of_its_repository(source: str):
    assert fit.judge(replace(GGUF, source=source), LAPTOP).need_bytes == fit.judge(GGUF, LAPTOP).need_bytes


# --- the next smaller step ------------------------------------------------------------------------------------------


def test_a_shorter_context_comes_first():
    found = fit.judge(replace(GGUF, context_tokens=262_144), LAPTOP, rows=[NF4, SMALL, HOSTED])
    assert found.verdict == "does not fit"
    assert found.next_step == "Set its context_tokens to 131,072: then it fits."
    assert fit.judge(GGUF, LAPTOP, 131_072).verdict == "fits"


@pytest.mark.parametrize(
    ("spec", "machine", "rows", "named"),
    [
        (BF16, LAPTOP, (HOSTED, SMALL, GGUF), "q9-q4"),
        (BF16, replace(LAPTOP, ram_free_bytes=14 * GB), (HOSTED, SMALL), "q4"),
        (NF4, replace(LAPTOP, ram_free_bytes=4 * GB), (HOSTED, SMALL), "far"),
        (OSS, CARD, (BF16, SMALL, HOSTED), "far"),
    ],
)
def test_then_fewer_bits_then_a_smaller_model_then_one_elsewhere(
    spec: ModelSpec, machine: Machine, rows: tuple[ModelSpec, ...], named: str
):
    found = fit.judge(spec, machine, rows=rows)
    assert found.verdict == "does not fit"
    assert f"({named}" in found.next_step


def test_without_other_rows_the_row_itself_in_four_bit_is_proposed_and_else_what_is_missing():
    assert 'quantization = "bnb-4bit"' in fit.judge(BF16, replace(LAPTOP, ram_free_bytes=14 * GB)).next_step
    assert "It misses" in fit.judge(OSS, LAPTOP).next_step


def test_what_fits_needs_no_next_step():
    assert fit.judge(GGUF, LAPTOP, rows=[SMALL]).next_step == ""


def test_every_row_of_the_catalog_that_runs_here_is_judged_on_every_machine():
    """But for rows of servers, whose memory is their own."""
    rows = list(catalog.load())
    for machine in (LAPTOP, DESKTOP, CARD, PAIR_OF_CARDS):
        for row in rows:
            if row.engine not in ("transformers", "llama.cpp") or row.source.startswith("package:"):
                continue
            found = fit.judge(row, machine, rows=rows)
            assert found.verdict != "unknown", f"{row.key}: {found.why}"
            assert bool(found.next_step) == (found.verdict != "fits"), row.key


def test_the_table_in_the_readme_is_what_is_judged():
    readme = (Path(fit.__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| `(\S+)` \| (memory|GPU) \| (.+) \|$", readme, re.MULTILINE)
    assert len(lines) == 7
    endless = Gpu(0, "a card", 10**15, 10**15, (9, 0))
    for key, where, figures in lines:
        machine = Machine(10**15, 10**15, (endless,) if where == "GPU" else (), mxfp4_kernels=True)
        found = fit.judge(catalog.load().row(key), machine)
        parts = (found.weights_bytes, found.kv_bytes, found.overhead_bytes, found.need_bytes)
        assert figures == " | ".join(gb(part or 0) for part in parts), key


# --- what is here already -------------------------------------------------------------------------------------------


def test_files_that_are_here_say_more_than_what_is_known_beforehand(tmp_path: Path):
    shape = {"model_type": "llama", "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 64}
    (tmp_path / "config.json").write_text(json.dumps({**shape, "vocab_size": 100, "max_position_embeddings": 512}))
    save_file({"weights": np.zeros(12_345, np.uint8)}, tmp_path / "model.safetensors")
    stored = fit.look(tmp_path)
    found = fit.judge(ModelSpec("own", "Own", "transformers", source=str(tmp_path)), LAPTOP, stored=stored)
    assert (found.verdict, found.weights_bytes) == ("fits", 12_345)
    assert found.kv_bytes == 2 * 2 * 4 * 16 * 2 * 512
    assert fit.look(None) == fit.Stored()


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**13), 10**13), st.text(max_size=3), st.lists(st.integers(), max_size=2)
)
NUMBERS = sorted(known.shapes()["qwen/qwen3.5-35b-a3b"].config["text_config"])


@given(st.dictionaries(st.sampled_from([*NUMBERS, "layer_types", "sliding_window", "dtype", "intermediate_size"]), ODD))
def test_whatever_stands_in_a_config_there_is_a_verdict(changes: dict[str, object]):
    whole = known.shapes()["qwen/qwen3.5-35b-a3b"].config
    config = {**whole, "text_config": {**whole["text_config"], **changes}}
    for engine in ("transformers", "llama.cpp"):
        row = ModelSpec("own", "Own", engine, source="/somewhere", context_tokens=4096, quantization="bnb-4bit")
        for size in (None, 5 * GB):
            found = fit.judge(row, CARD, stored=fit.Stored(size, config))
            assert found.why
            assert fit.refusal(row, CARD, fit.Stored(size, config)) == "" or found.next_step


def gguf_file(path: Path, family: str, numbers: dict[str, int | list[int]]) -> Path:
    """A GGUF file with that header, written by llama.cpp's own package, and one tensor."""
    import gguf

    writer = gguf.GGUFWriter(path, family)
    for name, value in numbers.items():
        key = f"{family}.{name}"
        writer.add_array(key, value) if isinstance(value, list) else writer.add_uint32(key, value)
    writer.add_token_list(["a", "b", "ö"])
    writer.add_tensor("x", np.zeros((4, 32), np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


HEADER: dict[str, int | list[int]] = {
    "block_count": 8,
    "embedding_length": 64,
    "feed_forward_length": 128,
    "context_length": 4096,
    "attention.head_count": 4,
    "attention.head_count_kv": 2,
    "attention.key_length": 32,
}
STATE = {"ssm.conv_kernel": 4, "ssm.state_size": 16, "ssm.group_count": 2, "ssm.time_step_rank": 4}


@pytest.mark.parametrize(
    ("family", "more", "cells"),
    [
        ("llama", {}, 8 * 2048),
        ("gemma3", {"attention.sliding_window": 512}, 1 * 2048 + 7 * 1024),
        ("qwen35", {"full_attention_interval": 4, "attention.head_count_kv": [0, 0, 0, 2] * 2, **STATE}, 2 * 2048),
        ("brandnew", {"attention.sliding_window": 512}, 8 * 2048),
    ],
)
def test_a_gguf_of_ones_own_is_known_by_its_header(tmp_path: Path, family: str, more: dict[str, int], cells: int):
    path = gguf_file(tmp_path / "own.gguf", family, HEADER | more)
    stored = fit.look(path)
    found = fit.judge(ModelSpec("own", "Own", "llama.cpp", source=str(path)), LAPTOP, 2000, stored=stored)
    state = 6 * (4 * 16 * 16 * 4 + (2 * 32 + 64) * 3 * 4) if family == "qwen35" else 0
    assert found.kv_bytes == cells * 2 * 2 * 32 * 2 + state
    assert (found.verdict, found.weights_bytes) == ("fits", 4 * 32 * 2)


def test_a_damaged_gguf_has_no_shape(tmp_path: Path):
    whole = gguf_file(tmp_path / "own.gguf", "llama", HEADER).read_bytes()
    for cut in (0, 3, 24, 60, 200):
        (tmp_path / "cut.gguf").write_bytes(whole[:cut])
        assert fit.look(tmp_path / "cut.gguf") == fit.Stored()


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"'])
def test_a_damaged_config_is_no_config(tmp_path: Path, text: str):
    (tmp_path / "config.json").write_text(text)
    save_file({"weights": np.zeros(7, np.uint8)}, tmp_path / "model.safetensors")
    assert fit.look(tmp_path) == fit.Stored(7)


# --- verdicts that are kept -----------------------------------------------------------------------------------------


def test_a_verdict_is_kept_until_what_is_free_is_looked_at_again():
    now, looks, files = [0.0], [LAPTOP, DESKTOP], []

    def stored(spec: ModelSpec) -> fit.Stored:
        files.append(spec.key)
        return fit.Stored()

    fits = fit.Fits([BF16, GGUF], lambda: looks.pop(0), stored, fresh_s=3.0, clock=lambda: now[0])
    first = fits.of(BF16)
    assert fits.of(BF16) is first
    assert (first.verdict, files) == ("does not fit", ["q9"])
    assert "(q9-q4" in first.next_step
    now[0] = 3.5
    assert fits.of(BF16).verdict == "tight"
    assert (looks, files) == ([], ["q9"])
    now[0] = 31.0
    looks.append(replace(DESKTOP))  # another look, though it sees the same
    fits.of(BF16)
    assert files == ["q9", "q9"]


# --- what is not even started ---------------------------------------------------------------------------------------


def test_a_model_that_would_thrash_is_refused_and_a_tight_one_is_not():
    assert fit.refusal(BF16, LAPTOP, fit.Stored()).startswith("It needs 20.")
    assert fit.refusal(BF16, DESKTOP, fit.Stored()) == ""
    assert fit.refusal(GGUF, LAPTOP, fit.Stored()) == ""
    assert fit.refusal(ModelSpec("odd", "Odd", "transformers", source="nobody/knows"), LAPTOP, fit.Stored()) == ""


def test_pages_that_an_answer_never_reads_do_not_refuse_a_model():
    """Of 18.8 GB, transformers on a processor leaves the embedding and the vision tower (2.9 GB) on the disk: measured,
    16.0 GB were resident."""
    assert fit.judge(BF16, replace(DESKTOP, ram_free_bytes=19 * GB), 2048).verdict == "does not fit"
    assert fit.refusal(BF16, replace(DESKTOP, ram_free_bytes=19 * GB), fit.Stored()) == ""
    assert fit.refusal(BF16, replace(DESKTOP, ram_free_bytes=17 * GB), fit.Stored())


def test_a_gpu_that_is_too_small_has_the_memory_beside_it():
    assert fit.judge(OSS, CARD).verdict == "does not fit"
    assert fit.refusal(OSS, CARD, fit.Stored())
    rest = replace(CARD, ram_free_bytes=230 * GB)
    assert fit.refusal(OSS, rest, fit.Stored()) == ""


def test_llama_cpp_reserves_its_whole_context_so_it_is_refused_for_it():
    long = replace(GGUF, context_tokens=262_144)
    assert "Set its context_tokens to" in fit.refusal(long, LAPTOP, fit.Stored())
    assert fit.refusal(replace(long, engine="transformers", quantization="bnb-4bit"), LAPTOP, fit.Stored()) == ""


@pytest.mark.parametrize("kind", [TransformersEngine, LlamaEngine])
def test_the_engine_refuses_before_it_fetches_or_starts_anything(
    kind: type[TransformersEngine] | type[LlamaEngine], tmp_path: Path
):
    spec = BF16 if kind is TransformersEngine else GGUF
    engine = kind(spec, tmp_path, machine=lambda: Machine(4 * GB, 2 * GB))
    with pytest.raises(WorkerError, match=r"Qwen 9B.* was not started\. It needs .* GB .* --load-anyway"):
        list(engine.prepare())
    assert engine.worker is None
    assert list(tmp_path.iterdir()) == []
    assert engine.state().name == "failed"
