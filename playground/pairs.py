"""Knows which two models a page opens with, and says why: named pairs, and the one for this machine. Starts nothing.

A named pair is a list of options, best first; the first whose two models can be had here, and fit here together, is the
one. Tables of all this: README, tested.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from playground.catalog import Catalog
from playground.errors import UsageError
from playground.fit import Fit, judge
from playground.machine import Machine
from playground.types import ModelSpec

FALLBACK = ("smollm2-135m-q4", "smollm2-135m")
"""Weights of these come from the package index, so they work where no model hub answers."""
RECORDED = ("recorded-smollm2-135m-q4", "recorded-smollm2-135m")
"""What they said beforehand, in the package: for a Space without a GPU, whose visitors sign in for more."""
CARD_BYTES = 8_000_000_000
"""Memory of the smallest graphics card that a pair counts on."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Keys of the models on the left and on the right, and the reason in words for the page."""

    left: str
    right: str
    why: str


@dataclass(frozen=True, slots=True)
class Option:
    """Two rows. `gpu`: which of them must fit in a graphics card's memory, or that a `card` must be there."""

    left: str
    right: str
    gpu: Literal["", "card", "left", "both"] = ""


@dataclass(frozen=True, slots=True)
class Named:
    """What a menu offers: a title, what it compares, its options."""

    title: str
    about: str
    options: tuple[Option, ...]


_RIVALS = (
    Option("qwen3.5-9b-bf16", "gpt-oss-120b-mxfp4", "both"),
    Option("qwen3.5-9b-bf16", "gpt-oss-120b-q4", "both"),
    Option("qwen3.5-9b-bf16", "gpt-oss-120b-hub", "left"),
    Option("qwen3.5-9b-q4", "gpt-oss-120b-hub", "card"),
)
_SMALL = (Option("qwen3.5-9b-q4", "gpt-oss-20b-q4", "both"), Option("qwen3.5-0.8b-q4", "qwen3.5-4b-q4"))

NAMED: Mapping[str, Named] = {
    "small-large": Named(
        "Small against large",
        "a small model and a much larger one, as large as this machine and its keys allow",
        (*_RIVALS, *_SMALL, Option("shapes-small", "shapes-large")),
    ),
    "4-bit-16-bit": Named(
        "4-bit against 16-bit",
        "the same model in both precisions, to see what the smaller file costs",
        (
            Option("qwen3.5-9b-q4", "qwen3.5-9b-bf16"),
            Option("qwen3.5-4b-q4", "qwen3.5-4b-bf16"),
            Option("qwen3.5-0.8b-q4", "qwen3.5-0.8b-bf16"),
            Option(*FALLBACK),
        ),
    ),
    "thinking": Named(
        "Thinking on against off",
        "the same model, thinking first on the left and answering at once on the right",
        (
            Option("qwen3.5-9b-bf16", "qwen3.5-9b-bf16-instant", "left"),
            Option("qwen3.5-9b-q4", "qwen3.5-9b-q4-instant"),
            Option("qwen3.5-9b-hub", "qwen3.5-9b-hub-instant"),
        ),
    ),
    "local-hosted": Named(
        "Local against hosted",
        "the same model on this machine and at a provider of the Hub",
        (
            Option("qwen3.5-9b-bf16", "qwen3.5-9b-hub", "left"),
            Option("qwen3.5-9b-q4", "qwen3.5-9b-hub"),
            Option("qwen3.5-4b-q4", "qwen3.5-4b-hub"),
        ),
    ),
    "makers": Named(
        "Qwen against Gemma",
        "models of about one size by two makers",
        (Option("qwen3.5-9b-q4", "gemma-3-12b-q4"), Option("qwen3.5-9b-hub", "gemma-3-12b-hub")),
    ),
}


@dataclass(frozen=True)
class Situation:
    """What is there: the machine, whose weights are here, which keys are set, and whether the Hub answers."""

    machine: Machine
    present: Callable[[ModelSpec], bool] = lambda spec: False
    key_set: Callable[[str], bool] = lambda name: False
    hub: bool = False
    _fits: dict[str, Fit] = field(default_factory=dict)

    def fit(self, spec: ModelSpec) -> Fit:
        """The verdict on that row, judged once."""
        return self._fits.setdefault(spec.key, judge(spec, self.machine))

    def to_be_had(self, spec: ModelSpec, *, fetching: bool = True) -> str:
        """Why that row cannot be had here, "" when it can; `fetching`: weights may come from the Hub."""
        if spec.engine == "openai" and not spec.local:
            if spec.api_key_env and not self.key_set(spec.api_key_env):
                return f"{spec.title} needs a key in {spec.api_key_env}"
            return "" if self.hub else f"{spec.title} is hosted, and the Hub does not answer"
        if spec.engine in ("openai", "replay") or _in_package(spec) or self.present(spec):
            return ""
        return "" if fetching and self.hub else f"{spec.title} is not here, and the Hub does not answer"


def recorded(catalog: Catalog) -> Pair:
    """The pair of a Space that runs no model itself. Raises CatalogError."""
    left, right = (catalog.row(key).key for key in RECORDED)
    return Pair(left, right, "recordings, because this Space has no GPU: ask one of the prompts below")


