"""Knows which file a run of the app writes its votes to, and where readers find them. Opens no file.

One file that every run appends to, or, where files are copied elsewhere by name, a file of its own for every run: a
copy under a fixed name would replace all that an earlier run, or another one, had copied there.
"""

from __future__ import annotations

import re
import uuid
from pathlib import Path

_OWN = re.compile(r"votes-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.csv")


def place(told: Path, own: bool = False) -> Path:
    """Where votes are written when `--votes` says `told`. With `own`, or when that is a folder, a new name in it."""
    if not own and not _is_folder(told):
        return told
    return folder(told) / f"votes-{uuid.uuid4()}.csv"


def folder(told: Path) -> Path:
    """The folder that votes are written to when `--votes` says `told`."""
    return told if _is_folder(told) else told.parent


def readable(told: Path) -> Path:
    """What a reader is handed when the writer was told `told`: that file, or its folder if runs had their own files."""
    return folder(told) if _is_folder(told) or own_files(told.parent) else told


def own_files(within: Path) -> list[Path]:
    """The files in that folder that belong to one run each, by name."""
    return sorted(path for path in within.glob("votes-*.csv") if _OWN.fullmatch(path.name))


def _is_folder(path: Path) -> bool:
    return path.is_dir() or (not path.suffix and not path.exists())
