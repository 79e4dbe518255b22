"""Knows which two models a page opens with, and says why. Starts and fetches nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playground.catalog import Catalog
from playground.errors import UsageError
from playground.types import ModelSpec

FALLBACK = ("smollm2-135m-q4", "smollm2-135m")
"""Weights of these come from the package index, so they work where no model hub answers."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Keys of the models on the left and on the right, and the reason in words for the page."""

    left: str
    right: str
    why: str


def choose(catalog: Catalog, left: str, right: str, present: Callable[[ModelSpec], bool]) -> Pair:
    """The pair: what was asked for, then the person's own rows, then what is cached, then the fallback.

    `present` tells whether a row's weights are on this machine. Raises CatalogError for an unknown key and UsageError
    when there are no two models.
    """
    for key in filter(None, (left, right)):
        catalog.row(key)
    if left and right:
        return Pair(left, right, "chosen by --left and --right")
    reasons = _candidates(catalog, present)
    free = [key for key in reasons if key not in (left, right)]
    if len(free) < (1 if left or right else 2):
        raise UsageError("A comparison needs two models. Name them with --left and --right, or add rows with --models.")
    if left or right:
        flag = "--left" if left else "--right"
        return Pair(left or free[0], right or free[0], f"one side chosen by {flag}, the other {reasons[free[0]]}")
    first, second = free[:2]
    sizes = [catalog.row(key).parameters_b for key in (first, second)]
    if sizes[0] and sizes[1] and sizes[0] > sizes[1]:  # the smaller one stands left: "small against large"
        first, second = second, first
    why = reasons[first] if reasons[first] == reasons[second] else f"{reasons[first]}; {reasons[second]}"
    return Pair(first, second, why)


def _candidates(catalog: Catalog, present: Callable[[ModelSpec], bool]) -> dict[str, str]:
    """Keys with the reason to choose each, best first."""
    reasons = {key.key: "from your own models file" for key in catalog if key.key in catalog.own}
    for row in catalog:
        demo = row.source.startswith("package:")  # always there, and good for pictures of shapes only
        if row.key not in FALLBACK and not demo and row.engine in ("transformers", "llama.cpp") and present(row):
            reasons.setdefault(row.key, "already on this machine")
    for key in FALLBACK:
        if key in catalog:
            reasons.setdefault(key, "small enough for any machine, and fetched without a model hub")
    return reasons
