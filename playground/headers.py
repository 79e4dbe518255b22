"""Knows the headers of weight files, safetensors and GGUF: what is in them, of what shape and size. Reads no tensor.

The `gguf` package's reader takes seconds for a vocabulary; this one steps over it in 0.1 s, and keeps what it found.
"""

from __future__ import annotations

import json
import mmap
import struct
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

DAMAGED = (OSError, ValueError, LookupError, TypeError, AttributeError, struct.error)
"""What reading raises for a file that is no such file, or is cut off: the model's server will say so."""
KINDS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""GGUF's values of one size, by their number in the format; 8 is a text, 9 a list."""

LISTED = 1_000
"""Lists of more numbers are of a vocabulary, 250,000 long; like lists of texts, they are counted and not kept."""


def weights_bytes(path: Path) -> int | None:
    """Sum of the tensors as stored, of a file or of all safetensors in a folder; None where there are none."""
    files = [path] if path.is_file() else sorted(path.glob("*.safetensors"))
    with suppress(*DAMAGED):
        return sum(_tensor_bytes(file, (stat := file.stat()).st_size, stat.st_mtime_ns) for file in files) or None
    return None


def values(path: Path) -> dict[str, Any]:
    """Names and values in a GGUF file's header; of a long list and of one of texts, how many. Nothing for what is no
    such file."""
    with suppress(*DAMAGED):
        return _gguf(path, path.stat().st_mtime_ns)[0]
    return {}


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors in a safetensors file, by name; none where it is not such a file."""
    with suppress(*DAMAGED):
        return {name: tuple(said["shape"]) for name, said in tensors(path)[0].items() if name != "__metadata__"}
    return {}


def tensors(path: Path) -> tuple[dict[str, Any], int]:
    """What a safetensors file says of its tensors, by name, and the byte where they begin. Raises one of DAMAGED."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(min(length, 100_000_000))), 8 + length


@lru_cache(maxsize=512)
def _tensor_bytes(path: Path, size: int, changed_ns: int) -> int:
    """Of one file, kept while it is the same."""
    if path.suffix == ".gguf":
        return _gguf(path, changed_ns)[1]
    spans = [said["data_offsets"] for name, said in tensors(path)[0].items() if name != "__metadata__"]
    return sum(int(end) - int(begin) for begin, end in spans)


@lru_cache(maxsize=64)
def _gguf(path: Path, changed_ns: int) -> tuple[dict[str, Any], int]:
    """Its values, and the bytes of its tensors: all that follows, for they lie without gaps but for alignment."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        magic, _, count, lines = struct.unpack_from("<4sIQQ", data)
        if magic != b"GGUF":
            raise ValueError(f"{path.name} is not a GGUF file")
        said, at = {}, 24
        for _ in range(lines):
            name, at = _text(data, at)
            (kind,) = struct.unpack_from("<I", data, at)
            said[name], at = _value(data, at + 4, kind)
        for _ in range(count):
            at = _after(data, at)
            (dimensions,) = struct.unpack_from("<I", data, at)
            at += 4 + 8 * dimensions + 12
        return said, len(data) - (at + 31) // 32 * 32


def _after(data: mmap.mmap, at: int) -> int:
    """Where a text ends."""
    return at + 8 + int(struct.unpack_from("<Q", data, at)[0])


def _text(data: mmap.mmap, at: int) -> tuple[str, int]:
    end = _after(data, at)
    return data[at + 8 : end].decode("utf-8", "replace"), end


def _value(data: mmap.mmap, at: int, kind: int) -> tuple[Any, int]:
    if kind == 8:
        return _text(data, at)
    if kind != 9:
        form = f"<{KINDS[kind]}"
        return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
    inner, count = struct.unpack_from("<IQ", data, at)
    at += 12
    if inner in KINDS:
        form = f"<{count}{KINDS[inner]}"
        after = at + struct.calcsize(form)
        return (count if count > LISTED else list(struct.unpack_from(form, data, at))), after
    for _ in range(count):
        at = _after(data, at) if inner == 8 else _value(data, at, inner)[1]
    return count, at
