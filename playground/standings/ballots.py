"""Knows votes as columns of numbers, and which of them a filter leaves. Counts nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from playground.standings.effective import fingerprints, stand
from playground.standings.values import Figures
from playground.types import DISTURBED_OVER, WINNERS

FIGURES = tuple(figure.name for figure in fields(Figures))
TIMES = ("ttft_s", "decode_tokens_per_s")
"""Figures that something else on the machine changes."""
NUMBERS = (*FIGURES, "markdown")
_TEXTS = (
    *("vote_id", "supersedes", "voted_at", "voter", "model_a", "model_b", "winner", "counted", "blind", "pacing"),
    *("prompt_id", "script", "image_sha256"),
)
_SLOWED = ("cold", "contended")
_SHARES = ("wait_share", "other_share")


def _both(*names: str) -> list[str]:
    return [f"{name}_{letter}" for name in names for letter in "ab"]


COLUMNS: Mapping[str, Literal["text", "number"]] = {
    **dict.fromkeys((*_TEXTS, *_both(*_SLOWED)), "text"),
    **dict.fromkeys(_both(*NUMBERS, *_SHARES), "number"),
}
"""What is read of each row, and as what."""
Batch = Mapping[str, Any] | pd.DataFrame
"""Cells by column; numbers may still be texts."""
A, B, TIE, BOTH_BAD = range(len(WINNERS))
UNKNOWN = "unknown"
_BATCH = 10_000
_HOUR = len("2026-11-01T13")
_TRUE = ("true", "True", "TRUE")  # as we write it; a spreadsheet shouts

Numbers = NDArray[np.float32]
Codes = NDArray[np.integer]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which votes are looked at. `prompts` is the beginning of prompt ids; `subjects` gives each id its subject.
    `script` is that of the prompt, "unknown" where there is none. `size` is the class of both models; `sizes` gives
    each model its class, and those it does not name are "unknown". `since` is an ISO date, or the beginning of one, or
    a date and hour: 2026-11-01T13."""

    prompts: str = ""
    subject: str = ""
    subjects: Mapping[str, str] = field(default_factory=dict)
    images: bool | None = None
    blind_only: bool = False
    pacing: str = ""
    script: str = ""
    size: str = ""
    sizes: Mapping[str, str] = field(default_factory=dict)
    since: str = ""


EVERY = Filter()


class Names:
    """Codes for the names of one column, in no order."""

    def __init__(self, *names: str) -> None:
        self._codes: dict[str, int] = {name: code for code, name in enumerate(names)}

    def codes(self, cells: Iterable[str]) -> Codes:
        """A code for each cell of a column."""
        known, names = self._codes, list(cells)
        for name in set(names) - known.keys():
            known[name] = len(known)
        return np.fromiter(map(known.__getitem__, names), np.int32, len(names))

    @property
    def names(self) -> tuple[str, ...]:
        """Names by code."""
        return tuple(self._codes)


@dataclass(frozen=True, slots=True)
class Ballots:
    """One entry a row in each array. `figures` and `clean` have the left side's value first. Names are codes.

    `clean` tells whose times may be averaged: of answers that were neither cold, contended nor disturbed, as far as the
    row knows."""

    models: tuple[str, ...]
    voters: tuple[str, ...]
    prompts: tuple[str, ...]
    pacings: tuple[str, ...]
    scripts: tuple[str, ...]
    hours: tuple[str, ...]
    stands: Flags
    counted: Flags
    blind: Flags
    images: Flags
    winner: Codes
    left: Codes
    right: Codes
    voter: Codes
    prompt: Codes
    pacing: Codes
    script: Codes
    hour: Codes
    clean: Flags
    figures: Mapping[str, Numbers]


