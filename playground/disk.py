"""Knows whether a disk has room for a download, in bytes and in words. Fetches nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

from playground.errors import WeightsError

TIGHT_BYTES, TIGHT_SHARE = 5_000_000_000, 0.1
"""A disk with less left than one of these, of the whole of it, is nearly full."""


def refusal(what: str, need_bytes: int, free_bytes: int, where: str, remedy: str) -> str:
    """Why nothing is fetched."""
    need, free = gb(need_bytes), gb(free_bytes)
    return f"{what} needs {need} more on the disk, and {free} are free at {where}. Nothing was fetched. {remedy}"


def note(left_bytes: int, total_bytes: int, where: str) -> str:
    """That little will be left when all is here; "" where it is plenty."""
    if left_bytes >= TIGHT_BYTES and left_bytes >= TIGHT_SHARE * total_bytes:
        return ""
    return f"The disk will be nearly full: {gb(left_bytes)} of {gb(total_bytes)} will be left at {where}."


def check(what: str, need_bytes: int, folder: Path, remedy: str) -> str:
    """What `note` says of that many bytes more in a folder. Raises WeightsError where they do not fit, and OSError."""
    found = shutil.disk_usage(folder)
    if need_bytes > found.free:
        raise WeightsError(refusal(what, need_bytes, found.free, str(folder), remedy))
    return note(found.free - need_bytes, found.total, str(folder))


def gb(number: int) -> str:
    """Gigabytes or megabytes, of 1,000, as people read them."""
    return f"{number / 1e9:.1f} GB" if number >= 100_000_000 else f"{number / 1e6:.1f} MB"
