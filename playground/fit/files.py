"""Knows what the files of a model say of its shape. Reads headers only, never weights."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from playground import headers
from playground.fit import gguf
from playground.fit.needs import Stored


def look(place: Path | None) -> Stored:
    """What is known of weights that are at `place`; nothing of what is not here."""
    if place is None:
        return Stored()
    stored_bytes = headers.weights_bytes(place)
    if place.suffix == ".gguf":
        return Stored(stored_bytes, gguf.config(place))
    with suppress(OSError, ValueError):  # damaged: the server will say so
        config = json.loads((place / "config.json").read_text(encoding="utf-8"))
        if isinstance(config, dict):
            adapter = place / "adapter_model.safetensors"
            return Stored(stored_bytes, config, (headers.weights_bytes(adapter) or 0) if adapter.is_file() else 0)
    return Stored(stored_bytes)
