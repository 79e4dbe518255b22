"""Knows how to keep what was learnt so that a stop at any moment loses little and breaks nothing. Not what it is."""

import os
from pathlib import Path
from typing import Any

import torch


def keep(state: dict[str, Any], path: Path) -> None:
    """Writes all of `state` or nothing: the final name appears only when the bytes are complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


def kept(path: Path) -> dict[str, Any] | None:
    """The last whole state, or None when nothing was kept yet."""
    return torch.load(path, weights_only=True) if path.exists() else None
