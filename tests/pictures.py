"""Knows how to make picture files for tests, good and odd ones, and how to look at what was made of them."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import PIL.Image
import PIL.ImageDraw

from playground import types

WHITE, RED, BLUE = (255, 255, 255), (220, 30, 30), (30, 60, 220)


def corners(width: int = 60, height: int = 40) -> PIL.Image.Image:
    """A picture that tells every rotation and mirroring from every other."""
    picture = PIL.Image.new("RGB", (width, height), WHITE)
    draw = PIL.ImageDraw.Draw(picture)
    draw.rectangle((0, 0, width // 2 - 1, height // 2 - 1), fill=RED)
    draw.rectangle((width // 2, 0, width, height // 4 - 1), fill=BLUE)
    return picture


def encoded(picture: PIL.Image.Image, kind: str, **options: object) -> bytes:
    written = io.BytesIO()
    picture.save(written, kind, **options)
    return written.getvalue()


def file(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def opened(image: types.Image) -> PIL.Image.Image:
    picture = PIL.Image.open(io.BytesIO(image.data))
    picture.load()
    return picture


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def close(one: tuple[int, ...], other: tuple[int, ...], by: int = 12) -> bool:
    return all(abs(a - b) <= by for a, b in zip(one, other, strict=True))


def half_clear(mode: str) -> PIL.Image.Image:
    picture = PIL.Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (0, 0, 10, 20))
    return picture.convert(mode)