def choose(catalog: Catalog, left: str, right: str, name: str, now: Situation) -> Pair:
    """The pair: what was asked for, then the named pair, then the person's own rows, then the best for this machine.

    Raises CatalogError for an unknown key and UsageError for an unknown name or when there are no two models.
    """
    for key in filter(None, (left, right)):
        catalog.row(key)
    if left and right:
        return Pair(left, right, "chosen by --left and --right")
    if name not in ("", "auto") and not (left or right):
        return named(catalog, name, now)
    reasons = _candidates(catalog, now)
    best = None if left or right or catalog.own else _auto(catalog, now, reasons)
    return best or _completed(catalog, left, right, reasons)


def named(catalog: Catalog, name: str, now: Situation) -> Pair:
    """The named pair as it can be had here, or its least option with what it lacks. Raises UsageError."""
    if name == "auto":
        return choose(catalog, "", "", "", now)
    if name not in NAMED:
        near = difflib.get_close_matches(name, NAMED, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: auto, {', '.join(NAMED)}."
        raise UsageError(f"There is no pair {name!r}. {hint}")
    pair = NAMED[name]
    options = [option for option in pair.options if option.left in catalog and option.right in catalog]
    if not options:
        raise UsageError(f"The models of the pair {name} are not in the catalog.")
    for option in options:
        if not _lacks(catalog, option, now):
            return Pair(option.left, option.right, f"{pair.title}: {pair.about}")
    return Pair(options[-1].left, options[-1].right, f"{pair.title}: {_lacks(catalog, options[-1], now)}")


# --- what fits here -------------------------------------------------------------------------------------------------


def _auto(catalog: Catalog, now: Situation, reasons: Mapping[str, str]) -> Pair | None:
    """The best pair for this machine; one that is here already comes before one that must be fetched. None where
    nothing beats what is here or in the package."""
    two_here = list(reasons.values()).count(HERE) >= 2
    for fetching in (False,) if two_here else (False, True):
        for option in (*_RIVALS, *_SMALL):
            known = option.left in catalog and option.right in catalog
            if known and not _lacks(catalog, option, now, fetching=fetching):
                return Pair(option.left, option.right, _why(option, now))
    return None


def _why(option: Option, now: Situation) -> str:
    cards, ram = sum(card.total_bytes for card in now.machine.gpus), now.machine.ram_total_bytes
    what = f"{cards / 2**30:.0f} GB of GPU memory" if cards and option.gpu else f"{ram / 2**30:.0f} GB of RAM"
    return f"the best pair for {what}"


def _lacks(catalog: Catalog, option: Option, now: Situation, *, fetching: bool = True) -> str:
    """Why that option cannot be had here, "" when it can."""
    rows = [catalog.row(key) for key in (option.left, option.right)]
    for row in rows:
        if why := now.to_be_had(row, fetching=fetching):
            return why
        if now.fit(row).verdict == "does not fit":
            return f"{row.title} does not fit here"
    fits = [now.fit(row) for row in rows]
    needed = {"left": fits[:1], "both": fits}.get(option.gpu, [])
    card = any(card.total_bytes >= CARD_BYTES for card in now.machine.gpus)
    if any(not fit.where.startswith("gpu") for fit in needed) or (option.gpu == "card" and not card):
        return f"{rows[0].title} wants a larger GPU for this"
    return "" if _together(rows, fits) else f"{rows[0].title} and {rows[1].title} do not fit here together"


def _together(rows: list[ModelSpec], fits: list[Fit]) -> bool:
    """Both can be loaded at the same time. Rows of the same weights are one process; `gpus` are all cards together."""
    one, two = fits
    widest = next((fit for fit in fits if fit.where == "gpus"), one)
    shared = one.where == two.where or (widest.where == "gpus" and all(fit.where.startswith("gpu") for fit in fits))
    if not shared or one.where == "elsewhere" or rows[0].process == rows[1].process:
        return True
    if one.need_bytes is None or two.need_bytes is None or widest.free_bytes is None:
        return True
    return one.need_bytes + two.need_bytes <= widest.free_bytes


def _in_package(spec: ModelSpec) -> bool:
    return spec.source.startswith(("package:", "pypi:", "gguf:pypi:"))


# --- the person's own rows and what is here -------------------------------------------------------------------------

HERE = "already on this machine"


def _candidates(catalog: Catalog, now: Situation) -> dict[str, str]:
    """Keys with the reason to choose each, best first."""
    reasons = {key.key: "from your own models file" for key in catalog if key.key in catalog.own}
    for row in catalog:
        demo = row.source.startswith("package:")  # always there, and good for pictures of shapes only
        local = row.engine in ("transformers", "llama.cpp")
        if row.key not in FALLBACK and not demo and local and now.present(row) and _runs(row, now):
            reasons.setdefault(row.key, HERE)
    for key in FALLBACK:
        if key in catalog:
            reasons.setdefault(key, "small enough for any machine, and fetched without a model hub")
    return reasons


def _runs(row: ModelSpec, now: Situation) -> bool:
    return now.fit(row).verdict != "does not fit"


def _completed(catalog: Catalog, left: str, right: str, reasons: Mapping[str, str]) -> Pair:
    """Two of the candidates, or one beside what was asked for. Raises UsageError where there are too few."""
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
