"""Headers of weight files, as the libraries that own the formats write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter
from safetensors.numpy import save_file

from playground import headers


def test_weights_of_a_sharded_checkpoint_are_the_sum_of_its_tensors(tmp_path: Path):
    first = {"a": np.zeros((2, 5), np.uint8), "b": np.zeros(5, np.float32)}
    save_file(first, tmp_path / "model-00001-of-00002.safetensors", {"format": "pt"})
    save_file({"c": np.zeros(5, np.uint8)}, tmp_path / "model-00002-of-00002.safetensors")
    assert headers.weights_bytes(tmp_path) == 35
    assert headers.shapes(tmp_path / "model-00001-of-00002.safetensors") == {"a": (2, 5), "b": (5,)}


@pytest.mark.parametrize("name", ["x.gguf", "x.safetensors"])
@pytest.mark.parametrize("data", [b"", b"GGUF", b"garbage" * 20])
def test_a_damaged_file_says_nothing(tmp_path: Path, name: str, data: bytes):
    (tmp_path / name).write_bytes(data)
    assert headers.weights_bytes(tmp_path / name) is None
    assert headers.values(tmp_path / name) == {}
    assert headers.shapes(tmp_path / name) == {}


def test_a_gguf_tells_its_values_and_its_weights_are_what_follows_its_header(tmp_path: Path):
    writer = GGUFWriter(tmp_path / "x.gguf", "llama")
    writer.add_array("tokenizer.ggml.tokens", ["a", "bc"])
    writer.add_string("general.name", "x")
    writer.add_array("numbers", [1, 2, 3])
    writer.add_array("scores", [0.5] * 2_000)
    writer.add_tensor("w", np.zeros((64, 32), dtype="float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    reader = GGUFReader(tmp_path / "x.gguf")
    assert headers.weights_bytes(tmp_path / "x.gguf") == sum(int(each.n_bytes) for each in reader.tensors) == 8192
    assert headers.values(tmp_path / "x.gguf") == {
        "general.architecture": "llama", "tokenizer.ggml.tokens": 2, "general.name": "x", "numbers": [1, 2, 3],
        "scores": 2_000,
    }  # fmt: skip


def test_a_file_that_was_written_anew_is_read_anew(tmp_path: Path):
    for size in (3, 9):
        save_file({"a": np.zeros(size, np.uint8)}, tmp_path / "x.safetensors")
        assert headers.weights_bytes(tmp_path) == size
