"""What bitsandbytes' kernel for CPUs with AVX512-BF16 cannot pack, it leaves alone: every 4-bit matrix multiplies."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from playground.engines import quantised_child

FITS = [(32, 64), (96, 128), (1024, 1024)]
DOES_NOT = [(16, 1024), (48, 5120), (4304, 1152), (1152, 4304), (64, 96), (33, 62)]
"""(outputs, inputs): gates of Qwen3.5 0.8B and 27B, the vision towers of Qwen3.5 9B and Gemma 3, and odd ones."""


@pytest.mark.parametrize(("shape", "expected"), [*((s, True) for s in FITS), *((s, False) for s in DOES_NOT)])
def test_only_whole_blocks_of_rows_and_of_scales_are_packed(shape: tuple[int, int], expected: bool):
    assert quantised_child.packs(shape, 64) is expected


def test_a_version_that_packs_in_another_way_is_left_alone():
    modules = SimpleNamespace(Linear4bit=object)
    quantised_child.mend(modules)
    assert vars(modules) == {"Linear4bit": object}


@pytest.mark.parametrize("shape", [*FITS, *DOES_NOT])
def test_every_matrix_multiplies_as_its_own_weights_in_4_bits_say(shape: tuple[int, int]):
    """On whatever CPU this runs; on one with AVX512-BF16 those of the second list fail without the mend."""
    import bitsandbytes
    import torch
    from bitsandbytes import functional
    from bitsandbytes.nn import Linear4bit, Params4bit, modules

    torch.manual_seed(0)
    outputs, inputs = shape
    layer = Linear4bit(inputs, outputs, bias=False, compress_statistics=True, quant_type="nf4").eval()
    weight = torch.randn(shape, dtype=torch.bfloat16)
    layer.weight = Params4bit(weight, requires_grad=False, compress_statistics=True, quant_type="nf4").to("cpu")
    said = functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state).float()
    asked = torch.randn(1, 5, inputs, dtype=torch.bfloat16)
    plain = getattr(modules, "_convert_weight_packed_for_cpu", None)
    if bitsandbytes.__version__ == "0.50.2":
        assert plain, "the function that is mended has gone"
    quantised_child.mend(modules)
    try:
        with torch.no_grad():
            found = layer(asked).float()
    finally:
        if plain:
            modules._convert_weight_packed_for_cpu = plain
    wanted = asked.float() @ said.T
    assert torch.linalg.norm(found - wanted) < 0.01 * torch.linalg.norm(wanted)
