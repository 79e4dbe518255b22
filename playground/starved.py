"""Knows by which words a program says that its memory ran out. Knows no program."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORDS = re.compile(
    r"out of memory|insufficient memory|not enough memory|can(?:'|no)t allocate|cannot allocate"
    r"|(?:failed|unable) to allocate|bad_alloc|mem_buffer != NULL|MemoryError",
    re.IGNORECASE,
)
"""Those of the kernel, CUDA, torch, llama.cpp, C++ and Python."""


def ran_out(said: str) -> bool:
    """Its memory ran out, or it was killed for that."""
    return bool(_WORDS.search(said))


def line(log: Sequence[str]) -> str:
    """The first line of a log that says so, at most 300 characters; "" where none does."""
    return next((each.strip()[:300] for each in log if ran_out(each)), "")