def columns(rows: Iterable[Mapping[str, str]]) -> Iterator[Batch]:
    """Rows as batches of columns."""
    rest = iter(rows)
    while batch := list(itertools.islice(rest, _BATCH)):
        yield {name: [row[name] for row in batch] for name in COLUMNS}


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the rows, as they were read: names by the codes of this part, and arrays by name."""

    names: Mapping[str, tuple[str, ...]]
    arrays: Mapping[str, NDArray[np.generic]]


_CODED = {"left": "models", "right": "models", "voter": "voters", "prompt": "prompts", "pacing": "pacings"}
_CODED |= {"script": "scripts", "hour": "hours", "winner": "winners"}
"""Arrays of codes, and what they are codes of."""


def gather(batches: Iterable[Batch]) -> Ballots:
    """All rows of the batches."""
    return join([part(batches)])


def part(batches: Iterable[Batch]) -> Part:
    """The rows of the batches, to be joined with others."""
    names = _fresh_names()
    parts = [_arrays(batch, names) for batch in batches] or [_arrays({name: [] for name in COLUMNS}, names)]
    whole = {name: np.concatenate([each[name] for each in parts]) for name in parts[0]}
    return Part({name: each.names for name, each in names.items()}, _narrow(whole, names))


def _fresh_names() -> dict[str, Names]:
    return {name: Names(*WINNERS) if name == "winners" else Names() for name in _CODED.values()}


def _narrow(whole: Mapping[str, NDArray[Any]], names: Mapping[str, Names]) -> dict[str, NDArray[Any]]:
    """Codes in as few bytes as there are names for: a million votes then take 54 MB, not 76."""
    fewest = {name: np.min_scalar_type(len(names[of].names)) for name, of in _CODED.items()}
    return {name: cells.astype(fewest.get(name, cells.dtype), copy=False) for name, cells in whole.items()}


def _arrays(batch: Batch, names: Mapping[str, Names]) -> dict[str, NDArray[np.generic]]:
    found: dict[str, NDArray[np.generic]] = {
        "id": fingerprints(batch["vote_id"]),
        "supersedes": fingerprints(batch["supersedes"]),
        "counted": _are(batch["counted"], *_TRUE),
        "blind": _are(batch["blind"], *_TRUE),
        "images": ~_are(batch["image_sha256"], ""),
        "winner": names["winners"].codes(batch["winner"]),
        "left": names["models"].codes(batch["model_a"]),
        "right": names["models"].codes(batch["model_b"]),
        "voter": names["voters"].codes(batch["voter"]),
        "prompt": names["prompts"].codes(batch["prompt_id"]),
        "pacing": names["pacings"].codes(batch["pacing"]),
        "script": names["scripts"].codes(batch["script"]),
        "hour": names["hours"].codes([cell[:_HOUR] for cell in batch["voted_at"]]),
        "clean": np.stack([_clean(batch, x) for x in "ab"], axis=1),
    }
    return found | {name: np.stack([_numbers(batch[f"{name}_{x}"]) for x in "ab"], axis=1) for name in NUMBERS}


def _clean(batch: Batch, letter: str) -> Flags:
    """Whose answer's times are those of the model: the one rule by which figures are kept out of averages."""
    slowed = [_are(batch[f"{name}_{letter}"], *_TRUE) for name in _SLOWED]
    shares = [_numbers(batch[f"{name}_{letter}"]) > DISTURBED_OVER for name in _SHARES]  # NaN, unknown, is not over it
    kept: Flags = ~np.logical_or.reduce([*slowed, *shares])
    return kept


def join(parts: Sequence[Part]) -> Ballots:
    """The rows of all parts, in order."""
    names = _fresh_names()
    places = [{name: names[name].codes(known) for name, known in each.names.items()} for each in parts]
    whole: dict[str, Any] = {}
    for name in parts[0].arrays:
        pieces = [each.arrays[name] for each in parts]
        if of := _CODED.get(name):
            pieces = [place[of][codes] for place, codes in zip(places, pieces, strict=True)]
        whole[name] = np.concatenate(pieces)
    stands = stand(whole.pop("id"), whole.pop("supersedes"))
    figures = {name: whole.pop(name) for name in NUMBERS}
    columns: dict[str, Any] = {name: each.names for name, each in names.items() if name != "winners"}
    columns |= _narrow(whole, names)
    return Ballots(stands=stands, figures=figures, **columns)


def _are(cells: Any, *wanted: str) -> Flags:
    """Which cells are one of these."""
    return np.asarray(pd.Series(cells, dtype=object).isin(wanted), np.bool_)


def _numbers(cells: Any) -> Numbers:
    """NaN is what is no number: empty, or a person edited the file."""
    return np.asarray(pd.to_numeric(pd.Series(cells), errors="coerce"), np.float32)


def chosen(ballots: Ballots, only: Filter) -> Flags:
    """Which rows the filter leaves."""
    keep = np.ones(len(ballots.left), np.bool_)
    if only.prompts:
        keep &= _named(ballots.prompts, ballots.prompt, lambda name: name.startswith(only.prompts))
    if only.subject:
        keep &= _named(ballots.prompts, ballots.prompt, lambda name: only.subjects.get(name) == only.subject)
    if only.pacing:
        keep &= _named(ballots.pacings, ballots.pacing, lambda name: name == only.pacing)
    if only.script:
        keep &= _named(ballots.scripts, ballots.script, lambda name: (name or UNKNOWN) == only.script)
    if only.size:
        for side in (ballots.left, ballots.right):
            keep &= _named(ballots.models, side, lambda name: only.sizes.get(name, UNKNOWN) == only.size)
    if only.images is not None:
        keep &= ballots.images == only.images
    if only.blind_only:
        keep &= ballots.blind
    if only.since:
        keep &= _named(ballots.hours, ballots.hour, lambda name: name >= only.since[:_HOUR])
    return keep


def _named(names: Sequence[str], codes: Codes, wanted: Callable[[str], bool]) -> Flags:
    return np.array([wanted(name) for name in names], np.bool_)[codes] if names else np.zeros(0, np.bool_)
