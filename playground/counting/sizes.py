"""Knows into which classes models fall by size. Knows no model, and needs no numpy, so that flags can name them."""

from __future__ import annotations

UNKNOWN = "unknown"
_BOUNDS_B = {"under-1b": 1.0, "1b-to-10b": 10.0, "10b-to-100b": 100.0}
LARGEST = "100b-and-more"
CLASSES = (*_BOUNDS_B, LARGEST, UNKNOWN)
NAMES = dict(zip(CLASSES, ("under 1B", "1B to 10B", "10B to 100B", "100B and more", "unknown"), strict=True))


def size(parameters_b: float | None) -> str:
    """The class of a model with that many billions of parameters."""
    if parameters_b is None:
        return UNKNOWN
    return next((name for name, bound in _BOUNDS_B.items() if parameters_b < bound), LARGEST)
