"""Knows how figures of a benchmark are gathered and printed: medians with their spread, and last one JSON line."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

PROMPT = "Write a long story about a lighthouse keeper and the sea. Take your time and describe everything."
TOKENS = 96


def spread(values: Iterable[float]) -> dict[str, float]:
    """Median, smallest, largest and count."""
    ordered = sorted(values)
    return {"median": statistics.median(ordered), "min": ordered[0], "max": ordered[-1], "n": len(ordered)}


def shown(figures: Mapping[str, float], unit: str = "", digits: int = 2) -> str:
    """`spread` as people read it."""
    low, high = figures["min"], figures["max"]
    return (
        f"{figures['median']:.{digits}f} {unit} ({low:.{digits}f} to {high:.{digits}f}, n={figures['n']:.0f})".replace(
            "  ", " "
        )
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print(f"| {' | '.join(header)} |")
    print(f"|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def finish(name: str, results: Mapping[str, Any]) -> None:
    """Print the machine and the results as the last line."""
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "machine": platform.machine()}
    print(json.dumps({"benchmark": name, "machine": machine, "results": results}))
