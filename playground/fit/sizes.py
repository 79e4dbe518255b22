"""Knows how many bytes parameters take, as stored and as run. Knows no machine and no cache."""

from __future__ import annotations

import re

from playground.fit.config import Config, text
from playground.fit.count import Count, count
from playground.fit.errors import Unknown

NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes a weight in bitsandbytes' 4 bit: a scale in 8 bit for 64 weights, one in 32 bit for 256 such scales."""
INT8 = 1.0
MXFP4 = 17 / 32
"""32 weights are 16 bytes and one byte of scale."""

BITS = {
    "F16": 16.0,
    "BF16": 16.0,
    "Q8_0": 8.5008,
    "Q6_K": 6.5633,
    "Q5_K_M": 5.7036,
    "Q5_K_S": 5.5704,
    "Q4_K_M": 4.8944,
    "Q4_K_S": 4.6672,
    "IQ4_NL": 4.6818,
    "IQ4_XS": 4.4597,
    "Q3_K_L": 4.2979,
    "Q3_K_S": 3.6429,
    "Q2_K": 3.1593,
}
"""Bits a weight of a whole GGUF file: llama.cpp's own table (tools/quantize/README.md, Llama 3.1 8B). Published files
of other models lie up to 4 % above it: the share of their embedding differs."""


def checkpoint_bytes(config: Config) -> int:
    """A checkpoint as its makers publish it, in its own number format, MXFP4 packed. Raises Unknown."""
    found, each = count(config), text(config).number_bytes
    if is_mxfp4(config):
        return round(found.experts * MXFP4) + (found.total - found.experts) * each
    return found.total * each


def running_bytes(config: Config, quantization: str, *, unpacked: bool) -> int:
    """What transformers holds: `bnb-4bit` and `bnb-8bit` shrink matrices, MXFP4 may have to be `unpacked` to 16 bit.
    Raises Unknown."""
    if quantized_by(config) not in ("", "mxfp4"):
        raise Unknown(f"its weights are stored in {quantized_by(config)}, and what becomes of them is not known yet")
    found, each = count(config), text(config).number_bytes
    factor = {"bnb-4bit": NF4, "bnb-8bit": INT8}.get(quantization)
    if factor is not None:
        return round(found.linear * factor) + (found.total - found.linear) * each
    return found.total * each if is_mxfp4(config) and unpacked else checkpoint_bytes(config)


def gguf_bytes(config: Config, quantization: str) -> int:
    """A GGUF file of the language model without its tower, by the name of its quantisation. Raises Unknown."""
    found, name = count(config), gguf_name(quantization)
    if name == "MXFP4":  # experts as they are, the rest in 8 bit, as the published files have it
        return round(found.experts * MXFP4 + (found.language - found.experts) * BITS["Q8_0"] / 8)
    if name not in BITS:
        raise Unknown(f"the size of a GGUF file in {quantization or 'its quantisation'} is not known before it is here")
    return round(found.language * BITS[name] / 8)


def projector_bytes(found: Count) -> int:
    """The `mmproj` file beside a GGUF, in 16 bit."""
    return 2 * found.vision


def gguf_name(quantization: str) -> str:
    """`Q4_K_M` of "Q4_K_M", "UD-Q4_K_M" and "4-bit (Q4_K_M)"."""
    found = re.search(r"\b(?:IQ|Q)\d\w*|\bMXFP4\b|\bB?F16\b", quantization.upper())
    return found[0] if found else ""


def is_mxfp4(config: Config) -> bool:
    """Its experts are stored in MXFP4."""
    return quantized_by(config) == "mxfp4"


def quantized_by(config: Config) -> str:
    """How its makers packed the weights; "" where they did not."""
    quantized = config.get("quantization_config")
    return str(quantized.get("quant_method", "")) if isinstance(quantized, dict) else ""
