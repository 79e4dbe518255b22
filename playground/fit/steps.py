"""Knows the next smaller thing to do when a model does not fit well. Knows no figure itself: it asks the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from playground.fit import known
from playground.fit.needs import Fit, engine_of, gb
from playground.types import ModelSpec

SHORT = 2048
"""Tokens of the shortest conversation that is worth a model."""


def next_step(
    spec: ModelSpec,
    found: Fit,
    rows: tuple[ModelSpec, ...],
    with_context: Callable[[int], Fit],
    other: Callable[[ModelSpec], Fit],
) -> str:
    """A sentence: a shorter context of the same row, else a row of the same model in fewer bits, else a smaller model
    of the family, else the row itself in 4 bit, else one that runs elsewhere, else what is missing.

    `with_context` judges the row itself with so many tokens, `other` another row.
    """
    if shorter := shorter_context(found.context_tokens, with_context):
        return f"Set its context_tokens to {shorter:,}: then it fits."
    others = [row for row in rows if row.key != spec.key]
    for row, words in candidates(spec, others):
        fit = other(row)
        if fit.verdict == "fits" and fit.need_bytes is not None:
            return f"{words} fits: {row.title} ({row.key}, {gb(fit.need_bytes)})."
    if spec.engine == "transformers" and not is_quantized(spec):
        fit = other(replace(spec, quantization="bnb-4bit"))
        if fit.verdict == "fits" and fit.need_bytes is not None:
            return f'In 4 bit it fits ({gb(fit.need_bytes)}): write quantization = "bnb-4bit" into its row.'
    if hosted := next(_hosted(spec, others), None):
        return f"Use a model that runs elsewhere: {hosted.title} ({hosted.key})."
    missing = (found.need_bytes or 0) - (found.free_bytes or 0)
    if missing <= 0:
        return "Close other programs: it leaves little room."
    return (
        f"It misses {gb(missing)}: end other programs or models, or choose a smaller model or one that runs elsewhere."
    )


def shorter_context(tokens: int, with_context: Callable[[int], Fit]) -> int | None:
    """The largest half, quarter... of the context with which it fits; None where the context is not what is wrong."""
    while (tokens := tokens // 2) >= SHORT:
        if with_context(tokens).verdict == "fits":
            return tokens
    return None


def candidates(spec: ModelSpec, rows: Iterable[ModelSpec]) -> Iterator[tuple[ModelSpec, str]]:
    """Rows to try in this order, with the words for each: the same model in fewer bits, then smaller ones of the
    family, largest first."""
    mine = known.shape_of(spec)
    family = mine.family if mine else spec.family
    here = [row for row in rows if row.local and row.engine != "openai"]
    if mine is not None:
        same = [row for row in here if known.shape_of(row) is mine and is_quantized(row) and not is_quantized(spec)]
        yield from ((row, "The same model in fewer bits") for row in same)
    size = spec.parameters_b or float("inf")
    smaller = [row for row in here if family and family_of(row) == family and (row.parameters_b or size) < size]
    for row in sorted(smaller, key=lambda row: (-(row.parameters_b or 0), is_quantized(row))):
        yield row, "A smaller model of the family"


def family_of(row: ModelSpec) -> str:
    """By the shape that the package knows, else by what the row says."""
    shape = known.shape_of(row)
    return shape.family if shape else row.family


def is_quantized(row: ModelSpec) -> bool:
    """Fewer than 16 bits a weight, as far as the row tells."""
    return row.quantization.startswith("bnb-") or engine_of(row) == "llama.cpp"


def _hosted(spec: ModelSpec, rows: Iterable[ModelSpec]) -> Iterator[ModelSpec]:
    """Rows that run elsewhere, the same model first. A row without a model's name is a template, not a model."""
    far = [row for row in rows if row.engine == "openai" and not row.local and row.source]
    yield from sorted(far, key=lambda row: row.source.lower() not in (spec.source.lower(), spec.repository.lower()))
