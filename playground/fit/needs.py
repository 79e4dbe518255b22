"""Knows what a row needs at one place of a machine, against what is free there. Knows nothing better to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from playground.fit import known, sizes
from playground.fit.cache import Engine, kv_bytes
from playground.fit.config import Config, Text, text
from playground.fit.count import count
from playground.fit.errors import Unknown
from playground.fit.overhead import overhead_bytes
from playground.machine import Machine
from playground.types import ModelSpec

Verdict = Literal["fits", "tight", "does not fit", "unknown"]
TIGHT = 0.9
"""Over this share of what is free, a model is tight."""
MXFP4_DEVICE = (7, 5)
"""The oldest device for which transformers keeps MXFP4 weights packed (its quantizer_mxfp4.py)."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What a model needs and what is free, in bytes; None where it is not known, and `why` then says why.

    `where` is `ram`, `gpu 0`, `gpus` (all of them together) or `elsewhere`. `next_step` is a sentence with the next
    smaller thing to do, "" where the model fits. `why` is the verdict in a sentence with its numbers,
    `context_tokens` the length of conversation that it holds for.
    """

    verdict: Verdict
    weights_bytes: int | None = None
    kv_bytes: int | None = None
    overhead_bytes: int | None = None
    free_bytes: int | None = None
    where: str = ""
    next_step: str = ""
    why: str = ""
    context_tokens: int = 0

    @property
    def need_bytes(self) -> int | None:
        """Weights, KV cache and overhead together; None while one of them is not known."""
        parts = [part for part in (self.weights_bytes, self.kv_bytes, self.overhead_bytes) if part is not None]
        return sum(parts) if len(parts) == 3 else None


@dataclass(frozen=True, slots=True)
class Stored:
    """What the files of a model that is here say: bytes of its tensors, its config.json, and how many of those bytes
    are of an adapter on it."""

    weights_bytes: int | None = None
    config: Config | None = None
    adapter_bytes: int = 0


def places(spec: ModelSpec, machine: Machine) -> list[str]:
    """Where the engine would put it, best first. transformers takes the GPUs where there are any; llama.cpp only as a
    build for GPUs, and it can do without them."""
    gpu = "gpu 0" if len(machine.gpus) == 1 else "gpus"
    if not machine.gpus:
        return ["ram"]
    if spec.engine == "transformers":
        return [gpu]
    return [gpu, "ram"] if machine.llama_gpu else ["ram"]


def need(spec: ModelSpec, machine: Machine, where: str, context_tokens: int | None, stored: Stored) -> Fit:
    """What the row needs at that place, against what is free there; no next step yet. Raises Unknown."""
    config = config_of(spec, stored)
    shape, engine = text(config), engine_of(spec)
    tokens = context_tokens or spec.context_tokens or shape.context_tokens
    if tokens is None:
        raise Unknown("neither the row nor the model says how large its context is")
    weights = weights_bytes(spec, machine, where, config, stored)
    cache = kv_bytes(shape, tokens, engine)
    bnb = spec.quantization.startswith("bnb-")
    beside = overhead_bytes(shape, tokens, engine, on_gpu=where != "ram", bnb=bnb)
    free = machine.ram_free_bytes if where == "ram" else sum(gpu.free_bytes for gpu in machine.gpus)
    total = weights + cache + beside
    verdict: Verdict = "does not fit" if total > free else "tight" if total > TIGHT * free else "fits"
    why = (
        f"It needs {gb(total)} with a context of {tokens:,} tokens (weights {gb(weights)}, cache {gb(cache)}, "
        f"run time {gb(beside)}); {gb(free)} are free {SPOKEN[where]}."
    )
    return Fit(verdict, weights, cache, beside, free, where, "", why, tokens)


SPOKEN = {"ram": "in memory", "gpu 0": "on the GPU", "gpus": "on the GPUs together"}


def weights_bytes(spec: ModelSpec, machine: Machine, where: str, config: Config, stored: Stored) -> int:
    """Bytes of the weights while they run: from the files where they are here, else from the shape. Raises Unknown."""
    if spec.engine == "llama.cpp":
        known_shape = known.shape_of(spec) if spec.mmproj else None  # a GGUF file does not speak of its tower
        tower = sizes.projector_bytes(count(known_shape.config)) if known_shape else 0
        return tower + (stored.weights_bytes or _published(spec) or sizes.gguf_bytes(config, spec.quantization))
    unpacked = where == "ram" or not keeps_mxfp4(machine)
    changed = spec.quantization.startswith("bnb-") or (sizes.is_mxfp4(config) and unpacked)
    if stored.weights_bytes is not None and not changed:
        return stored.weights_bytes
    return stored.adapter_bytes + sizes.running_bytes(config, spec.quantization, unpacked=unpacked)


def _published(spec: ModelSpec) -> int | None:
    shape = known.shape_of(spec)
    return shape.files.get(sizes.gguf_name(spec.quantization)) if shape else None


def keeps_mxfp4(machine: Machine) -> bool:
    """transformers runs MXFP4 weights as they are on this machine's GPUs; else it makes 16 bit of them."""
    new_enough = all(gpu.capability is not None and gpu.capability >= MXFP4_DEVICE for gpu in machine.gpus)
    return bool(machine.gpus) and new_enough and machine.mxfp4_kernels


def config_of(spec: ModelSpec, stored: Stored) -> Config:
    """The config.json that is here, else the shape that comes with the package. Raises Unknown."""
    if stored.config is not None:
        return stored.config
    shape = known.shape_of(spec)
    if shape is None:
        raise Unknown(f"the shape of {spec.repository or spec.source} is not known before its files are here")
    return shape.config


def shape(spec: ModelSpec, stored: Stored | None = None) -> Text | None:
    """What the language model of that row is; None where it is not known."""
    try:
        return text(config_of(spec, stored or Stored()))
    except Unknown:
        return None


def engine_of(spec: ModelSpec) -> Engine:
    """Whose arithmetic holds."""
    return "llama.cpp" if spec.engine == "llama.cpp" else "transformers"


def untouched_bytes(spec: ModelSpec, where: str, stored: Stored) -> int:
    """Of the weights, what an answer to text leaves on the disk: on a CPU transformers maps its files, and of an
    embedding that is not the output layer too, and of a vision tower, only what is used is read. Raises Unknown."""
    if where != "ram" or engine_of(spec) != "transformers" or spec.quantization.startswith("bnb-"):
        return 0
    config = config_of(spec, stored)
    found = count(config)
    whole = found.vision + (found.embedding if found.head else 0)
    return 0 if sizes.is_mxfp4(config) else whole * text(config).number_bytes


def gb(number: int) -> str:
    """Gigabytes (10^9) as people read them."""
    return f"{number / 1e9:.1f} GB" if number >= 100_000_000 else f"{number / 1e6:.0f} MB"
