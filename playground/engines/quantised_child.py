"""Knows how `transformers serve` is started where bitsandbytes quantises: one fault of it is stepped around. Knows no
model. A program of its own, because it needs torch.

python -P quantised_child.py serve [OPTION]...      as the command `transformers`

On a CPU with AVX512-BF16, bitsandbytes 0.50.2 packs every 4-bit matrix anew at its first use, for a kernel that wants
rows in blocks of 32 and whole blocks of scales in each row; any other matrix ends the answer with an AssertionError or
a RuntimeError. Left as it is, such a matrix is computed by the kernel of all other CPUs: the same weights in 4 bits.
"""

from __future__ import annotations

import runpy
from contextlib import suppress
from typing import Any

ROWS = 32
"""`block_n` of `bitsandbytes.functional._convert_weight_packed_for_cpu`."""


def packs(shape: tuple[int, ...], block: int) -> bool:
    """A matrix of (outputs, inputs) with a scale for each `block` weights can be packed for that kernel."""
    return shape[0] % ROWS == 0 and shape[1] % block == 0


def mend(modules: Any) -> None:
    """Let `bitsandbytes.nn.modules` pack only what can be packed. Nothing to do where it packs in another way."""
    pack = getattr(modules, "_convert_weight_packed_for_cpu", None)
    if pack is None:
        return

    def careful(weight: Any, state: Any, *rest: Any) -> Any:
        return pack(weight, state, *rest) if packs(tuple(state.shape), state.blocksize) else (weight, state)

    modules._convert_weight_packed_for_cpu = careful


def main() -> None:
    """Serve."""
    with suppress(ImportError):  # the server itself says what is to be installed
        from bitsandbytes.nn import modules

        mend(modules)
    runpy.run_module("transformers.cli.transformers", run_name="__main__")


if __name__ == "__main__":
    main()
