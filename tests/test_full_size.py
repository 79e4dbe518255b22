"""The checkpoint that `benchmarks/full_size.py` writes is one that transformers loads: checked with a tiny shape."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import full_size
from playground import headers
from playground.fit import known
from playground.fit.config import text
from playground.fit.count import count
from tests import checkpoints


@pytest.mark.parametrize("most", [full_size.SHARD_BYTES, 40_000])
def test_random_shards_are_a_whole_checkpoint_of_the_class(tmp_path: Path, most: int, monkeypatch: pytest.MonkeyPatch):
    from transformers import AutoModelForImageTextToText

    monkeypatch.setattr(full_size, "TILE", 1000)
    config = checkpoints.qwen3_5(
        hidden_size=64, intermediate_size=96, num_attention_heads=2, num_key_value_heads=1, num_hidden_layers=4
    )
    config.architectures = ["Qwen3_5ForConditionalGeneration"]
    total = full_size.write(tmp_path, config, most)
    assert total == headers.weights_bytes(tmp_path)
    assert (len(list(tmp_path.glob("*.safetensors"))) > 1) == (most == 40_000)
    model, told = AutoModelForImageTextToText.from_pretrained(tmp_path, output_loading_info=True)
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    assert all(
        0 < float(each.detach().abs().max()) < 1 for name, each in model.named_parameters() if each.numel() > 1000
    )


def test_at_full_size_it_is_qwen3_5_9b():
    shape = known.shapes()[full_size.SOURCE.lower()]
    config = full_size.made(shape.config)
    sizes = [full_size.np.prod(each) for each in full_size.tensors(config).values()]
    assert sum(map(int, sizes)) == count(shape.config).total == 9_409_813_744
    assert [f"{kind}_attention" for kind in text(shape.config).kinds] == config.text_config.layer_types
